from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from unison_engine.runtime.session import Session
from unison_export.graphs import Export
from unison_export.mapped import write_mapped


class Network(nn.Module):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.inward = nn.Linear(64, 256).to(dtype)
        self.outward = nn.Conv1d(256, 4, 3, padding=1)
        self.unused = nn.Linear(100, 100)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.outward(self.inward(x).transpose(1, 2))
        return y


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_weights_keep_their_precision_and_are_computed_with_in_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = Network(dtype)
    inputs, free = {"x": torch.zeros(1, 5, 64)}, {"x": {1: Dim("n", min=2, max=64)}}
    graph = write_mapped("tiny", Export(network, "forward", inputs, free, "y", (1, 4, "n")), tmp_path)
    assert graph.inputs["x"].shape == (1, "n", 64) and set(graph.weights.split(", ")) == {
        "float32",
        str(dtype).removeprefix("torch."),
    }
    assert all(parameter.device.type == "cpu" for parameter in network.parameters())
    stored = onnx.load(tmp_path / "tiny.onnx", load_external_data=False).graph.initializer
    outside = [tensor.name for tensor in stored if tensor.data_location == onnx.TensorProto.EXTERNAL]
    assert "network.inward.weight" in outside and not any("unused" in name for name in outside)
    x = torch.randn(1, 11, 64)
    found = Session(tmp_path / "tiny.onnx", 1)(x=x.numpy())
    np.testing.assert_allclose(found, network.float()(x).detach().numpy(), atol=1e-5)

"""The networks as ONNX graphs: one per rate of change (prompt, evaluation, sound), lengths free."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.export import Dim

from unison_engine.bundle import Graph, TensorSpec
from unison_engine.runtime.text import MAX_PHONES
from unison_export.weights import HALVED, record_weights
from unison_train.autoencoder.model import Autoencoder
from unison_train.checkpoint import Checkpoint

# Opset 20 runs on every onnxruntime the engine supports and is what TensorRT-RTX takes in float32.
OPSET = 20
_DTYPES: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.INT64: "int64"}


@dataclass(frozen=True)
class Export:
    """A module with example inputs and the free sizes of each, by input name."""

    module: nn.Module
    inputs: dict[str, Tensor]
    free: dict[str, dict[int, Any]]
    output: str
    output_shape: tuple[str | int, ...]

    @property
    def network(self) -> nn.Module:
        """The trained module, without what adapts it to the graph."""
        return self.module.autoencoder if isinstance(self.module, (_Encode, _Decode)) else self.module


def export_graphs(checkpoint: Checkpoint, folder: Path) -> dict[str, Graph]:
    """Write `fusion`, `step`, `vae_encoder` and `vae_decoder` to a folder; returns their descriptions.

    Weight matrices are stored as float16 and cast to float32 when a runtime loads the graph; round them with
    `round_weights` first, so that nothing is lost here.
    """
    return {name: _write(name, export, folder) for name, export in _exports(checkpoint).items()}


@torch.no_grad()
def round_weights(module: nn.Module) -> None:
    """Round weight matrices to float16 in place."""
    for parameter in module.parameters():
        if parameter.ndim > 1:
            parameter.copy_(parameter.half().float())


def _exports(checkpoint: Checkpoint) -> dict[str, Export]:
    config, layout = checkpoint.config, checkpoint.layout
    batch, frames, tokens = Dim("b", min=1, max=16), Dim("t", min=2, max=4096), Dim("s", min=2, max=1024)
    b, t, s, channels = 2, 50, 21, config.latent_channels
    latent = torch.zeros(b, channels, t)
    step = {
        "noisy": latent,
        "source": latent.clone(),
        "mask": torch.zeros(b, 1, t),
        "time": torch.rand(b),
        "text": torch.zeros(config.depth, b, s, config.width),
        "text_mask": torch.ones(b, s),
        "text_position": torch.zeros(b, s),
    }
    over_frames = {0: batch, 2: frames}
    free: dict[str, dict[int, Any]] = {
        "noisy": over_frames,
        "source": over_frames,
        "mask": over_frames,
        "time": {0: batch},
        "text": {1: batch, 2: tokens},
        "text_mask": {0: batch, 1: tokens},
        "text_position": {0: batch, 1: tokens},
    }
    fusion = {"states": torch.zeros(config.depth, 1, s, config.text_width)}
    fusion_free: dict[str, dict[int, Any]] = {"states": {2: tokens}}
    if config.phones:
        spoken = Dim("n", min=2, max=MAX_PHONES)
        fusion |= {"phones": torch.zeros(1, 40, dtype=torch.long), "phone_mask": torch.ones(1, 40)}
        fusion_free |= {"phones": {1: spoken}, "phone_mask": {1: spoken}}
    wave = torch.zeros(b, t * layout.hop)
    autoencoder = checkpoint.autoencoder
    return {
        "fusion": Export(checkpoint.fusion, fusion, fusion_free, "text", (config.depth, 1, "s", config.width)),
        "step": Export(checkpoint.dit, step, free, "velocity", ("b", channels, "t")),
        "vae_encoder": Export(
            _Encode(autoencoder),
            {"wave": wave},
            {"wave": {0: batch, 1: layout.hop * frames}},
            "latent",
            ("b", channels, "t"),
        ),
        "vae_decoder": Export(
            _Decode(autoencoder), {"latent": latent}, {"latent": over_frames}, "wave", ("b", f"{layout.hop}*t")
        ),
    }


class _Encode(nn.Module):
    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, wave: Tensor) -> Tensor:
        return self.autoencoder.encode(wave)


class _Decode(nn.Module):
    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, latent: Tensor) -> Tensor:
        return self.autoencoder.decode(latent)


def _write(name: str, export: Export, folder: Path) -> Graph:
    with warnings.catch_warnings():
        # Inputs that share a free size share its name, which the exporter finds worth a warning each time.
        warnings.filterwarnings("ignore", "# The axis name")
        program = torch.onnx.export(
            export.module.eval(),
            kwargs=export.inputs,
            dynamic_shapes=export.free,
            input_names=list(export.inputs),
            output_names=[export.output],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    record_weights(model, export.network)
    halve_weights(model)
    onnx.checker.check_model(model)
    file = f"{name}.onnx"
    onnx.save(model, folder / file)
    inputs = {value.name: _spec(value) for value in model.graph.input}
    output = TensorSpec(dtype="float32", shape=export.output_shape)
    return Graph(file=file, inputs=inputs, outputs={export.output: output}, weights="float16")


def halve_weights(model: onnx.ModelProto) -> None:
    """Store every float32 matrix that float16 holds exactly as float16, with a cast that runtimes fold at load."""
    casts = []
    for index, tensor in enumerate(model.graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        full = numpy_helper.to_array(tensor)
        half = full.astype(np.float16)
        if np.array_equal(half.astype(np.float32), full):
            stored = tensor.name + HALVED
            casts.append(helper.make_node("Cast", [stored], [tensor.name], name=f"cast.{stored}", to=TensorProto.FLOAT))
            model.graph.initializer[index].CopyFrom(numpy_helper.from_array(half, stored))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    tensor = value.type.tensor_type
    shape = tuple(size.dim_param or size.dim_value for size in tensor.shape.dim)
    return TensorSpec.model_validate({"dtype": _DTYPES[tensor.elem_type], "shape": shape})

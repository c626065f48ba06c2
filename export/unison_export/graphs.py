"""The networks as ONNX graphs: one per rate of change (prompt, schedule, evaluation, sound), sizes free."""

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
from unison_export.precision import narrow
from unison_export.weights import HALVED, record_weights
from unison_train.checkpoint import Checkpoint
from unison_train.model.modulation import BLOCK_PARTS, FINAL_PARTS

# Opset 20 runs on every onnxruntime the engine supports and is what TensorRT-RTX takes in float32. From opset 23 on
# attention is one node, for which TensorRT-RTX has kernels in bfloat16 and float16 alone.
OPSET, NARROW_OPSET = 20, 23
_DTYPES: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.INT64: "int64"}


@dataclass(frozen=True)
class Export:
    """What a graph computes: a part or method of a network, example inputs; the free sizes of each by input name."""

    network: nn.Module
    method: str
    inputs: dict[str, Tensor]
    free: dict[str, dict[int, Any]]
    output: str
    output_shape: tuple[str | int, ...]


def export_graphs(checkpoint: Checkpoint, folder: Path, dtype: torch.dtype = torch.float32) -> dict[str, Graph]:
    """Write every graph but the text encoder's to a folder; returns their descriptions.

    Weight matrices are stored as float16 and cast to float32 when a runtime loads the graph; round them with
    `round_weights` first, so that nothing is lost here. With a narrower `dtype` the layers that `narrow` chooses keep
    their weights and compute in it, which is how TensorRT is told a precision.
    """
    if dtype is torch.float32:
        return {name: _write(name, export, folder) for name, export in _exports(checkpoint).items()}
    exports = _exports(narrow(checkpoint, dtype))
    return {name: _write_narrow(name, export, folder) for name, export in exports.items()}


@torch.no_grad()
def round_weights(module: nn.Module) -> None:
    """Round weight matrices to float16 in place."""
    for parameter in module.parameters():
        if parameter.ndim > 1:
            parameter.copy_(parameter.half().float())


def _exports(checkpoint: Checkpoint) -> dict[str, Export]:
    config, layout = checkpoint.config, checkpoint.layout
    batch, frames, tokens = Dim("b", min=1, max=16), Dim("t", min=2, max=4096), Dim("s", min=2, max=1024)
    branches, times = Dim("g", min=1, max=4), Dim("n", min=1, max=1024)
    b, g, t, s, n, channels = 2, 3, 50, 21, 5, config.latent_channels
    latent = torch.zeros(b, channels, t)
    modulations = BLOCK_PARTS * config.depth + FINAL_PARTS
    step = {
        "noisy": latent,
        "source": latent.clone(),
        "mask": torch.zeros(b, 1, t),
        "modulations": torch.zeros(b, modulations, config.width),
        "text": torch.zeros(config.depth, b, s, config.width),
        "text_mask": torch.ones(b, g, s),
    }
    over_frames = {0: batch, 2: frames}
    free: dict[str, dict[int, Any]] = {
        "noisy": over_frames,
        "source": over_frames,
        "mask": over_frames,
        "modulations": {0: batch},
        "text": {1: batch, 2: tokens},
        "text_mask": {0: batch, 1: branches, 2: tokens},
    }
    if config.places_text:
        step["text_position"] = torch.zeros(b, s)
        free["text_position"] = {0: batch, 1: tokens}
    fusion = {"states": torch.zeros(config.depth, 1, s, config.text_width)}
    fusion_free: dict[str, dict[int, Any]] = {"states": {2: tokens}}
    if config.phones:
        spoken = Dim("p", min=2, max=MAX_PHONES)
        fusion |= {"phones": torch.zeros(1, 40, dtype=torch.long), "phone_mask": torch.ones(1, 40)}
        fusion_free |= {"phones": {1: spoken}, "phone_mask": {1: spoken}}
    wave = torch.zeros(b, t * layout.hop)
    autoencoder = checkpoint.autoencoder
    return {
        "fusion": Export(
            checkpoint.fusion, "forward", fusion, fusion_free, "text", (config.depth, 1, "s", config.width)
        ),
        "modulation": Export(
            checkpoint.dit,
            "modulation",
            {"time": torch.rand(n)},
            {"time": {0: times}},
            "modulations",
            ("n", modulations, config.width),
        ),
        "step": Export(checkpoint.dit, "evaluate", step, free, "velocity", ("b", "g", channels, "t")),
        "vae_encoder": Export(
            autoencoder,
            "encode",
            {"wave": wave},
            {"wave": {0: batch, 1: layout.hop * frames}},
            "latent",
            ("b", channels, "t"),
        ),
        "vae_decoder": Export(
            autoencoder, "decode", {"latent": latent}, {"latent": over_frames}, "wave", ("b", f"{layout.hop}*t")
        ),
    }


class _Method(nn.Module):
    """A module whose `forward` is a part or method of another."""

    def __init__(self, network: nn.Module, method: str) -> None:
        super().__init__()
        self.network, self.method = network, method

    def forward(self, **inputs: Tensor) -> Tensor:
        output: Tensor = getattr(self.network, self.method)(**inputs)
        return output


def _write(name: str, export: Export, folder: Path) -> Graph:
    model = _model(export, OPSET)
    record_weights(model, export.network)
    halve_weights(model)
    return _save(model, name, export, folder, "float16")


def _write_narrow(name: str, export: Export, folder: Path) -> Graph:
    return _save(_model(export, NARROW_OPSET), name, export, folder, "as computed")


def _model(export: Export, opset: int) -> onnx.ModelProto:
    with warnings.catch_warnings():
        # Inputs that share a free size share its name, which the exporter finds worth a warning each time.
        warnings.filterwarnings("ignore", "# The axis name")
        program = torch.onnx.export(
            _Method(export.network, export.method).eval(),
            kwargs=export.inputs,
            dynamic_shapes={"inputs": export.free},
            input_names=list(export.inputs),
            output_names=[export.output],
            opset_version=opset,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _save(model: onnx.ModelProto, name: str, export: Export, folder: Path, weights: str) -> Graph:
    onnx.checker.check_model(model)
    file = f"{name}.onnx"
    onnx.save(model, folder / file)
    inputs = {value.name: _spec(value) for value in model.graph.input}
    output = TensorSpec(dtype="float32", shape=export.output_shape)
    return Graph(file=file, inputs=inputs, outputs={export.output: output}, weights=weights)


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

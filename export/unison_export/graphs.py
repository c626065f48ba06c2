"""The networks as ONNX graphs: one per rate of change (prompt, schedule, evaluation, sound), sizes free."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_ir.convenience import get_const_tensor
from torch import Tensor, nn
from torch.export import Dim

from unison_engine.bundle import MANIFEST, Graph, TensorSpec
from unison_engine.layout import LatentLayout
from unison_engine.runtime.text import MAX_PHONES
from unison_export.precision import narrow
from unison_export.weights import HALVED, record_weights
from unison_train.checkpoint import Checkpoint
from unison_train.model.dit import DiT, TextFusion
from unison_train.model.modulation import BLOCK_PARTS, FINAL_PARTS

# Opset 20 runs on every onnxruntime the engine supports and is what TensorRT-RTX takes in float32. From opset 23 on
# attention is one node, for which TensorRT-RTX has kernels in bfloat16 and float16 alone.
OPSET, NARROW_OPSET = 20, 23
_DTYPES: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.INT64: "int64"}


@dataclass(frozen=True)
class Export:
    """What a graph computes: a part or method of a network, example inputs; the free sizes of each by input name.

    `reach` is that of `unison_engine.bundle.Graph`.
    """

    network: nn.Module
    method: str
    inputs: dict[str, Tensor]
    free: dict[str, dict[int, Any]]
    output: str
    shape: tuple[str | int, ...]
    reach: int | None = None


def export_graphs(checkpoint: Checkpoint, folder: Path) -> dict[str, Graph]:
    """Write every graph but the text encoder's to a folder; returns their descriptions.

    Weight matrices are stored as float16 and cast to float32 when a runtime loads the graph; round them with
    `round_weights` first, so that nothing is lost here.
    """
    exports = network_exports(checkpoint.dit, checkpoint.fusion)
    exports |= audio_exports(checkpoint.autoencoder, checkpoint.layout)
    return {name: _write(name, export, folder) for name, export in exports.items()}


def export_narrow_graphs(checkpoint: Checkpoint, folder: Path, dtype: torch.dtype) -> dict[str, Graph]:
    """The same graphs with the layers that `narrow` chooses in `dtype`, which is how TensorRT is told a precision."""
    dit, fusion = narrow(checkpoint.dit, dtype), narrow(checkpoint.fusion, dtype)
    exports = network_exports(dit, fusion) | audio_exports(narrow(checkpoint.autoencoder, dtype), checkpoint.layout)
    return {name: write_narrow(name, export, folder, dtype) for name, export in exports.items()}


@contextlib.contextmanager
def finished_files(folder: Path) -> Iterator[Path]:
    """A folder for the files of a bundle, which move to `folder` when the context ends, the manifest last.

    If anything fails they go, and what `folder` held stays: an engine may have its files mapped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="partial-") as name:
        unfinished = Path(name)
        yield unfinished
        for file in sorted(unfinished.iterdir(), key=lambda file: file.name == MANIFEST):
            os.replace(file, folder / file.name)


@torch.no_grad()
def round_weights(module: nn.Module) -> None:
    """Round weight matrices to float16 in place."""
    for parameter in module.parameters():
        if parameter.ndim > 1:
            parameter.copy_(parameter.half().float())


def network_exports(dit: DiT, fusion: TextFusion) -> dict[str, Export]:
    """Graphs `fusion`, `modulation` and `step`."""
    config = dit.config
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
    text = {"states": torch.zeros(config.depth, 1, s, config.text_width)}
    text_free: dict[str, dict[int, Any]] = {"states": {2: tokens}}
    if config.phones:
        spoken = Dim("p", min=2, max=MAX_PHONES)
        text |= {"phones": torch.zeros(1, 40, dtype=torch.long), "phone_mask": torch.ones(1, 40)}
        text_free |= {"phones": {1: spoken}, "phone_mask": {1: spoken}}
    return {
        "fusion": Export(fusion, "forward", text, text_free, "text", (config.depth, 1, "s", config.width)),
        "modulation": Export(
            dit,
            "modulation",
            {"time": torch.rand(n)},
            {"time": {0: times}},
            "modulations",
            ("n", modulations, config.width),
        ),
        "step": Export(dit, "evaluate", step, free, "velocity", ("b", "g", channels, "t")),
    }


def audio_exports(autoencoder: nn.Module, layout: LatentLayout) -> dict[str, Export]:
    """Graphs `vae_encoder` and `vae_decoder` of a network with the methods `encode` and `decode`.

    A model of the whole grid encodes a wave of any length, since its grid need not be a multiple of the hop.
    """
    batch, frames = Dim("b", min=1, max=16), Dim("t", min=2, max=4096)
    samples = Dim("samples", min=2 * layout.hop, max=4096 * layout.hop) if layout.whole_grid else layout.hop * frames
    b, t, channels = 2, 50, layout.channels
    wave, latent = torch.zeros(b, t * layout.hop), torch.zeros(b, channels, t)
    waves, latents = {"wave": {0: batch, 1: samples}}, {"latent": {0: batch, 2: frames}}
    length = f"{layout.hop}*t"
    reach = decoder_reach(autoencoder, layout)
    return {
        "vae_encoder": Export(autoencoder, "encode", {"wave": wave}, waves, "latent", ("b", channels, "t")),
        "vae_decoder": Export(autoencoder, "decode", {"latent": latent}, latents, "wave", ("b", length), reach),
    }


@torch.no_grad()
def decoder_reach(autoencoder: nn.Module, layout: LatentLayout) -> int | None:
    """How many latent frames before and after a frame its samples depend on; None if that is 64 or more.

    A frame that is not a number makes every sample so that depends on it, whatever the weights are.
    """
    middle = 64
    latent = torch.zeros(1, layout.channels, 2 * middle + 1)
    latent[:, :, middle] = math.nan
    wave: Tensor = _Method(autoencoder, "decode").eval()(latent=latent)
    frames = wave[0].isnan().unflatten(0, (-1, layout.hop)).any(1).nonzero().flatten()
    reach = int((frames - middle).abs().max())
    return reach if reach < middle else None


class _Method(nn.Module):
    """A module whose `forward` is a part or method of another."""

    def __init__(self, network: nn.Module, method: str) -> None:
        super().__init__()
        self.network, self.method = network, method

    def forward(self, **inputs: Tensor) -> Tensor:
        output: Tensor = getattr(self.network, self.method)(**inputs)
        return output


def trace(export: Export, optimise: bool = True, opset: int = OPSET) -> torch.onnx.ONNXProgram:
    """The graph of an export, with its weights."""
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
            optimize=False,
        )
    assert program is not None
    if optimise:
        with small_terms_kept(program.model):
            program.optimize()
    return program


@contextlib.contextmanager
def small_terms_kept(model: ir.Model) -> Iterator[None]:
    """Keep onnxscript's optimiser from deleting sums with a constant of 1e-8 or less, which it takes for zero.

    Such a constant is what a square root or a division is safe by: without it, near silence sounds differ. While the
    context lasts the constants are inputs of the graph, whose values no optimiser knows.
    """
    hidden: list[tuple[ir.Value, ir.TensorProtocol]] = []
    for node in model.graph:
        for index, value in enumerate(node.inputs):
            constant = None if value is None or node.op_type not in ("Add", "Sub") else get_const_tensor(value)
            if constant is None or constant.size != 1 or not 0 < abs(float(constant.numpy().item())) <= 1e-7:
                continue
            assert value is not None
            name, kind = f"small_term_{len(hidden)}", ir.TensorType(constant.dtype)
            unknown = ir.Value(name=name, type=kind, shape=ir.Shape(constant.numpy().shape))
            node.replace_input_with(index, unknown)
            model.graph.inputs.append(unknown)
            hidden.append((unknown, constant))
    yield
    for unknown, constant in hidden:
        model.graph.inputs.remove(unknown)
        unknown.const_value = constant
        model.graph.initializers[str(unknown.name)] = unknown


def describe(export: Export, model: onnx.ModelProto, file: str, weights: str) -> Graph:
    """A graph as the manifest tells it."""
    inputs = {value.name: _spec(value) for value in model.graph.input}
    outputs = {export.output: TensorSpec(dtype="float32", shape=export.shape)}
    return Graph(file=file, inputs=inputs, outputs=outputs, weights=weights, reach=export.reach)


def _write(name: str, export: Export, folder: Path) -> Graph:
    model = trace(export).model_proto
    record_weights(model, export.network)
    halve_weights(model)
    return _save(name, model, export, folder, "float16")


def write_narrow(name: str, export: Export, folder: Path, dtype: torch.dtype) -> Graph:
    """Write the graph of a network that went through `narrow`."""
    return _save(name, trace(export, opset=NARROW_OPSET).model_proto, export, folder, str(dtype).removeprefix("torch."))


def _save(name: str, model: onnx.ModelProto, export: Export, folder: Path, weights: str) -> Graph:
    onnx.checker.check_model(model)
    file = f"{name}.onnx"
    onnx.save(model, folder / file)
    return describe(export, model, file, weights)


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

"""Bundles that hold graphs in a second precision, each with its measured error."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unison_engine.bundle import FORMAT_VERSION, MANIFEST, Bundle, Graph, Manifest, Narrow, Variant, file_hash
from unison_engine.errors import BadArguments
from unison_engine.machine import physical_cores
from unison_engine.runtime.backends import OnnxRuntime, OpenVino
from unison_export.graphs import decoder_reach, finished_files
from unison_export.int8 import TOLERANCE, Inputs, Quantized, quantize, relative_error
from unison_export.precision import narrow
from unison_export.samples import STEPS, Samples, record_inputs
from unison_export.weights import read_checkpoint
from unison_train.checkpoint import Checkpoint

WORTHWHILE = ("step", "vae_decoder", "vae_encoder")
"""Graphs that take a noticeable part of the time of a sound, gain, and change a sound less than the sampler does.

The text encoder gains most, but the same error of its output moves a spoken line four times as far as that of the step.
"""


def add_int8(
    bundle: Bundle,
    out: Path,
    graphs: Sequence[str] = WORTHWHILE,
    tolerance: float = TOLERANCE,
    told: Callable[[str, Quantized], None] = lambda graph, found: None,
) -> Manifest:
    """Write a bundle with graphs in 8 bits beside the ones it has, which stay as they are.

    Args:
        bundle: the bundle; its weights must be trained ones.
        out: folder of the new bundle, or that of the bundle itself.
        graphs: which.
        tolerance: see `quantize`.
        told: hears what became of each graph.

    Raises:
        BadArguments: the bundle has no such graph, or there is another bundle in `out`.
        BackendFailed: sums of 8 bits overflow on this processor, so that no error could be measured.
    """
    OnnxRuntime("onnxruntime-int8", "int8").describe()
    _begin(bundle, out, graphs)
    samples = record_inputs(bundle)
    described, files = dict(bundle.manifest.graphs), dict(bundle.manifest.files)
    with finished_files(out) as folder:
        for name in graphs:
            file = f"{name}.int8.onnx"
            found = quantize(bundle.graph(name), folder / file, samples[name], tolerance, bundle.external_data(name))
            told(name, found)
            if not found.layers:
                continue
            variant = Variant(
                file=file,
                weights=_weights(name, bundle, found),
                error=found.error,
                typical=found.typical,
                samples=len(samples[name]),
            )
            described[name] = _with(described[name], "int8", variant)
        files |= {file.name: file_hash(file) for file in folder.iterdir()}
        if "autoencoder" in bundle.manifest.card:  # Which only bundles of our own checkpoints tell.
            described = _measured(bundle, described, samples)
        return _finish(bundle, folder, described, files)


def add_bf16(
    bundle: Bundle,
    out: Path,
    graphs: Sequence[str] = (),
    tolerance: float = TOLERANCE,
    told: Callable[[str, Sequence[float]], None] = lambda graph, errors: None,
) -> Manifest:
    """Write a bundle that allows graphs to be computed in bf16, so that the backend which does may be chosen by itself.

    There is no new file: OpenVINO rounds the products of the graph that is there. What is added is the measured error.

    Args:
        bundle: the bundle; its weights must be trained ones.
        out: folder of the new bundle, or that of the bundle itself.
        graphs: which; none means all.
        tolerance: largest relative error of a graph's output; a graph beyond it is not allowed.
        told: hears of each graph the errors of its output, one for each input that was tried, see `_felt`.

    Raises:
        BadArguments: the bundle has no such graph, or there is another bundle in `out`.
        BackendFailed: OpenVINO is not installed, or the processor has no instructions for bf16.
    """
    exact, rounded = OnnxRuntime(), OpenVino("openvino-bf16", "bf16")
    rounded.describe()
    _begin(bundle, out, graphs)
    samples = record_inputs(bundle)
    described = dict(bundle.manifest.graphs)
    for name in graphs or described:
        runs = [backend.load(bundle, name, physical_cores()) for backend in (rounded, exact)]
        errors = [relative_error(*(run(**inputs) for run in runs)) for inputs in _felt(name, samples)]
        told(name, errors)
        described[name] = _without(described[name], "bf16")  # What an earlier run allowed.
        if max(errors) <= tolerance:
            variant = Variant(
                file=described[name].file,
                weights=f"{described[name].weights}; products in bf16 by the backend",
                error=max(errors),
                typical=float(np.median(errors)),
                samples=len(errors),
            )
            described[name] = _with(described[name], "bf16", variant)
    return _finish(bundle, out, described, bundle.manifest.files)


def _felt(graph: str, samples: Samples) -> list[dict[str, NDArray[Any]]]:
    """Inputs of a graph, of the step without those of the last time.

    That is 0.001, and the step from there a thousandth wide: the velocity has little to say, and is least exact.
    """
    found = samples[graph]
    return [inputs for number, inputs in enumerate(found, start=1) if graph != "step" or number % STEPS]


def _begin(bundle: Bundle, out: Path, graphs: Sequence[str]) -> None:
    """Look whether there are such graphs and room for them, and copy the bundle to where the new one is to lie."""
    if unknown := sorted(set(graphs) - bundle.manifest.graphs.keys()):
        raise BadArguments(f"there is no graph {unknown[0]!r}; choose from {', '.join(bundle.manifest.graphs)}.")
    if out.resolve() != bundle.folder.resolve():
        if (out / MANIFEST).is_file() and file_hash(out / MANIFEST) != bundle.hash:
            raise BadArguments(
                f"{out} holds another bundle; give another folder, or that of {bundle.folder} itself to change it."
            )
        shutil.copytree(bundle.folder, out, dirs_exist_ok=True)


def _with(graph: Graph, precision: Narrow, variant: Variant) -> Graph:
    return graph.model_copy(update={"variants": graph.variants | {precision: variant}})


def _without(graph: Graph, precision: Narrow) -> Graph:
    kept = {name: variant for name, variant in graph.variants.items() if name != precision}
    return graph.model_copy(update={"variants": kept})


def _finish(bundle: Bundle, out: Path, graphs: dict[str, Graph], files: dict[str, str]) -> Manifest:
    manifest = bundle.manifest.model_copy(update={"format": FORMAT_VERSION, "graphs": graphs, "files": files})
    manifest.write(out)
    return manifest


def _weights(graph: str, bundle: Bundle, found: Quantized) -> str:
    kind = bundle.manifest.graphs[graph].weights if graph == "text_encoder" else "int8 per channel"
    return f"{kind}; activations 8 bit; {len(found.kept)} of {len(found.layers)} products float32"


def _measured(bundle: Bundle, graphs: dict[str, Graph], samples: Samples) -> dict[str, Graph]:
    """Descriptions with the errors of the float32 graphs and, which bundles of format 2 lacked, the decoder's reach."""
    checkpoint, found = read_checkpoint(bundle), dict(graphs)
    for name, network in networks(checkpoint).items():
        run = OnnxRuntime().load(bundle, name, physical_cores())
        error = max(relative_error(run(**inputs), compute(network, inputs)) for inputs in samples[name])
        found[name] = found[name].model_copy(update={"error": error})
    reach = decoder_reach(checkpoint.autoencoder, bundle.layout)
    return found | {"vae_decoder": found["vae_decoder"].model_copy(update={"reach": reach})}


def networks(checkpoint: Checkpoint, dtype: torch.dtype | None = None) -> dict[str, Callable[..., torch.Tensor]]:
    """The parts of a checkpoint that graphs were exported from; with `dtype` as TensorRT is to compute them."""
    dit, fusion, autoencoder = checkpoint.dit, checkpoint.fusion, checkpoint.autoencoder
    if dtype is not None:
        dit, fusion, autoencoder = narrow(dit, dtype), narrow(fusion, dtype), narrow(autoencoder, dtype)
    return {
        "fusion": fusion,
        "modulation": dit.modulation,
        "step": dit.evaluate,
        "vae_encoder": autoencoder.encode,
        "vae_decoder": autoencoder.decode,
    }


@torch.no_grad()
def compute(network: Callable[..., torch.Tensor], inputs: Inputs) -> NDArray[Any]:
    """What a part of a checkpoint makes of the inputs of a graph."""
    found = network(**{name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in inputs.items()})
    return np.asarray(found.numpy())

"""Bundles that hold graphs in a second precision, each with its measured error."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from unison_engine.bundle import FORMAT_VERSION, MANIFEST, Bundle, Graph, Manifest, Variant, file_hash
from unison_engine.errors import BadArguments
from unison_export.graphs import decoder_reach
from unison_export.int8 import TOLERANCE, Quantized, quantize
from unison_export.samples import record_inputs
from unison_export.weights import read_checkpoint

WORTHWHILE = ("step", "vae_decoder", "vae_encoder", "text_encoder")
"""Graphs that take a noticeable part of the time of a sound, and gain."""


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
        BadArguments: the bundle has no such graph.
    """
    if unknown := sorted(set(graphs) - bundle.manifest.graphs.keys()):
        raise BadArguments(f"there is no graph {unknown[0]!r}; choose from {', '.join(bundle.manifest.graphs)}.")
    if out.resolve() != bundle.folder.resolve():
        shutil.copytree(bundle.folder, out, dirs_exist_ok=True)
    samples = record_inputs(bundle)
    described, files = dict(bundle.manifest.graphs), dict(bundle.manifest.files)
    for name in graphs:
        file = f"{name}.int8.onnx"
        found = quantize(bundle.graph(name), out / file, samples[name], tolerance, bundle.external_data(name))
        told(name, found)
        variant = Variant(
            file=file,
            weights=_weights(name, bundle, found),
            error=found.error,
            typical=found.typical,
            samples=len(samples[name]),
        )
        described[name] = described[name].model_copy(update={"variants": {"int8": variant}})
        files[file] = file_hash(out / file)
    described["vae_decoder"] = _with_reach(bundle, described["vae_decoder"])
    manifest = bundle.manifest.model_copy(update={"format": FORMAT_VERSION, "graphs": described, "files": files})
    (out / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n")
    return manifest


def _weights(graph: str, bundle: Bundle, found: Quantized) -> str:
    kind = bundle.manifest.graphs[graph].weights if graph == "text_encoder" else "int8 per channel"
    return f"{kind}; activations 8 bit; {len(found.kept)} of {len(found.layers)} products float32"


def _with_reach(bundle: Bundle, decoder: Graph) -> Graph:
    """Bundles of format 2 did not tell the reach."""
    if decoder.reach is not None or "autoencoder" not in bundle.manifest.card:
        return decoder
    reach = decoder_reach(read_checkpoint(bundle).autoencoder, bundle.layout)
    return decoder.model_copy(update={"reach": reach})

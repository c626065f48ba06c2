"""The engines of a whole bundle."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx
import torch

from unison_engine.bundle import Bundle, Graph, file_hash
from unison_engine.errors import BadArguments
from unison_engine.runtime.engines import (
    NOT_COMPILED,
    RECORD_FORMAT,
    EngineRecord,
    Precision,
    Target,
    Weights,
    engine_folder,
    load_engine,
)
from unison_engine.runtime.tensorrt_library import load_library
from unison_export.graphs import export_narrow_graphs
from unison_export.tensorrt.builder import build_engine, check_capabilities
from unison_export.tensorrt.profiles import shape_profiles
from unison_export.weights import read_checkpoint


def build_engines(
    bundle: Bundle,
    target: Target,
    precision: Precision,
    buckets: Sequence[float],
    weights: Weights = "baked",
    capabilities: Sequence[str] = (),
    folder: Path | None = None,
) -> Iterator[EngineRecord]:
    """Build an engine of every graph but the text encoder's; yields the record of each when it is on disk.

    In float32 the bundle's own graphs are compiled. In 16 bits the bundle's checkpoint is exported anew, since TensorRT
    takes precision from the graph. Where weights are to be exchanged the compiled graph is kept beside the engine.

    Args:
        bundle: the bundle.
        target: the library.
        precision: of the large matrix products, see `unison_export.precision`.
        buckets: see `shape_profiles`.
        weights, capabilities: see `build_engine`.
        folder: where the engines go, `engine_folder` by default.

    Raises:
        ModelMissing: the library is not installed, or the bundle lacks its checkpoint.
        BadArguments: the buckets or the capabilities cannot be, or the precision of a published model.
        EngineFailed: TensorRT cannot build one of the engines.
    """
    if precision != "float32" and "audio" in bundle.manifest.card:
        raise BadArguments(
            f"{bundle.folder} is of a published model and holds no checkpoint to export in {precision}; "
            "take --precision float32."
        )
    library = load_library(target)
    check_capabilities(library, capabilities)
    out = folder or engine_folder(bundle, target)
    wanted = {name: graph for name, graph in bundle.manifest.graphs.items() if name not in NOT_COMPILED}
    profiles = {name: shape_profiles(bundle, graph, buckets) for name, graph in wanted.items()}
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        files = _graph_files(bundle, wanted, precision, Path(scratch))
        for name, graph in wanted.items():
            built = build_engine(library, files[name], profiles[name], weights, capabilities)
            model = onnx.load(files[name], load_external_data=False)
            record = EngineRecord(
                format=RECORD_FORMAT,
                graph=name,
                target=target,
                version=library.version,
                capabilities=tuple(capabilities),
                graph_sha256=bundle.graph_hash(name),
                onnx_sha256=file_hash(files[name]),
                opset=next(entry.version for entry in model.opset_import if entry.domain == ""),
                precision=precision,
                weights=weights,
                inputs=graph.inputs,
                outputs=graph.outputs,
                profiles=tuple(profiles[name]),
                layers=built.layers,
                size=len(built.data),
                sha256=hashlib.sha256(built.data).hexdigest(),
            )
            (out / f"{name}.engine").write_bytes(built.data)
            (out / f"{name}.layers.txt").write_text(built.listing)
            if weights != "baked":
                shutil.copyfile(files[name], out / f"{name}.onnx")
                if (data := files[name].with_suffix(".data")).is_file():
                    shutil.copyfile(data, out / data.name)
            (out / f"{name}.json").write_text(record.model_dump_json(indent=1) + "\n")
            load_engine(bundle, name, target, library.version, folder=out)
            yield record


def _graph_files(bundle: Bundle, graphs: dict[str, Graph], precision: Precision, scratch: Path) -> dict[str, Path]:
    """What is compiled, by graph."""
    if precision == "float32":
        return {name: bundle.graph(name) for name in graphs}
    dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}[precision]
    exported = export_narrow_graphs(read_checkpoint(bundle), scratch, dtype)
    return {name: scratch / exported[name].file for name in graphs}

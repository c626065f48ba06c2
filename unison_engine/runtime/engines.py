"""Compiled TensorRT engines of a bundle: what each one says of itself, and whether it may be loaded.

An engine fits one library version, one set of graphics processors and one graph. Beside every engine lies a record of
them, so that an engine that does not fit is refused with the reason before the library sees a byte of it.
"""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from unison_engine.bundle import Bundle, TensorSpec
from unison_engine.errors import ModelMissing

RECORD_FORMAT = 1
NOT_COMPILED = ("text_encoder",)
"""Graphs that no engine is built of: the language model runs once per prompt, from weights of four bits that TensorRT
has no operator for."""
Target = Literal["rtx", "enterprise"]
"""TensorRT for RTX, for the graphics cards of workstations, or TensorRT, for those of data centres."""
Precision = Literal["bfloat16", "float16", "float32"]
Weights = Literal["baked", "refittable", "stripped"]
"""Whether weights of another checkpoint can be put into the engine; a stripped one has none until they are."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ShapeRange(_Strict):
    """Smallest and largest shape of an input, and the one that kernels are chosen for."""

    smallest: tuple[int, ...]
    best: tuple[int, ...]
    largest: tuple[int, ...]


class EngineRecord(_Strict):
    """`<graph>.json` beside `<graph>.engine`.

    Attributes:
        format: of this record.
        graph: name of the graph in the bundle.
        target, version: the library that built the engine; no other version loads it.
        capabilities: what it was built for, such as "SM89"; none means every one that the library takes by default.
        graph_sha256: of the bundle's graph with its weights, see `Bundle.graph_hash`.
        onnx_sha256, opset, precision: of the graph that was compiled; matrix products are computed in `precision`,
            what is sensitive in float32.
        weights: see `Weights`.
        inputs, outputs: as in the bundle's manifest, sizes that are free by their names.
        profiles: ranges of the inputs' shapes, by profile and input.
        layers: how many layers of each kind the graph was read as.
        size, sha256: of the engine.
    """

    format: int
    graph: str
    target: Target
    version: str
    capabilities: tuple[str, ...]
    graph_sha256: str
    onnx_sha256: str
    opset: int
    precision: Precision
    weights: Weights
    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]
    profiles: tuple[dict[str, ShapeRange], ...]
    layers: dict[str, int]
    size: int
    sha256: str


def engine_folder(bundle: Bundle, target: Target) -> Path:
    """Where the engines of a bundle lie."""
    return bundle.folder / "engines" / target


def load_engine(
    bundle: Bundle, graph: str, target: Target, version: str, capability: str | None = None, folder: Path | None = None
) -> tuple[EngineRecord, bytes]:
    """The serialized engine of a graph, once all that its record says holds.

    Args:
        bundle: the bundle whose graph is to be run.
        graph: name of the graph.
        target: the library that is to run it.
        version: of that library.
        capability: of the graphics processor, such as "SM89"; None leaves it unchecked.
        folder: where the engine lies, `engine_folder` by default.

    Raises:
        ModelMissing: there is no engine; its record cannot be read; it is damaged; or it was built by another version,
            for other graphics processors or from another graph.
    """
    where = folder or engine_folder(bundle, target)
    path = where / f"{graph}.engine"
    record = _read_record(where / f"{graph}.json")
    build = f"build it again with `unison-export tensorrt {shlex.quote(str(bundle.folder))} --target {target}`."
    for what, found, wanted in (
        ("graph", record.graph, graph),
        ("target", record.target, target),
        (f"version of the {target} library", record.version, version),
        ("SHA-256 of the graph", record.graph_sha256, bundle.graph_hash(graph)),
    ):
        if found != wanted:
            raise ModelMissing(f"{path} was built for another {what}: {found}, not {wanted}; {build}")
    if capability and record.capabilities and capability not in record.capabilities:
        raise ModelMissing(f"{path} was built for {', '.join(record.capabilities)}, this is {capability}; {build}")
    try:
        engine = path.read_bytes()
    except OSError as error:
        raise ModelMissing(f"{path} cannot be read ({error.strerror}); {build}") from None
    if len(engine) != record.size or hashlib.sha256(engine).hexdigest() != record.sha256:
        raise ModelMissing(f"{path} is damaged: it is not the file that its record describes; {build}")
    return record, engine


def _read_record(path: Path) -> EngineRecord:
    try:
        record = EngineRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelMissing(
            f"{path} cannot be read ({error.strerror}); build engines with `unison-export tensorrt`."
        ) from None
    except ValidationError as error:
        raise ModelMissing(f"{path} is not the record of an engine: {error}") from None
    if record.format != RECORD_FORMAT:
        raise ModelMissing(f"{path} has format {record.format}, this engine knows {RECORD_FORMAT}; build it again.")
    return record

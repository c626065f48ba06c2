"""How near every backend and precision of this machine comes to the network in torch: writes docs/parity.md.

The inputs are those that graphs meet when the bundle makes and edits a sound, at several lengths, one sound at a time
and two; the weights are the bundle's trained ones. An error is the root mean square of the difference over that of the
output of torch in float32, the largest of all inputs.

python -m benchmarks.bench_parity [--bundle nano] [--out docs/parity.md]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unison_engine import conditioning
from unison_engine.bundle import Bundle
from unison_engine.errors import BackendFailed
from unison_engine.machine import physical_cores, processor, vector_sets
from unison_engine.registry import load_registry
from unison_engine.runtime.backend import Backend
from unison_engine.runtime.sampler import Sampling
from unison_engine.runtime.synthesis import Synthesizer
from unison_export.int8 import relative_error
from unison_export.samples import Recorder
from unison_export.variants import compute, networks
from unison_export.weights import read_checkpoint

LENGTHS = (0.5, 1.0, 2.0, 5.0, 10.0)
Inputs = dict[str, NDArray[Any]]
Row = dict[str, float]
"""Errors by the name of what computed."""


def main() -> None:
    """Measure and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bundle", default="nano")
    options.add_argument("--out", type=Path, default=Path("docs/parity.md"))
    chosen = options.parse_args()
    bundle = Bundle.open(chosen.bundle)
    backends = working()
    rows: dict[tuple[str, int], dict[float, Row]] = {}
    for seconds in LENGTHS:
        for graph, batch, row in errors(bundle, seconds, backends, physical_cores()):
            rows.setdefault((graph, batch), {})[seconds] = row
            print(f"{seconds:g} s, {graph}, batch {batch}: {row}", flush=True)
    chosen.out.write_text(page(bundle, backends, rows, sounds(bundle, backends)))


def working() -> dict[str, Backend]:
    """Backends that this machine has."""
    found = {}
    for name, backend in load_registry().backends.items():
        try:
            backend.describe()
            found[name] = backend
        except BackendFailed as error:
            print(error)
    return found


def errors(
    bundle: Bundle, seconds: float, backends: Mapping[str, Backend], threads: int
) -> Iterator[tuple[str, int, Row]]:
    """Graph, batch and errors of every graph but the text encoder's, for sounds of a length."""
    checkpoint = read_checkpoint(bundle)
    exact = networks(checkpoint)
    rounded = {
        str(dtype).removeprefix("torch."): networks(checkpoint, dtype) for dtype in (torch.bfloat16, torch.float16)
    }
    for graph, inputs in met(bundle, seconds).items():
        variants = bundle.manifest.graphs[graph].variants
        runs = {
            name: backend.load(bundle, graph, threads)
            for name, backend in backends.items()
            if backend.precision is None or backend.precision in variants
        }
        for batch in (1, 2):
            if not (given := batches(bundle, graph, inputs, batch)):
                continue
            row = dict.fromkeys([*runs, *(f"torch {name}" for name in rounded)], 0.0)
            for one in given:
                expected = compute(exact[graph], one)
                for name, run in runs.items():
                    row[name] = max(row[name], relative_error(run(**one), expected))
                for name, found in rounded.items():
                    row[f"torch {name}"] = max(
                        row[f"torch {name}"], relative_error(compute(found[graph], one), expected)
                    )
            yield graph, batch, row


def met(bundle: Bundle, seconds: float) -> dict[str, list[Inputs]]:
    """What the graphs are given while a sound of this length is made, and edited; the step at five times each."""
    recorder = Recorder()
    synthesizer = Synthesizer(bundle, backends={recorder.name: recorder})
    sampling = Sampling(steps=5, guidance=bundle.manifest.sampling.guidance)
    sound = synthesizer.run(conditioning.text_to_audio("heavy rain", seconds), seed=1, sampling=sampling)
    edit = conditioning.scene_edit(sound, "Add a church bell.", synthesizer.layout)
    synthesizer.run(edit, seed=2, sampling=sampling)
    return {name: inputs for name, inputs in recorder.seen.items() if name != "text_encoder"}


def batches(bundle: Bundle, graph: str, inputs: Sequence[Inputs], batch: int) -> list[Inputs]:
    """Inputs one at a time, or neighbours of equal shapes joined; none where a graph takes one sound alone."""
    if batch == 1:
        return list(inputs)
    specs = bundle.manifest.graphs[graph].inputs
    if not all("b" in spec.shape for spec in specs.values()):
        return []
    joined = []
    for one, other in zip(inputs[::2], inputs[1::2], strict=False):
        if all(one[name].shape == other[name].shape for name in specs):
            axes = {name: spec.shape.index("b") for name, spec in specs.items()}
            joined.append({name: np.concatenate([one[name], other[name]], axis) for name, axis in axes.items()})
    # A single input, beside itself.
    return joined or [{name: np.repeat(value, 2, specs[name].shape.index("b")) for name, value in inputs[0].items()}]


def sounds(bundle: Bundle, backends: Mapping[str, Backend], seconds: float = 2.0) -> dict[str, Row]:
    """Relative distance of whole latents from those of onnxruntime after 24 steps, by request and backend."""
    requests = {
        "heavy rain": conditioning.text_to_audio("heavy rain", seconds),
        "a dog barks": conditioning.text_to_audio("a dog barks", seconds),
        "a spoken line": conditioning.text_to_speech("the train leaves now.", "female", seconds),
    }
    rows: dict[str, Row] = {title: {} for title in requests}
    expected: dict[str, NDArray[np.float32]] = {}
    for name in backends:
        synthesizer = Synthesizer.open(bundle.folder, backend=name)
        usual = Sampling(steps=24, guidance=bundle.manifest.sampling.guidance)
        for title, request in requests.items():
            latent = synthesizer.sample(request, seed=1, sampling=usual)
            rows[title][name] = relative_error(latent, expected.setdefault(title, latent))
            if name == "onnxruntime":
                reference = synthesizer.sample(request, seed=1, sampling=usual.reference())
                rows[title]["24 steps against 100"] = relative_error(latent, reference)
    return rows


def page(
    bundle: Bundle,
    backends: Mapping[str, Backend],
    rows: Mapping[tuple[str, int], Mapping[float, Row]],
    whole: Mapping[str, Row],
) -> str:
    """docs/parity.md."""
    lines = [
        "# Parity",
        "",
        "What the graphs of a bundle compute, against the network in torch in float32: the root mean square of the",
        "difference over that of the output, the largest over all inputs. The inputs are those that the graphs met",
        "while the bundle made a sound and edited it; the weights are its trained ones. `python -m",
        "benchmarks.bench_parity` wrote this page; `tests/test_parity_table.py` holds a part of it.",
        "",
        f"{datetime.now(UTC):%d %B %Y}, {processor()} ({' '.join(vector_sets())}), bundle {bundle.manifest.name} "
        f"{bundle.hash[:12]}.",
        "",
        *(f"- `{name}`: {backend.describe()}" for name, backend in backends.items()),
        "- `torch bfloat16`, `torch float16`: the network that TensorRT engines are built of, in torch",
        "",
    ]
    for (graph, batch), found in rows.items():
        lines += [f"## `{graph}`, {'one sound' if batch == 1 else 'two sounds'}", ""]
        lines += _table("seconds", {f"{seconds:g}": row for seconds, row in found.items()})
    lines += [
        "## Whole latents",
        "",
        "24 steps of Euler from the same noise, 2 s of sound, against `onnxruntime`; the last column is what the",
        "sampler itself does wrong: 24 steps against 100, both on `onnxruntime`.",
        "",
        *_table("sound", whole),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _table(title: str, rows: Mapping[str, Row]) -> list[str]:
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    names.sort(key=lambda name: name.startswith("24 steps"))
    told = [[name, *(f"{row.get(key, math.nan):.1e}" for key in names)] for name, row in rows.items()]
    return [f"| {' | '.join(row)} |" for row in ([title, *names], ["---"] * (len(names) + 1), *told)] + [""]


if __name__ == "__main__":
    main()

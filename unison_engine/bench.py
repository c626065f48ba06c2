"""Time and memory of every part of a bundle on every backend of this machine, side by side in one run."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from unison_engine import conditioning
from unison_engine.bundle import Bundle
from unison_engine.errors import BackendFailed
from unison_engine.machine import physical_cores, processor, resident_memory, vector_sets
from unison_engine.registry import PluginSource, avoid
from unison_engine.runtime.backend import Backend
from unison_engine.runtime.choice import example_inputs
from unison_engine.runtime.sampler import Sampling
from unison_engine.runtime.synthesis import Synthesizer
from unison_engine.trial import tried

PROMPT = "heavy rain"

log = logging.getLogger(__name__)


class Part(BaseModel):
    """Median milliseconds of a run, and what the process grew by when the part was loaded and run, in MB."""

    milliseconds: float
    megabytes: float | None


class Whole(BaseModel):
    """Seconds taken.

    Attributes:
        opened: by opening the bundle.
        first: by the first sound, from prompt to samples.
        again: by one of known words.
        sample: by the first sample of one of known words, that is by all but the decoding of later pieces.
    """

    opened: float
    first: float
    again: float
    sample: float


class Report(BaseModel):
    """What was measured, where and when; `parts` and `whole` by backend; one that does not run a part has no sound."""

    date: str
    processor: str
    vector_sets: list[str]
    threads: int
    bundle: str
    bundle_hash: str
    seconds: float
    steps: int
    guidance: float
    backends: dict[str, str]
    parts: dict[str, dict[str, Part]]
    whole: dict[str, Whole]

    def markdown(self) -> str:
        """Two tables and the lines that say what they are of."""
        names = list(dict.fromkeys(name for found in self.parts.values() for name in found))
        sets = " ".join(self.vector_sets) or "not told"
        titles = {
            "opened": "bundle opened",
            "first": "first sound, new words",
            "again": "a sound, words known",
            "sample": "time to the first sample, words known",
        }
        parts = [[title, *(_cell(found.get(name)) for name in names)] for title, found in self.parts.items()]
        whole = [
            [title, *(f"{getattr(took, key):.2f}" for took in self.whole.values())] for key, title in titles.items()
        ]
        lines = [
            f"{self.date}, {self.processor} (vector instructions: {sets}), {self.threads} threads; "
            f"{self.bundle} {self.bundle_hash[:12]}, {self.seconds:g} s of sound, {self.steps} steps, "
            f"guidance {self.guidance:g}.",
            "",
            *(f"- {name}: {label}" for name, label in self.backends.items()),
            "",
            *_table(["milliseconds (MB)", *names], parts),
            "",
            *_table(["seconds", *self.whole], whole),
        ]
        return "\n".join(lines)


def bench(
    bundle: str | Path, seconds: float = 5.0, backend: str | None = None, threads: int | None = None, runs: int = 7
) -> Report:
    """Measure a bundle on all backends that work here, or on one.

    Args:
        bundle: name or folder.
        seconds: length of the sound.
        backend: the one to measure.
        threads: of the matrix products; all cores by default.
        runs: of each part; the backends take turns, so that what else the machine does meets them alike.

    Raises:
        ModelMissing: the bundle is not there, or not whole.
        BackendFailed: no backend works.
        TooLarge: the sound is longer than the model makes.
    """
    opened = Bundle.open(bundle)
    count = threads or physical_cores()
    labels, working = {}, {}
    plugins = tried(PluginSource())
    avoid(plugins.broken)  # A synthesizer loads the backends of plugins itself.
    for name, candidate in plugins.load().backends.items():
        if backend in (None, name):
            try:
                labels[name] = candidate.describe()
                working[name] = candidate
            except BackendFailed as error:
                labels[name] = str(error)
    if not working:
        raise BackendFailed(" ".join(labels.values()) or f"there is no backend {backend!r}; see `unison doctor`.")
    sampling = opened.manifest.sampling.of("text_to_audio")
    parts = {
        title: _part(opened, working, graph, inputs, count, runs)
        for title, graph, inputs in part_inputs(opened, seconds, sampling.steps)
    }
    complete = [name for name in working if all(name in found for found in parts.values())]
    return Report(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        processor=processor(),
        vector_sets=vector_sets(),
        threads=count,
        bundle=opened.manifest.name,
        bundle_hash=opened.hash,
        seconds=seconds,
        steps=sampling.steps,
        guidance=sampling.guidance,
        backends=labels,
        parts=parts,
        whole={name: _whole(opened, name, count, seconds, sampling) for name in complete},
    )


def part_inputs(bundle: Bundle, seconds: float, steps: int) -> Iterator[tuple[str, str, dict[str, NDArray[Any]]]]:
    """Title, graph and inputs of every part, as one sound of so many steps runs them."""
    yield "text encoder, 64 tokens", "text_encoder", example_inputs(bundle, "text_encoder", seconds, n=64)
    yield "fusion", "fusion", example_inputs(bundle, "fusion", seconds)
    yield f"modulation, {steps} times", "modulation", example_inputs(bundle, "modulation", seconds, n=steps)
    yield "step, guided", "step", example_inputs(bundle, "step", seconds, g=2)
    yield "step, not guided", "step", example_inputs(bundle, "step", seconds, g=1)
    yield "decoder", "vae_decoder", example_inputs(bundle, "vae_decoder", seconds)
    yield "encoder", "vae_encoder", example_inputs(bundle, "vae_encoder", seconds)


def _part(
    bundle: Bundle,
    backends: Mapping[str, Backend],
    graph: str,
    inputs: Mapping[str, NDArray[Any]],
    threads: int,
    runs: int,
) -> dict[str, Part]:
    runners, grown = {}, {}
    for name, backend in backends.items():
        before = resident_memory()
        try:
            run = backend.load(bundle, graph, threads)
            run(**inputs)
        except BackendFailed as error:
            log.warning("%s", error)
            continue
        runners[name] = run
        after = resident_memory()
        grown[name] = None if before is None or after is None else (after - before) / 1e6
    taken: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(runs):
        for name, run in runners.items():
            started = time.perf_counter()
            run(**inputs)
            taken[name].append(time.perf_counter() - started)
    return {name: Part(milliseconds=1000 * statistics.median(taken[name]), megabytes=grown[name]) for name in runners}


def _whole(bundle: Bundle, backend: str, threads: int, seconds: float, sampling: Sampling) -> Whole:
    wanted = conditioning.text_to_audio(PROMPT, seconds)
    marks = [time.perf_counter()]
    synthesizer = Synthesizer.open(bundle.folder, threads, backend)
    for seed in range(2):
        marks.append(time.perf_counter())
        synthesizer.run(wanted, seed=seed, sampling=sampling)
    marks.append(time.perf_counter())
    next(synthesizer.stream(wanted, seed=2, sampling=sampling))
    marks.append(time.perf_counter())
    opened, first, again, sample = np.diff(marks)
    return Whole(opened=opened, first=first, again=again, sample=sample)


def _cell(part: Part | None) -> str:
    if part is None:
        return "does not run"
    return f"{part.milliseconds:.1f}" + ("" if part.megabytes is None else f" ({part.megabytes:.0f})")


def _table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"

"""Which backend runs which graph: the one that was named, or the fastest by a measurement made once per machine."""

from __future__ import annotations

import json
import logging
import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from unison_engine.bundle import Bundle
from unison_engine.errors import BackendFailed, BadArguments, ModelMissing
from unison_engine.machine import processor
from unison_engine.runtime.backend import Backend, Runner

PROBE_SECONDS = 5.0
PROBE_RUNS = 3
LONG_SECONDS = 2.0
"""A graph that takes longer at first is not run again, as measuring would take minutes."""
# Free sizes by their names in the manifest: sounds, branches of guidance, text tokens. Others, such as phones, have
# the second kind.
_SIZES = {"b": 1, "g": 2, "s": 64}
_OTHER_SIZE = 32

log = logging.getLogger(__name__)


class GraphLoader:
    """Loads the graphs of a bundle, each on the backend that runs it fastest here.

    Where several backends work they are timed on a graph when it is first loaded, and the times kept in
    `backends.json` of the user's cache folder until the bundle, the processor, the threads or a library changes.
    """

    def __init__(
        self, bundle: Bundle, backends: Mapping[str, Backend], threads: int, wanted: str | None = None
    ) -> None:
        """`wanted` names the one backend to use; None leaves the choice to the measurement.

        Raises:
            BadArguments: there is no backend of that name.
            BackendFailed: it does not work here; or, where none is named, none does.
        """
        if wanted is not None and wanted not in backends:
            raise BadArguments(f"there is no backend {wanted!r}; the backends are {', '.join(backends)}.")
        self._bundle = bundle
        self._threads = threads
        self._working: dict[str, Backend] = {}
        self._labels: dict[str, str] = {}
        reasons = []
        for name, backend in backends.items():
            if name == wanted or (wanted is None and backend.automatic):
                try:
                    self._labels[name] = backend.describe()
                    self._working[name] = backend
                except BackendFailed as error:
                    reasons.append(str(error))
        if not self._working:
            raise BackendFailed(" ".join(reasons))
        self._loaded: dict[str, AnyBackend] = {}

    @property
    def used(self) -> str:
        """What the graphs loaded so far run on: backends with their versions, and the number of threads."""
        labels = {self._labels[graph.backend] for graph in self._loaded.values()}
        return f"{', '.join(sorted(labels))}; threads {self._threads}"

    def load(self, graph: str) -> AnyBackend:
        """Load a graph.

        Raises:
            ModelMissing: a file of the graph is damaged; or see `Bundle.external_data`.
            BackendFailed: no backend that may be used loads it.
        """
        runner = AnyBackend(self._bundle, graph, self._ranked(graph), self._threads)
        self._loaded[graph] = runner
        return runner

    def _ranked(self, graph: str) -> dict[str, Backend]:
        variants = self._bundle.manifest.graphs[graph].variants
        working = {
            name: backend
            for name, backend in self._working.items()
            if len(self._working) == 1 or backend.precision is None or backend.precision in variants
        }
        if len(working) == 1:
            return working
        key = json.dumps([self._bundle.hash, processor(), self._threads, sorted(self._labels.values())])
        times = _remembered().get(key, {}).get(graph, {})
        if new := [name for name in working if not math.isfinite(times.get(name, math.inf))]:
            times |= {name: self._time(working[name], graph) for name in new}
            log.info("%s takes %s", graph, ", ".join(f"{took:.3f} s on {name}" for name, took in times.items()))
            # What failed now may work next time, when its file is whole or there is memory.
            _remember(key, graph, {name: took for name, took in times.items() if math.isfinite(took)})
        return {name: working[name] for name in sorted(times, key=lambda name: times[name])}

    def _time(self, backend: Backend, graph: str) -> float:
        """Seconds that the runs of a graph for one sound take, the first of them at sizes never met before."""
        runs = self._bundle.manifest.sampling.steps if graph == "step" else 1
        seconds = min(PROBE_SECONDS, self._bundle.layout.max_seconds)
        usual = example_inputs(self._bundle, graph, seconds)
        try:
            run = _load_whole(self._bundle, graph, backend, self._threads)
            # Memory is taken, kernels are chosen.
            first = _seconds(run, example_inputs(self._bundle, graph, 0.8 * seconds, s=48, n=24))
            if first > LONG_SECONDS:
                return first * runs
            # Some libraries compile for every size they meet, and most prompts have a length of their own.
            new = _seconds(run, usual)
            known = min(_seconds(run, usual) for _ in range(PROBE_RUNS))
        except (BackendFailed, ModelMissing) as error:
            log.warning("%s", error)
            return math.inf
        return new + (runs - 1) * known


class AnyBackend:
    """A graph on the first of its backends that works; the next takes over, with a warning, when one fails.

    Attributes:
        backend: name of the one that runs it.
    """

    def __init__(self, bundle: Bundle, graph: str, backends: Mapping[str, Backend], threads: int) -> None:
        """See `GraphLoader.load`; `backends` by name, best first."""
        self._bundle = bundle
        self._graph = graph
        self._runners = self._load(backends, threads)
        self.backend, self._run = next(self._runners)

    def __call__(self, **inputs: NDArray[Any]) -> NDArray[Any]:
        """Run the graph; returns its one output.

        Raises:
            BackendFailed: the last backend cannot run it.
        """
        try:
            return self._run(**inputs)
        except BackendFailed as error:
            following = next(self._runners, None)
            if following is None:
                raise
            log.warning("%s; %s takes over", error, following[0])
            self.backend, self._run = following
            return self(**inputs)

    def _load(self, backends: Mapping[str, Backend], threads: int) -> Iterator[tuple[str, Runner]]:
        for left, (name, backend) in zip(reversed(range(len(backends))), backends.items(), strict=True):
            try:
                yield name, _load_whole(self._bundle, self._graph, backend, threads)
            except (BackendFailed, ModelMissing) as error:
                if not left:
                    raise
                log.warning("%s; the next backend takes over", error)


def _load_whole(bundle: Bundle, graph: str, backend: Backend, threads: int) -> Runner:
    """Load a graph whose files are what the bundle says: a damaged weight would load, and sound wrong."""
    bundle.verify(*bundle.files(graph, backend.precision))
    return backend.load(bundle, graph, threads)


def example_inputs(bundle: Bundle, graph: str, seconds: float, **sizes: int) -> dict[str, NDArray[Any]]:
    """Inputs of a graph for one sound of this length: noise, and text of which every token counts.

    `sizes` sets free sizes by their names in the manifest; one sound, two branches and 64 text tokens by default.
    """
    layout = bundle.layout
    samples, frames = layout.grid(layout.samples(seconds))
    known = _SIZES | {"samples": samples, "t": frames} | sizes
    known[f"{layout.hop}*t"] = layout.hop * known["t"]
    random = np.random.default_rng(0)
    inputs: dict[str, NDArray[Any]] = {}
    for name, spec in bundle.manifest.graphs[graph].inputs.items():
        shape = [size if isinstance(size, int) else known.get(size, _OTHER_SIZE) for size in spec.shape]
        if spec.dtype == "int64":
            inputs[name] = np.ones(shape, np.int64)
        elif name.endswith("mask"):
            inputs[name] = np.ones(shape, np.float32)
        else:
            inputs[name] = random.standard_normal(shape, dtype=np.float32)
    return inputs


def _seconds(run: Runner, inputs: Mapping[str, NDArray[Any]]) -> float:
    started = time.perf_counter()
    run(**inputs)
    return time.perf_counter() - started


def _cache() -> Path:
    return platformdirs.user_cache_path("unison-engine") / "backends.json"


def _remembered() -> dict[str, dict[str, dict[str, float]]]:
    try:
        found = json.loads(_cache().read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(key: str, graph: str, times: dict[str, float]) -> None:
    known = _remembered()
    known.setdefault(key, {})[graph] = times
    try:
        _cache().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=_cache().parent, suffix=".partial", delete=False) as file:
            json.dump(known, file, indent=1)
        os.replace(file.name, _cache())
    except OSError as error:
        log.warning("the times of the backends cannot be kept (%s); they will be measured again", error)

"""Quality over evaluations of the network: which sampler a bundle may use by default, task by task.

Every sampler answers the same requests with the same noise, and the judges of `unison_train.evaluation` score the
answers. A sampler is acceptable if it loses nothing that shows: for no measure is the loss against 100 guided steps of
Euler, paired by request, over 0 with 95 % confidence, nor its mean over a twentieth of the way from floor to real;
SI-SDR has no vote. The default becomes the acceptable sampler with the fewest evaluations.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unison_engine.audio import Wave
from unison_engine.bundle import Bundle, Manifest
from unison_engine.conditioning import Conditioning
from unison_engine.engine import BundleIdentity
from unison_engine.errors import BadArguments
from unison_engine.layout import LatentLayout
from unison_engine.runtime.sampler import Sampling, Solver
from unison_engine.runtime.synthesis import Synthesizer
from unison_export.int8 import relative_error
from unison_export.time_grid import fitted_times
from unison_train.evaluation.items import TASKS, Task, served
from unison_train.evaluation.judges.panel import Panel
from unison_train.evaluation.measures import MEASURES, cluster
from unison_train.evaluation.metrics import by_cluster
from unison_train.evaluation.run import Section, evaluate
from unison_train.evaluation.scenes import Stage

SHARE = 0.05
"""Largest mean loss, as a share of the way from floor to real."""
ENOUGH = 20
"""Requests below which the intervals are too wide to choose by: every sampler would do."""
_RESAMPLES = 2000
# It follows the phase; where the autoencoder does not keep that, it says nothing about the network.
_VOTELESS = ("si_sdr",)


def ladder(usual: Sampling, fitted: tuple[float, ...]) -> dict[str, Sampling]:
    """Samplers to compare with the reference, by name; `fitted` is a curve of times, see `fitted_times`.

    "heun" is left out: its two evaluations a step buy less than two steps of the others (docs/speed.md).
    """
    found = {"euler 24": Sampling(steps=24, guidance=usual.guidance)}
    solvers: tuple[Solver, ...] = ("euler", "adams")
    for steps, solver in itertools.product((16, 12, 8), solvers):
        one = Sampling(steps=steps, guidance=usual.guidance, solver=solver, times=fitted)
        found[f"{solver} {steps}, fitted"] = one
        found[f"{solver} {steps}, fitted, guided over 0.3"] = one.model_copy(update={"guided": (0.3, 1.0)})
    return found


@dataclasses.dataclass(frozen=True)
class Point:
    """One sampler on one task.

    Attributes:
        name: of the sampler.
        sampling: the sampler.
        branches: see `Sampling.branches`.
        distance: median relative distance of its latents from those of the reference.
        measures: value of each measure over all requests.
        losses: by measure the mean loss against the reference, paired by request, with its 95 % interval.
        acceptable: see the module.
    """

    name: str
    sampling: Sampling
    branches: int
    distance: float
    measures: dict[str, float]
    losses: dict[str, tuple[float, float, float]]
    acceptable: bool


class Sampler:
    """A synthesizer with a sampler of its own; `evaluate` can be given it.

    Attributes:
        paths: states on the way from noise to latent, by seed; the last is the latent.
    """

    def __init__(self, synthesizer: Synthesizer, sampling: Sampling) -> None:
        self._synthesizer = synthesizer
        self.paths: dict[int, list[NDArray[np.float32]]] = {}
        self.bundle: BundleIdentity = dataclasses.replace(synthesizer.bundle, sampling=sampling)
        self.layout: LatentLayout = synthesizer.layout

    @property
    def backend(self) -> str:
        """See `Synthesizer.backend`."""
        return self._synthesizer.backend

    @property
    def vae_encoder(self) -> Callable[..., NDArray[Any]]:
        """See `Synthesizer.vae_encoder`."""
        return self._synthesizer.vae_encoder

    @property
    def vae_decoder(self) -> Callable[..., NDArray[Any]]:
        """See `Synthesizer.vae_decoder`."""
        return self._synthesizer.vae_decoder

    def run(self, conditioning: Conditioning, *, seed: int, sampling: Sampling, progress: Any) -> Wave:
        """See `Synthesizer.run`."""
        path = self.paths[seed] = []
        latent = self._synthesizer.sample(
            conditioning, seed=seed, sampling=sampling, progress=progress, visited=path.append
        )
        return self._synthesizer.decode(latent, self.layout.samples(conditioning.seconds))


def curve(
    synthesizer: Synthesizer, stage: Stage, panel: Panel, task: Task, items: int, usual: Sampling
) -> Iterator[Point]:
    """Points of one task, those of the `ladder` after the reference, along whose paths the grid is fitted.

    Raises:
        BadArguments, UnknownAsset: see `evaluate`.
    """

    def judged(sampling: Sampling, *, bounds: bool) -> tuple[Sampler, Section]:
        sampler = Sampler(synthesizer, sampling)
        return sampler, evaluate(sampler, stage, panel, task, items=items, bounds=bounds, requests="valid")

    reference, exact = judged(usual.reference(), bounds=True)
    yield _point("euler 100", usual.reference(), exact, exact, [0.0])
    fitted = fitted_times(list(reference.paths.values()), usual.reference().grid())
    for name, sampling in ladder(usual, fitted).items():
        sampler, section = judged(sampling, bounds=False)
        distances = [relative_error(path[-1], reference.paths[seed][-1]) for seed, path in sampler.paths.items()]
        yield _point(name, sampling, section, exact, distances)


def _point(name: str, sampling: Sampling, section: Section, reference: Section, distances: Sequence[float]) -> Point:
    losses = {measure: loss(reference, section, measure) for measure in section.table()}
    return Point(
        name,
        sampling,
        sampling.branches(),
        float(np.median(distances)),
        {measure: found["model"].value for measure, found in section.table().items()},
        losses,
        all(
            low <= 0 and mean <= SHARE * _way(reference, measure)
            for measure, (mean, low, _) in losses.items()
            if measure not in _VOTELESS
        ),
    )


def choose(points: Sequence[Point]) -> Point:
    """The acceptable point that costs least, by its distance where several do; the reference is always acceptable."""
    return min((point for point in points if point.acceptable), key=lambda point: (point.branches, point.distance))


def with_defaults(bundle: Bundle, curves: dict[Task, list[Point]], items: int) -> Manifest:
    """Give a bundle the chosen sampler of every task, and the curves that justify it, in its manifest."""
    tasks = dict(bundle.manifest.sampling.tasks)
    for name in {served(task) for task in curves}:
        # Several may be served by one task of the engine, which needs what is good enough for all of them.
        judged = [task for task in TASKS if served(task) == name]
        found = [choose(curves[task]).sampling for task in judged if task in curves]
        known = [tasks[name]] if name in tasks and len(found) < len(judged) else []
        tasks[name] = max([*found, *known], key=Sampling.branches)
    told = {
        task: [dataclasses.asdict(point) | {"sampling": point.sampling.model_dump(mode="json")} for point in points]
        for task, points in curves.items()
    }
    # Curves of tasks that were measured another time stay.
    measured = bundle.manifest.card.get("quality", {}) | {task: {"items": items, "curve": told[task]} for task in told}
    manifest = bundle.manifest.model_copy(
        update={
            "sampling": bundle.manifest.sampling.model_copy(update={"tasks": tasks}),
            "card": bundle.manifest.card | {"quality": measured},
        }
    )
    manifest.write(bundle.folder)
    return manifest


def table(task: str, points: Sequence[Point]) -> str:
    """A Markdown table of a curve; the chosen sampler in bold."""
    measures, chosen = list(points[0].measures), choose(points)
    head = ["sampler", "branches", "distance", *(MEASURES[measure].title for measure in measures), "acceptable"]
    rows = [head, ["---"] * len(head)]
    for point in points:
        values = [f"{point.measures[measure]:.3f}" for measure in measures]
        name = f"**{point.name}**" if point is chosen else point.name
        rows.append([name, str(point.branches), f"{point.distance:.3f}", *values, "yes" if point.acceptable else "no"])
    return "\n".join([f"### {task}", "", *(f"| {' | '.join(row)} |" for row in rows), ""])


def _way(section: Section, measure: str) -> float:
    found = section.table()[measure]
    return abs(found["reference"].value - found["floor"].value)


def loss(reference: Section, section: Section, measure: str) -> tuple[float, float, float]:
    """Mean and 95 % interval of what is lost in a measure, by a bootstrap over clusters that resamples pairs."""
    both = [pair for pair in zip(reference.judged, section.judged, strict=True) if measure in pair[0].scores["model"]]
    pairs = [[one.scores["model"][measure] for one in pair] for pair in both]
    clusters = [cluster(one.scene.item, measure) for one, _ in both]
    scores = by_cluster(np.array(pairs, dtype=np.float64), clusters)
    sign = 1.0 if MEASURES[measure].better == "higher" else -1.0

    def lost(sample: NDArray[np.float64]) -> NDArray[np.float64]:
        amounts, weights = sample.sum(axis=-3)[..., 0], sample.sum(axis=-3)[..., 1]
        values = amounts / np.maximum(weights, 1e-12)
        return np.asarray(sign * (values[..., 0] - values[..., 1]))

    drawn = np.random.default_rng(0).integers(len(scores), size=(_RESAMPLES, len(scores)))
    low, high = np.percentile(lost(scores[drawn]), (2.5, 97.5))
    return float(lost(scores)), float(low), float(high)


def run_quality(bundle: Bundle, corpus: Path, tasks: Sequence[Task], items: int, cache: Path | None) -> bool:
    """Measure all curves and print them; with enough requests, write defaults and curves into the bundle.

    Returns:
        Whether the bundle was changed.

    Raises:
        BadArguments: the bundle is to be changed and cannot be, which is told before hours of judging.
    """
    enough = not 0 < items < ENOUGH
    if enough and not os.access(bundle.folder, os.W_OK):
        raise BadArguments(
            f"{bundle.folder} cannot be written to; copy the bundle to a folder of your own and give that."
        )
    panel = Panel(corpus) if cache is None else Panel(corpus, cache)
    synthesizer = Synthesizer.open(bundle.folder)
    stage = Stage(corpus, synthesizer.layout)
    curves: dict[Task, list[Point]] = {}
    for task in tasks:
        usual = bundle.manifest.sampling.of(served(task))
        curves[task] = list(curve(synthesizer, stage, panel, task, items, usual))
        print(table(task, curves[task]), flush=True)
    if enough:
        with_defaults(bundle, curves, items)
    return enough

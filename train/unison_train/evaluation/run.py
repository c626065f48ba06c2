"""Giving a bundle its requests and its judges; what a command, a test or a curve of quality over steps calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from unison_engine.audio import TARGET_RMS, Wave, crop_reference, resample
from unison_engine.conditioning import Mask
from unison_engine.engine import Synthesizer
from unison_engine.runtime.sampler import Sampling
from unison_train.evaluation.items import Requests, Task, read_items, served
from unison_train.evaluation.judges.panel import RATE, Panel
from unison_train.evaluation.measures import MEASURES, Scores, cluster, judge
from unison_train.evaluation.metrics import Estimate, Score, distance, estimate
from unison_train.evaluation.scenes import Scene, Stage
from unison_train.evaluation.sets import FEWEST, compare

CONTENDERS = ("floor", "model", "autoencoder", "reference")
"""Who answers a request: see `FLOORS`; the model; the wanted sound through the model's autoencoder, and as it is."""


class Bundled(Synthesizer, Protocol):
    """A synthesizer whose autoencoder can be had by itself; `unison_engine.runtime.synthesis.Synthesizer` is one."""

    @property
    def vae_encoder(self) -> Callable[..., NDArray[Any]]:
        """From `wave` [1, N] to a latent [1, C, T]."""

    @property
    def vae_decoder(self) -> Callable[..., NDArray[Any]]:
        """From `latent` [1, C, T] to a wave [1, N]."""


@dataclass(frozen=True)
class Judged:
    """One request, every contender's answer to it, and the scores of each."""

    scene: Scene
    waves: dict[str, Wave]
    scores: dict[str, Scores]


@dataclass(frozen=True)
class Section:
    """A task evaluated; `distances` between sets of sounds are those of `compare`, none without bounds."""

    task: Task
    judged: list[Judged]
    distances: dict[str, dict[str, Estimate]] = field(default_factory=dict)

    def table(self) -> dict[str, dict[str, Estimate]]:
        """Measure -> contender -> estimate over all requests that the measure applies to."""
        return {
            measure: {
                contender: estimate(
                    [one.scores[contender][measure] for one in answered],
                    [cluster(one.scene.item, measure) for one in answered],
                    share=MEASURES[measure].unit == "%",
                )
                for contender in answered[0].scores
            }
            for measure in MEASURES
            if (answered := [one for one in self.judged if measure in one.scores["model"]])
        }


def evaluate(
    synthesizer: Bundled,
    stage: Stage,
    panel: Panel,
    task: Task,
    *,
    items: int = 0,
    steps: int | None = None,
    guidance: float | None = None,
    bounds: bool = True,
    requests: Requests = "test",
) -> Section:
    """Let a bundle answer the requests of a task, and the panel judge the answers.

    Args:
        synthesizer: the bundle.
        stage: renders the requests.
        panel: the judges.
        task: one of `TASKS`.
        items: how many requests, from the first on; 0 for all of them.
        steps, guidance: of the sampler; the bundle's own where they are None.
        bounds: whether floor and ceilings are judged too. They do not depend on the sampler, but for floors of another
            request, so a curve over its settings needs them once.
        requests: "test", or "valid" for what is chosen by its scores.

    Raises:
        BadArguments: see `read_items`.
        UnknownAsset: a reading, a wheel or the tagger's weights are missing.
    """
    scenes = [stage.scene(item) for item in read_items(task, items, requests)]
    sampling = synthesizer.bundle.sampling.of(served(task), steps, guidance)
    made = [_made(synthesizer, scene, sampling) for scene in tqdm(scenes, desc=f"{task}: making", disable=None)]
    judged = []
    for index, scene in enumerate(tqdm(scenes, desc=f"{task}: judging", disable=None)):
        waves = {"model": made[index]}
        after = (index + 1) % len(scenes)
        if bounds:
            waves = {
                "floor": _floor(scenes, index, made[after]),
                **waves,
                "autoencoder": _through_autoencoder(synthesizer, scene.target),
                "reference": scene.target,
            }
        scores = {name: judge(scene, wave, panel) for name, wave in waves.items()}
        if bounds:
            scores["floor"] |= _other_floors(scene, scores["floor"], made[after], panel)
        judged.append(Judged(scene, waves, scores))
    return Section(task, judged, _distances(judged, panel) if bounds and len(judged) >= FEWEST else {})


def _distances(judged: Sequence[Judged], panel: Panel) -> dict[str, dict[str, Estimate]]:
    """See `compare`. Answers in another order are the same set, so noise is the floor in their place."""
    heard: dict[str, list[dict[str, NDArray[np.float32]]]] = {name: [] for name in CONTENDERS}
    for one in tqdm(judged, desc="distances between sets", disable=None):
        for name, wave in one.waves.items():
            noise = name == "floor" and one.scene.conditioning.mask is not Mask.EDIT
            heard[name].append(panel.embed(_noise(one.scene) if noise else resample(wave, one.scene.rate, RATE)))
    return compare(heard)


def _noise(scene: Scene) -> Wave:
    """White noise of 5 s at 16 kHz, another for each request of a task."""
    return TARGET_RMS * np.random.default_rng(scene.item.number).standard_normal(5 * RATE, dtype=np.float32)


def _made(synthesizer: Bundled, scene: Scene, sampling: Sampling) -> Wave:
    """What the model makes, as a user gets it: a cloned voice without its reference."""
    asked, layout = scene.conditioning, synthesizer.layout
    wave = synthesizer.run(asked, seed=scene.item.number, sampling=sampling, progress=None)
    if asked.reference_samples:
        return crop_reference(wave, asked.reference_samples, layout.hop, layout.sample_rate)
    return wave


def _floor(scenes: Sequence[Scene], index: int, made_for_other: Wave) -> Wave:
    """See `FLOORS`."""
    scene = scenes[index]
    if scene.conditioning.mask is Mask.EDIT:
        assert scene.source is not None
        return scene.source
    return stranger(scenes, index) if scene.conditioning.mask is Mask.REFERENCE else made_for_other


def stranger(scenes: Sequence[Scene], index: int) -> Wave:
    """The wanted sound of the next request for another speaker of the same gender and another line.

    Women are less like men than like each other, so a floor of both would be too low. A few requests may hold no such
    speaker; then the gender gives way before the speaker does.
    """
    asked = scenes[index].item.speech("new")
    assert asked is not None

    def unlike(other: Scene) -> tuple[bool, bool, bool]:
        line = other.item.speech("new")
        assert line is not None
        return line.speaker == asked.speaker, line.gender != asked.gender, line.text == asked.text

    # The first of the best: in the order of the requests, from the next one on.
    return min([*scenes[index + 1 :], *scenes[:index]], key=unlike).target


def _other_floors(scene: Scene, scores: Scores, made_for_other: Wave, panel: Panel) -> Scores:
    """Floors of those measures for which the task's own floor is no floor at all."""
    others: Scores = {}
    if "kept" in scores:
        # The source keeps everything; it takes another scene to be far from this one.
        others["kept"] = distance(made_for_other, scene.target, scene.rate, scene.changed)
    if "quality" in scores and scene.conditioning.mask is not Mask.EDIT:
        # Speech sounds no worse for being the answer to something else.
        others["quality"] = Score(panel.quality(_noise(scene)))
    if "gender" in scores:
        # The request after this one always asks for the other gender.
        others["gender"] = Score(0.5)
    return others


def _through_autoencoder(synthesizer: Bundled, wave: Wave) -> Wave:
    """A wave [samples] encoded and decoded again."""
    layout = synthesizer.layout
    padded = np.zeros((1, layout.frames(len(wave)) * layout.hop), np.float32)
    padded[0, : len(wave)] = wave
    decoded = synthesizer.vae_decoder(latent=synthesizer.vae_encoder(wave=padded))
    return np.asarray(decoded[0, : len(wave)], dtype=np.float32)

"""Which sampler a bundle uses by default, chosen by what is lost against the reference."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from unison_engine import conditioning
from unison_engine.bundle import MANIFEST, Bundle
from unison_engine.errors import BadArguments
from unison_engine.runtime.sampler import Sampling, solve
from unison_engine.runtime.synthesis import Synthesizer
from unison_engine.testing import NoiseSynthesizer
from unison_export import quality
from unison_export.quality import Point, Sampler, choose, curve, ladder, table, with_defaults
from unison_export.time_grid import POINTS, fitted_times
from unison_train.evaluation import run
from unison_train.evaluation.items import read_items
from unison_train.evaluation.metrics import Score
from unison_train.evaluation.scenes import Scene

USUAL = Sampling(steps=24, guidance=3.0)


def scene(number: int) -> Scene:
    return cast(Scene, SimpleNamespace(item=read_items("text_to_audio")[number]))


def point(name: str, branches: int, acceptable: bool, distance: float = 0.0) -> Point:
    return Point(name, Sampling(steps=branches, guidance=1.0), branches, distance, {}, {}, acceptable)


def test_the_reference_is_a_hundred_guided_steps_of_euler() -> None:
    odd = Sampling(steps=8, guidance=3.0, solver="adams", times=(1.0, 0.2), guided=(0.5, 1.0))
    assert odd.reference() == Sampling(steps=100, guidance=3.0)
    samplers = ladder(odd, (1.0, 0.4, 0.001))
    assert all(one.guidance == 3.0 and one.branches() < odd.reference().branches() / 4 for one in samplers.values())
    assert {one.times for name, one in samplers.items() if "fitted" in name} == {(1.0, 0.4, 0.001)}


@pytest.mark.parametrize(
    ("sampling", "branches"),
    [
        (Sampling(steps=10, guidance=3.0), 20),
        (Sampling(steps=10, guidance=1.0), 10),
        (Sampling(steps=6, guidance=2.0, guided=(0.5, 1.0)), 9),  # At 1, 0.8, 0.6; not at 0.4, 0.2, 0.001.
        (Sampling(steps=4, guidance=3.0, solver="heun"), 14),
    ],
)
def test_branches_are_what_the_network_is_asked_for(sampling: Sampling, branches: int) -> None:
    assert sampling.branches() == branches


def test_the_cheapest_that_is_good_enough_is_chosen() -> None:
    points = [point("reference", 200, True), point("a", 24, True, 0.2), point("b", 24, True, 0.1), point("c", 8, False)]
    assert choose(points).name == "b"
    assert choose(points[:1]).name == "reference"


def test_the_bundle_keeps_choice_and_curve(bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bundle, tmp_path / "copy"))
    good, bad = point("good", 24, True), point("bad", 8, False)
    slow = replace(good, name="slow", branches=30, sampling=Sampling(steps=30, guidance=1.0))
    with_defaults(Bundle.open(folder), {"text_to_audio": [good, bad], "speech_edit": [good], "denoise": [slow]}, 30)
    opened = Bundle.open(folder)
    assert opened.manifest.sampling.of("text_to_audio") == good.sampling
    # The task serves requests to denoise as well.
    assert opened.manifest.sampling.of("speech_edit") == slow.sampling
    with_defaults(opened, {"denoise": [good]}, 30)
    assert Bundle.open(folder).manifest.sampling.of("speech_edit") == slow.sampling
    told = json.loads((folder / MANIFEST).read_text())["card"]["quality"]
    measured = told["text_to_audio"]
    assert measured["items"] == 30 and [one["name"] for one in measured["curve"]] == ["good", "bad"]


def test_a_bundle_that_cannot_be_written_is_refused_before_the_judging(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda folder, mode: False)
    with pytest.raises(BadArguments, match=r"tiny cannot be written to; copy the bundle"):
        quality.run_quality(Bundle.open(bundle), tmp_path, ["text_to_audio"], 0, None)


def test_a_curve_tells_losses_against_the_reference(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judges that score by how far a sound is from the reference's, so that what is lost is known."""
    synthesizer = Synthesizer.open(bundle, 1, "onnxruntime")
    request = conditioning.text_to_audio("a bell rings", 0.5)
    lost = {2: 0.5, 3: 0.0}

    def evaluate(sampler: Sampler, stage: Any, panel: Any, task: str, **options: Any) -> Any:
        sampling = sampler.bundle.sampling
        judged = []
        for seed in range(8):
            wave = sampler.run(request, seed=seed, sampling=sampling, progress=None)
            score = {"event": Score(1.0 - lost.get(sampling.steps, 0.0))}
            scores = {"model": score, "floor": {"event": Score(0.0)}, "reference": {"event": Score(1.0)}}
            judged.append(run.Judged(scene(seed), {"model": wave}, scores))
        return run.Section(cast(Any, task), judged)

    def few(usual: Sampling, fitted: tuple[float, ...]) -> dict[str, Sampling]:
        assert len(fitted) == POINTS and Sampling(steps=9, guidance=1.0, times=fitted).grid()[-1] == 0
        return {f"euler {steps}": Sampling(steps=steps, guidance=1.0) for steps in (2, 3)}

    monkeypatch.setattr("unison_export.quality.evaluate", evaluate)
    monkeypatch.setattr("unison_export.quality.ladder", few)
    usual = Sampling(steps=6, guidance=1.0)
    points = list(curve(synthesizer, cast(Any, None), cast(Any, None), "text_to_audio", 0, usual))
    assert points[0].sampling == usual.reference()
    assert [one.acceptable for one in points] == [True, False, True]
    assert points[0].distance == 0.0 and points[1].distance > points[2].distance > 0.0
    assert points[1].losses["event"] == pytest.approx((0.5, 0.5, 0.5))
    assert np.isclose(points[1].measures["event"], 0.5)
    assert "| **euler 3** | 3 |" in table("text_to_audio", points)


@pytest.mark.parametrize(
    ("measure", "lost", "acceptable"),
    [
        ("event", [0.0] * 8, True),
        # 4 % of the way from floor to real, but of each request: the interval lies over zero.
        ("event", [0.04] * 8, False),
        # 10 % of the way in the mean, from one request alone: the interval reaches down to zero.
        ("event", [0.8] + [0.0] * 7, False),
        ("event", [0.3] + [0.0] * 7, True),
        ("si_sdr", [0.8] * 8, True),
    ],
)
def test_what_shows_in_either_way_is_not_acceptable(
    monkeypatch: pytest.MonkeyPatch, measure: str, lost: list[float], acceptable: bool
) -> None:
    def evaluate(sampler: Sampler, *_: Any, **__: Any) -> Any:
        judged = []
        for seed, loss in enumerate(lost):
            sampler.paths[seed] = [np.ones((1, 2, 3), np.float32)] * 101
            made = 0.9 - loss * (sampler.bundle.sampling.steps == 2)
            values = {"model": made, "floor": 0.0, "reference": 1.0}
            judged.append(run.Judged(scene(seed), {}, {name: {measure: Score(one)} for name, one in values.items()}))
        return run.Section("text_to_audio", judged)

    few = {"euler 2": Sampling(steps=2, guidance=1.0)}
    monkeypatch.setattr("unison_export.quality.evaluate", evaluate)
    monkeypatch.setattr("unison_export.quality.ladder", lambda *_: few)
    monkeypatch.setattr("unison_export.quality.fitted_times", lambda *_: (1.0, 0.001))
    nobody = cast(Any, None)
    _, judged = curve(
        cast(Synthesizer, NoiseSynthesizer()), nobody, nobody, "text_to_audio", 0, Sampling(steps=6, guidance=1.0)
    )
    assert judged.acceptable == acceptable
    assert judged.losses[measure][0] == pytest.approx(np.mean(lost))


def test_a_loss_is_resampled_by_cluster() -> None:
    def section(values: list[float]) -> run.Section:
        items = read_items("voice_clone")
        return run.Section(
            "voice_clone",
            [
                run.Judged(cast(Scene, SimpleNamespace(item=item)), {}, {"model": {"similarity": Score(value)}})
                for item, value in zip(items, values, strict=True)
            ],
        )

    # One of four voices loses all: with four things to draw from, none of them may be drawn, or two.
    lost = [0.4 * (n % 4 == 0) for n in range(30)]
    mean, low, high = quality.loss(section([1.0] * 30), section([1.0 - one for one in lost]), "similarity")
    assert mean == pytest.approx(np.mean(lost)) and low == pytest.approx(0.0) and high >= 0.2


def test_steps_lie_where_the_path_bends() -> None:
    """Along x = exp(k t) the velocity changes as exp(k t) does, so steps are to lie as densely as exp(k t / 2)."""
    rate, grid = 6.0, Sampling(steps=100, guidance=1.0).grid()
    paths = [[np.full((1, 2, 3), scale * np.exp(rate * time), np.float32) for time in grid] for scale in (1, 2, 5)]
    times = fitted_times(paths, grid)
    share = np.expm1(rate * (1 - np.array(times)) / -2) / np.expm1(-rate / 2)
    np.testing.assert_allclose(share, np.linspace(0, 1, len(times)), atol=0.03)

    def error(sampling: Sampling) -> float:
        start = np.full((1,), np.exp(rate), np.float32)
        end = solve(lambda state, time: rate * np.exp(rate * time) + 0 * state, start, sampling.grid())
        return float(abs(end[0] - 1))

    assert error(Sampling(steps=24, guidance=1.0, times=times)) < 0.7 * error(Sampling(steps=24, guidance=1.0))

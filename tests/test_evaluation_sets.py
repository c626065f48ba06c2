"""Distances between sets of embeddings: against what is known of their distributions, and on real embeddings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from unison_engine.audio import resample
from unison_engine.pronunciation import Lexicon
from unison_train.corpus.kokoro import RATE as SPOKEN_RATE
from unison_train.corpus.kokoro import Kokoro
from unison_train.evaluation.judges.panel import RATE, Panel
from unison_train.evaluation.judges.tagger import Tagger
from unison_train.evaluation.metrics import Estimate
from unison_train.evaluation.sets import (
    SET_MEASURES,
    Embeddings,
    compare,
    frechet_distance,
    gaussian_distance,
    halves,
    kernel_distance,
)

CACHE = Path(__file__).parent.parent / "data" / "cache"
CLIPS, WIDTH = 30, 32


def drawn(seed: int, shift: float = 0.0, clips: int = CLIPS, width: int = WIDTH) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((clips, width)) + shift


@pytest.mark.parametrize("distance", [kernel_distance, frechet_distance])
def test_a_set_is_at_zero_from_itself_and_further_the_more_it_is_shifted(
    distance: Callable[[Embeddings, Embeddings], Estimate],
) -> None:
    wanted = drawn(0)
    assert distance(wanted, wanted).value == pytest.approx(0.0, abs=1e-9)
    values = [distance(drawn(1, shift), wanted).value for shift in (1.0, 2.0, 4.0)]
    noise = halves(wanted, distance)
    assert noise.low < noise.value < noise.high < values[0] < values[1] < values[2]


def test_the_gaussian_distance_is_the_closed_form() -> None:
    """Where covariances commute it is |m1 - m2|^2 + sum (s1 - s2)^2; a rotation of both changes nothing."""
    rng = np.random.default_rng(2)
    white = drawn(3, clips=200, width=3)
    white -= white.mean(axis=0)
    white @= np.linalg.inv(np.linalg.cholesky(np.cov(white.T))).T
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    first = (white * (1.0, 2.0, 3.0)) @ turn
    second = (white[rng.permutation(200)] * (3.0, 2.0, 0.5) + (1.0, 0.0, -2.0)) @ turn
    assert gaussian_distance(first, second) == pytest.approx(5.0 + 4.0 + 0.0 + 6.25)


def test_the_kernel_distance_has_no_bias_and_its_interval_holds_the_truth() -> None:
    """The kernel compares moments up to the third, and those of the normal distribution are known."""
    shift, width = 0.4, 8
    mean, unit = np.full(width, shift), np.eye(width)
    third = np.einsum("i,j,k", mean, mean, mean)
    third += sum(np.einsum(order, mean, unit) for order in ("i,jk->ijk", "j,ik->ijk", "k,ij->ijk"))
    moments = (mean, np.outer(mean, mean), third)
    truth = sum(
        factor * float(np.square(moment).sum()) / width**order
        for order, (factor, moment) in enumerate(zip((3, 3, 1), moments, strict=True), start=1)
    )
    same = [kernel_distance(drawn(seed, width=width), drawn(10_000 + seed, width=width)) for seed in range(400)]
    apart = [kernel_distance(drawn(seed, shift, width=width), drawn(10_000 + seed, width=width)) for seed in range(400)]
    for found, wanted in ((same, 0.0), (apart, truth)):
        values = np.array([one.value for one in found])
        assert abs(values.mean() - wanted) < 3 * values.std() / np.sqrt(len(values))
        assert np.mean([one.low <= wanted <= one.high for one in found]) > 0.88
    assert 0.2 < np.mean([one.value < 0 for one in same]) < 0.9


def test_the_frechet_distance_has_little_bias() -> None:
    """Sets of 8 dimensions lose nothing along 8 axes; fitted as they are, they would be 0.5 and more apart."""
    pairs = [(drawn(seed, width=8), drawn(10_000 + seed, width=8)) for seed in range(60)]
    assert np.mean([gaussian_distance(*pair) for pair in pairs]) > 0.5
    found = [frechet_distance(*pair) for pair in pairs]
    assert abs(np.mean([one.value for one in found])) < 0.15
    assert np.mean([one.low <= 0 <= one.high for one in found]) > 0.85


def test_every_measure_tells_every_contender() -> None:
    def heard(seed: int, shift: float) -> list[dict[str, NDArray[np.float32]]]:
        sets = {one: drawn(seed, shift, 16).astype(np.float32) for one in ("whisper", "tagger")}
        return [{one: rows[clip] for one, rows in sets.items()} for clip in range(16)]

    table = compare({"floor": heard(1, 2.0), "model": heard(2, 0.5), "reference": heard(3, 0.0)})
    assert set(table) == set(SET_MEASURES)
    for row in table.values():
        assert list(row) == ["floor", "model", "reference"]
        assert row["floor"].value > row["model"].value > row["reference"].value


@pytest.mark.parametrize("samples", [1, 400, 5 * RATE])
def test_the_tagger_embeds_clips_of_any_length(samples: int) -> None:
    wave = 0.1 * np.random.default_rng(0).standard_normal(samples, dtype=np.float32)
    found = Tagger().embedding(wave)
    assert found.shape == (128,) and found.dtype == np.float32 and found.any()
    assert Tagger().embedding(wave * np.float32(0.1)) == pytest.approx(found, abs=1e-3)


@pytest.mark.slow
def test_speech_is_nearer_to_speech_than_to_noise() -> None:
    panel, kokoro, lexicon = Panel(Path("no corpus"), CACHE), Kokoro(CACHE), Lexicon.english()
    texts = ("Twenty people waited at the gate.", "His necktie was admired by the committee.")
    one, other = (
        panel.embed(resample(kokoro.speak(lexicon.pronounce(text), "am_michael"), SPOKEN_RATE, RATE)) for text in texts
    )
    noise = panel.embed(0.1 * np.random.default_rng(0).standard_normal(3 * RATE, dtype=np.float32))
    assert {name: found.shape for name, found in one.items()} == {"whisper": (512,), "tagger": (128,)}
    for name, found in one.items():
        assert np.linalg.norm(found - other[name]) < np.linalg.norm(found - noise[name])

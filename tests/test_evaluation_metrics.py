"""Measures against cases that can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unison_engine.audio import Wave
from unison_train.evaluation.metrics import (
    Score,
    distance,
    energy_onsets,
    estimate,
    event_f1,
    onset_error,
    si_sdr,
    word_errors,
    words_understood,
)

RATE = 16_000


def noise(seconds: float, seed: int = 0) -> Wave:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE), dtype=np.float32)


@pytest.mark.parametrize(
    ("said", "heard", "errors", "words"),
    [
        ("Open the gate.", "open the gate", 0, 3),
        ("Open the gate.", "open a gate", 1, 3),
        ("Open the gate.", "open the big gate", 1, 3),
        ("Open the gate.", "", 3, 3),
        ("Open the gate.", "no no no no no no no", 3, 3),  # no more wrong than all of it
        ("Twenty-five knights paid three dollars.", "25 nights paid $3", 0, 6),
        ("The grey colour.", "The gray color", 0, 3),
        ("Open the gate.", "open the gate 日本", 0, 3),
    ],
)
def test_words_are_counted_by_their_sound(said: str, heard: str, errors: int, words: int) -> None:
    assert word_errors(said, heard) == (errors, words)


def test_a_wanted_word_must_be_heard_at_its_place() -> None:
    assert words_understood("the gate is a gate", ["gate"], "the gate is a door") == (1, 2)
    assert words_understood("the gate is open", ["gate"], "open is the date") == (0, 1)
    assert words_understood("the gate is open", ["gate"], "") == (0, 1)
    assert words_understood("the gate is open", [], "whatever") == (0, 0)


@pytest.mark.parametrize(
    ("heard", "hits"),
    [
        ([("bell", 1.25), ("bark", 3.0)], 2),
        ([("bell", 1.26), ("bark", 3.0)], 1),
        ([("bark", 1.0), ("bell", 3.0)], 0),
        ([("bell", 0.9), ("bell", 1.1)], 1),  # one event is hit once
        ([], 0),
    ],
)
def test_an_event_is_hit_within_a_quarter_of_a_second(heard: list[tuple[str, float]], hits: int) -> None:
    assert event_f1(heard, [("bell", 1.0), ("bark", 3.0)]) == (2 * hits, len(heard) + 2)


def test_onset_errors_are_those_of_the_nearest_onset_and_at_most_a_second() -> None:
    assert onset_error([1.1, 2.9], [1.0, 3.0, 9.0]) == pytest.approx((0.1 + 0.1 + 1.0, 3))
    assert onset_error([], [1.0]) == (1.0, 1)


def test_onsets_are_where_sound_follows_silence() -> None:
    silence = np.zeros(RATE, np.float32)
    wave = np.concatenate([silence, noise(0.5), silence, noise(0.3), silence[:800], noise(0.2)])
    assert energy_onsets(wave, RATE) == pytest.approx([1.0, 2.5], abs=0.01)
    assert energy_onsets(silence, RATE) == []


def test_si_sdr_knows_its_noise_and_no_gain() -> None:
    wanted, error = noise(1.0), noise(1.0, seed=1)
    error -= error.mean()
    wanted -= wanted.mean()
    error -= wanted * (error @ wanted) / (wanted @ wanted)
    error *= np.linalg.norm(wanted) / np.linalg.norm(error) / 10
    assert si_sdr(wanted + error, wanted) == pytest.approx(20.0, abs=0.01)
    assert si_sdr(0.3 * (wanted + error), wanted) == pytest.approx(20.0, abs=0.01)


def test_a_gain_is_a_distance_and_what_changed_can_be_left_out() -> None:
    wanted = noise(2.0)
    apart = distance(2 * wanted, wanted, RATE)
    assert apart.amount / apart.weight == pytest.approx(20 * math.log10(2), abs=0.02)
    made = wanted.copy()
    made[RATE // 2 : RATE] = 0
    elsewhere = distance(made, wanted, RATE, [(0.5, 1.0)])
    assert elsewhere.amount == 0 and 0 < elsewhere.weight < apart.weight
    assert distance(made, wanted, RATE).amount > 0
    assert distance(made, wanted, RATE, [(0.0, 2.0)]).weight == 0


def test_a_value_is_a_ratio_of_sums_and_its_interval_a_bootstrap() -> None:
    assert estimate([Score(1, 4), Score(3, 4)]).value == 0.5
    rng = np.random.default_rng(1)
    scores = [Score(amount, 2.0) for amount in rng.uniform(0, 2, 200)]
    found = estimate(scores)
    # By the central limit theorem: 0.5 -+ 1.96 / sqrt(12 x 200).
    assert found.low == pytest.approx(found.value - 0.04, abs=0.005)
    assert found.high == pytest.approx(found.value + 0.04, abs=0.005)
    assert found == estimate(scores)


def test_of_clips_that_are_yes_or_no_the_interval_is_wilson_s() -> None:
    all_right = estimate([Score(1, 1)] * 10 + [Score(0, 0)])
    # The lower end of n right of n is n / (n + 1.96^2).
    assert (all_right.value, all_right.items) == (1.0, 10) and all_right.low == pytest.approx(10 / 13.8415, abs=1e-4)
    assert all_right.high == pytest.approx(1.0)
    coin = estimate([Score(n % 2) for n in range(100)])
    assert coin.low == pytest.approx(0.4038, abs=1e-4) and coin.high == pytest.approx(0.5962, abs=1e-4)


def test_clips_of_one_cluster_are_drawn_together() -> None:
    scores = [Score(float(n % 2), 2.0) for n in range(10)]
    apart, together = estimate(scores), estimate(scores * 4, [str(n) for n in range(10)] * 4)
    assert (together.items, together.clusters) == (40, 10)
    # Four times the clips, and no more known than before.
    assert (together.value, together.low, together.high) == pytest.approx(
        (apart.value, apart.low, apart.high), abs=0.03
    )
    wilson = estimate([Score(1.0)] * 30 + [Score(0, 0)], ["a", "b", "c"] * 10 + ["d"])
    assert (wilson.items, wilson.clusters) == (30, 3) and wilson.low == pytest.approx(3 / 6.8415, abs=1e-4)


def test_a_share_of_all_or_nothing_is_no_certainty() -> None:
    words = [Score(0.0, 5.0), Score(0.0, 7.0), Score(0.0, 0.0)]
    found = estimate(words, share=True)
    assert found[:3] == pytest.approx((0.0, 0.0, 3.8415 / 5.8415), abs=1e-4)
    # Of what is no share, a distance in dB, nothing of the kind can be said.
    assert estimate(words)[:3] == (0.0, 0.0, 0.0)


def test_without_a_weight_there_is_no_value() -> None:
    assert math.isnan(estimate([Score(0, 0), Score(0, 0)]).value)

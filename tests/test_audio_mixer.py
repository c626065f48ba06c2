"""What is heard, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest

from unison_engine.audio.capture import CaptureRing
from unison_engine.audio.limiter import CEILING
from unison_engine.audio.mixer import Mixer
from unison_engine.audio.voice import Block, Shape, Voice

RATE = 48_000
NOISE = np.random.default_rng(0).normal(0.0, 0.1, (1000, 1)).astype(np.float32)
ODD_BLOCKS = (1, 7, 512, 480, 960, 3000, 40)


def heard(mixer: Mixer, blocks: tuple[int, ...] = ODD_BLOCKS) -> Block:
    return np.concatenate([mixer.render(count)[0] for count in blocks])


def test_a_sound_is_heard_as_it_is_from_its_frame_on_whatever_the_blocks() -> None:
    mixer = Mixer(RATE, 2)
    mixer.add(NOISE, Shape(), 777)
    out = heard(mixer)
    assert np.array_equal(out[777:1777], np.repeat(NOISE, 2, axis=1))
    assert not out[:777].any() and not out[1777:].any()


def test_sounds_are_added_and_channels_are_kept_or_averaged() -> None:
    stereo = np.concatenate([NOISE, -NOISE / 2], axis=1, dtype=np.float32)
    mixer = Mixer(RATE, 2)
    mixer.add(stereo, Shape(), 100)
    mixer.add(NOISE, Shape(gain=0.5), 101)
    out = heard(mixer)
    assert np.allclose(out[101:1100, 0], NOISE[1:, 0] + 0.5 * NOISE[:-1, 0], atol=1e-7)
    one = Mixer(RATE, 1)
    one.add(stereo, Shape(), 100)
    assert np.allclose(heard(one)[100:1100, 0], NOISE[:, 0] / 4, atol=1e-7)


def test_fades_rise_from_nothing_and_fall_to_nothing() -> None:
    mixer = Mixer(RATE, 1)
    mixer.add(np.full((1000, 1), 0.5, np.float32), Shape(fade_in=100, fade_out=200), 500)
    out = heard(mixer)[500:1500, 0]
    rise, fall = out[:100], out[800:]
    assert rise[0] == 0 and np.all(np.diff(rise) > 0) and rise[50] == pytest.approx(0.25)
    assert fall[-1] == 0 and np.all(np.diff(fall[1:]) < 0) and np.all(out[101:799] == 0.5)


@pytest.mark.parametrize("change", ["stop", "stop twice", "seek", "gain", "master"])
def test_no_change_is_heard_as_a_click(change: str) -> None:
    """Of a sine no two frames differ by more than its steepest step, nor do they when it is stopped or entered anew."""
    sine = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)[:, None]
    mixer = Mixer(RATE, 1)
    voice = mixer.add(sine, Shape(), 100)
    before = heard(mixer)
    if change == "stop":
        voice.stop(240)
    elif change == "stop twice":
        voice.stop(2400)
        before = np.concatenate([before, heard(mixer, (1900,))])
        voice.stop(240)
    elif change == "seek":
        mixer.seek(voice, 1027)
    else:
        (voice.gain if change == "gain" else mixer.master).set(0.1)
    out = np.concatenate([before, heard(mixer, (960, 960))])[:, 0]
    steepest = 0.5 * 2 * np.pi * 440 / RATE
    assert np.abs(np.diff(out)).max() < 2 * steepest
    assert (np.abs(out[-500:]).max() < 0.06) == (change != "seek")


def test_a_stop_within_a_fade_goes_on_from_where_that_is() -> None:
    voice = Voice(np.full((RATE, 1), 0.5, np.float32), Shape(), 0, 100)
    voice.next(1000)
    voice.stop(1000)
    before = voice.next(900)[-1, 0]
    voice.stop(50)
    fall = voice.next(100)[:, 0]
    assert len(fall) == 50 and fall[0] <= before < 0.02 and np.all(np.diff(fall) < 0) and voice.ended


def test_a_seek_revives_nothing_that_is_being_stopped() -> None:
    mixer = Mixer(RATE, 1)
    voice = mixer.add(np.full((RATE, 1), 0.5, np.float32), Shape(loop=True), mixer.earliest)
    heard(mixer, (1000,))
    voice.stop(4800)
    heard(mixer, (2400,))
    mixer.seek(voice, 100)
    out = heard(mixer, (1200, 3600))[:, 0]
    assert 0.01 < out[600] < 0.26 and not out[-1000:].any() and mixer.voices == []


def test_a_loop_of_nothing_ends() -> None:
    mixer = Mixer(RATE, 1)
    mixer.add(np.zeros((0, 1), np.float32), Shape(loop=True), mixer.earliest)
    assert [turn.state for turn in mixer.render(480)[1]] == ["started", "ended"]


def test_a_loop_goes_round_with_its_end_laid_over_its_beginning() -> None:
    mixer = Mixer(RATE, 1)
    mixer.add(NOISE, Shape(loop=True, crossfade=100), 100)
    out = heard(mixer)[100:, 0]
    assert np.array_equal(out[:900], NOISE[:900, 0])
    assert np.array_equal(out[1000:1800], NOISE[100:900, 0])
    assert np.array_equal(out[900:1800], out[1800:2700])
    assert abs(out[900] - NOISE[900, 0]) < 1e-6  # The seam begins with the end.


def test_a_loop_without_a_crossfade_keeps_its_length() -> None:
    mixer = Mixer(RATE, 1)
    mixer.add(NOISE, Shape(loop=True), 100)
    assert np.array_equal(heard(mixer)[100:4100, 0], np.tile(NOISE[:, 0], 4))


def test_the_sum_stays_below_full_scale_and_below_the_ceiling_it_is_untouched() -> None:
    sine = (0.9 * np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE)).astype(np.float32)[:, None]
    quiet = (0.3 * sine).astype(np.float32)
    mixer = Mixer(RATE, 1)
    for _ in range(3):
        mixer.add(sine, Shape(), 100)
    mixer.add(quiet, Shape(), 2 * RATE)
    out = heard(mixer, (480,) * 300)
    assert np.abs(out).max() <= CEILING + 1e-6
    assert np.abs(np.diff(out[:, 0])).max() < 2.7 * 2 * np.pi * 100 / RATE
    assert np.array_equal(out[2 * RATE :][: len(quiet)], quiet)


def test_a_late_start_is_the_earliest_one_and_turns_are_told() -> None:
    mixer = Mixer(RATE, 1)
    heard(mixer)
    earliest = mixer.earliest
    voice = mixer.add(NOISE, Shape(), 3)
    turns = [turn for count in (600, 600) for turn in mixer.render(count)[1]]
    assert [(t.voice, t.state, t.frame) for t in turns] == [
        (voice, "started", earliest),
        (voice, "ended", earliest + len(NOISE)),
    ]


def test_the_ring_keeps_the_last_frames() -> None:
    ring = CaptureRing(1.0, 100, 2)
    line = np.arange(500, dtype=np.float32).reshape(-1, 2)
    assert ring.last(10).shape == (0, 2)
    ring.write(line[:30])
    assert np.array_equal(ring.last(100), line[:30])
    for first, last in ((30, 90), (90, 119), (119, 119), (119, 250)):
        ring.write(line[first:last])
        assert np.array_equal(ring.last(40), line[:last][-40:])
    assert np.array_equal(ring.last(1000), line[-100:]) and ring.written == 250


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_spoils_nothing_after_it(value: float) -> None:
    mixer = Mixer(RATE, 1)
    mixer.add(np.array([[0.1], [value], [0.1]], np.float32), Shape(), 100)
    assert np.isfinite(heard(mixer)).all()
    mixer.add(NOISE, Shape(), mixer.earliest)
    out = heard(mixer)
    assert np.isfinite(out).all() and np.abs(out).max() > 0.9 * np.abs(NOISE).max()

"""Sounds that are played while they are made, on a device whose clock the test turns."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.test_audio_deck import RATE, Room, room
from unison_engine.audio import resample
from unison_engine.audio.device import Wish
from unison_engine.audio.events import PlaybackEvent, XrunEvent
from unison_engine.audio.null import LOOPBACK
from unison_engine.audio.stream import Stream, Tap
from unison_engine.audio.voice import EDGE_SECONDS, Shape, Voice

__all__ = ["room"]

MODEL_RATE = 24_000
WAVE = np.random.default_rng(1).normal(0.0, 0.1, 3 * MODEL_RATE + 123).astype(np.float32)
EDGE = round(EDGE_SECONDS * RATE)


def stream() -> Stream:
    return Stream("job-1", MODEL_RATE, len(WAVE))


def test_pieces_are_heard_as_one_sound(room: Room) -> None:
    sound, cuts = stream(), (0, MODEL_RATE // 2, 40_001, len(WAVE))
    for first, end in pairwise(cuts):
        sound.write(WAVE[first:end])
        if first == 0:
            room.deck.play(sound, at=1000.25)
        assert sound.complete == (end == len(WAVE))
        room.let(0.25)
    room.let(3.0)
    heard, whole = room.heard(3.75), resample(WAVE, MODEL_RATE, RATE)
    assert np.array_equal(heard[RATE // 4 :][: len(whole)], whole)
    assert not heard[: RATE // 4].any() and not heard[RATE // 4 + len(whole) :].any()
    assert room.states() == ["started", "ended"] and room.deck.stream_underruns == 0


def test_a_stream_that_runs_dry_fades_waits_and_goes_on_where_it_was(room: Room) -> None:
    sound = stream()
    sound.write(WAVE[:MODEL_RATE])
    playback = room.deck.play(sound, at=1000.0)
    room.let(2.0)
    assert playback.underruns == room.deck.stream_underruns == 1 and room.states() == ["started"]
    played, tap = playback.voice.played, playback.voice.tap
    assert tap and tap.ready - EDGE <= played <= tap.ready < RATE
    sound.write(WAVE[MODEL_RATE:])
    room.let(4.0)
    heard, whole = room.heard(6.0), resample(WAVE, MODEL_RATE, RATE)
    assert room.states() == ["started", "ended"] and playback.underruns == 1
    on = np.flatnonzero(heard)
    begins, resumes = on[0], on[np.flatnonzero(np.diff(on) > 1000)[0] + 1] - 1  # A fade begins with a zero.
    assert np.array_equal(heard[begins:][: played - EDGE], whole[: played - EDGE])
    assert np.array_equal(heard[resumes + EDGE :][: len(whole) - played - EDGE], whole[played + EDGE :])
    assert np.abs(heard[begins + played - 3 : resumes + 3]).max() < 0.02, "both edges are faded"
    assert [(e.direction, e.total) for e in room.events if isinstance(e, XrunEvent)] == [("stream", 1)]


@pytest.mark.parametrize("dry", [False, True])
def test_a_stream_that_is_given_up_fades_and_ends(room: Room, dry: bool) -> None:
    sound = stream()
    sound.write(WAVE[:MODEL_RATE])
    playback = room.deck.play(sound, at=1000.0)
    room.let(2.0 if dry else 0.5)
    room.deck.stop(playback.id)
    room.let(0.1)
    assert room.states() == ["started", "ended"] and not room.deck.standings()
    sound.write(WAVE[MODEL_RATE:])  # A piece that was on its way.
    room.let(0.5)
    assert not room.heard(0.5).any()


@pytest.mark.parametrize("blocks", range(5))
def test_a_stream_whose_next_piece_never_comes_ends_whenever_it_is_stopped(blocks: int) -> None:
    tap = Tap(RATE, RATE, RATE)
    tap.fill(np.ones(1000, np.float32), last=False)
    voice = Voice(tap.samples, Shape(), 0, 0, tap)
    for _ in range(blocks):
        voice.next(480)
    voice.stop(960)
    last = np.concatenate([voice.next(480) for _ in range(3)])
    assert voice.ended and np.all(np.diff(last[:, 0]) <= 0)


def test_a_stream_goes_on_on_a_device_of_another_rate(room: Room) -> None:
    sound = stream()
    sound.write(WAVE[: 2 * MODEL_RATE])
    room.deck.play(sound, at=1000.0)
    room.let(1.0)
    room.change(room.open(LOOPBACK, Wish(rate=44_100.0)))
    at = room.deck.standings()[0].playback.voice.shape.offset
    sound.write(WAVE[2 * MODEL_RATE :])
    room.let(3.0)
    heard, whole = room.heard(3.0), resample(WAVE, MODEL_RATE, 44_100)
    begins = np.flatnonzero(heard)[0] - 1
    fade = round(EDGE_SECONDS * 44_100)
    assert np.array_equal(heard[begins + fade :][: len(whole) - at - fade], whole[at + fade :])
    assert [e.state for e in room.events if isinstance(e, PlaybackEvent)] == ["started", "ended"]

"""What is played on pitched instruments: seeded phrases within a range of MIDI keys, under five seconds long."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unison_train.corpus.instruments.midi import Note

Rng = np.random.Generator
Play = Callable[[Rng], list[Note]]
"""Writes a phrase; the same generator state gives the same notes."""

LONGEST = 4.4
"""Seconds before which the last note of a phrase begins."""

_SCALES = ((0, 2, 4, 7, 9), (0, 3, 5, 7, 10), (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))
_TRIADS = ((0, 4, 7), (0, 3, 7))
# Roots of a few common progressions, in semitones above the first.
_PROGRESSIONS = ((0, 5, 7, 0), (0, 9, 5, 7), (0, 7, 9, 5), (0, 3, 5, 0))


def note(low: int, high: int, shortest: float = 1.0, longest: float = 2.2) -> Play:
    """One note of a length in seconds between two."""
    return lambda rng: [Note(0.0, rng.uniform(shortest, longest), int(rng.integers(low, high + 1)), loudness(rng))]


def melody(low: int, high: int) -> Play:
    """A walk along a scale that ends on a longer note."""

    def play(rng: Rng) -> list[Note]:
        scale = _SCALES[int(rng.integers(len(_SCALES)))]
        root = int(rng.integers(low, low + 12))
        keys = [
            root + 12 * octave + step for octave in range(11) for step in scale if root + 12 * octave + step <= high
        ]
        beat, loud = rng.uniform(0.2, 0.45), loudness(rng)
        at, place, notes = 0.0, int(rng.integers(len(keys))), []
        for _ in range(int(rng.integers(5, 12))):
            length = beat * float(rng.choice((0.5, 1.0, 1.0, 2.0)))
            if at + length > LONGEST - 2 * beat:
                break
            notes.append(Note(at, 0.95 * length, keys[place], loud - int(rng.integers(12))))
            at += length
            place = int(np.clip(place + rng.integers(-2, 3), 0, len(keys) - 1))
        return [*notes, Note(at, 2 * beat, keys[place], loud)]

    return play


def chords(low: int, high: int, strum: float = 0.0) -> Play:
    """Two to four triads of a progression, with `strum` seconds from string to string."""

    def play(rng: Rng) -> list[Note]:
        steps = _PROGRESSIONS[int(rng.integers(len(_PROGRESSIONS)))][: int(rng.integers(2, 5))]
        root, triad = int(rng.integers(low, high - 23)), _TRIADS[int(rng.integers(len(_TRIADS)))]
        length, loud = rng.uniform(0.6, 1.1), loudness(rng)
        return [
            Note(k * length + string * strum, 0.95 * length - string * strum, root + step + tone, loud)
            for k, step in enumerate(steps)
            for string, tone in enumerate((*triad, triad[0] + 12))
        ]

    return play


def arpeggio(low: int, high: int) -> Play:
    """A broken triad up and down again, each note ringing over the next."""

    def play(rng: Rng) -> list[Note]:
        triad = _TRIADS[int(rng.integers(len(_TRIADS)))]
        root = int(rng.integers(low, low + 8))
        up = [root + 12 * octave + tone for octave in range(2) for tone in triad if root + 12 * octave + tone <= high]
        keys = [*up, *up[-2:0:-1]] * 2 if rng.random() < 0.5 else [*up, *up[-2::-1]]
        gap, loud = rng.uniform(0.1, 0.24), loudness(rng)
        return [Note(k * gap, 2 * gap, key, loud - int(rng.integers(10))) for k, key in enumerate(keys)]

    return play


def bass_line(low: int, high: int) -> Play:
    """Even notes on root, fifth and octave."""

    def play(rng: Rng) -> list[Note]:
        root, loud = int(rng.integers(low, high - 11)), loudness(rng)
        gap = rng.uniform(0.16, 0.32)
        steps = rng.choice((0, 0, 0, 7, 10, 12), int(rng.integers(8, 14)))
        return [
            Note(k * gap, 0.8 * gap, root + int(step), loud - int(rng.integers(15))) for k, step in enumerate(steps)
        ]

    return play


def loudness(rng: Rng) -> int:
    """A velocity from moderate to loud."""
    return int(rng.integers(75, 123))

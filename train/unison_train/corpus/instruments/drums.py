"""What is played on drums: beats written as a line of sixteenths a drum, fills, rolls and single hits."""

from __future__ import annotations

from collections.abc import Sequence

from unison_train.corpus.instruments.midi import Note
from unison_train.corpus.instruments.phrases import LONGEST, Play, Rng, loudness

# Keys of the General MIDI drum map.
KICK, STICK, SNARE, CLAP = 36, 37, 38, 39
CLOSED_HAT, PEDAL_HAT, OPEN_HAT = 42, 44, 46
CRASH, RIDE, SPLASH, COWBELL, TAMBOURINE = 49, 51, 55, 56, 54
TOMS = (50, 48, 47, 45, 43)
HIGH_BONGO, LOW_BONGO, MUTED_CONGA, HIGH_CONGA, LOW_CONGA = 60, 61, 62, 63, 64
MARACAS, SHORT_WHISTLE, LONG_WHISTLE, SHORT_GUIRO, LONG_GUIRO = 70, 71, 72, 73, 74
HIGH_WOODBLOCK, LOW_WOODBLOCK, OPEN_TRIANGLE = 76, 77, 81

_RING = 0.1


def beat(slowest: float, fastest: float, lines: Sequence[tuple[int, str]], swing: float = 0.0) -> Play:
    """A pattern repeated for four seconds at a tempo between two, in beats a minute.

    A line has a character for each sixteenth: `x` a hit, `o` a soft one, `.` none. `swing` delays every second
    sixteenth by that share of one.
    """

    def play(rng: Rng) -> list[Note]:
        step, loud = 15 / rng.uniform(slowest, fastest), loudness(rng)
        steps = len(lines[0][1])
        notes = []
        for k in range(max(steps, int(4.0 / step))):
            for key, line in lines:
                if (stroke := line[k % steps]) != "." and k * step < LONGEST:
                    level = loud - (35 if stroke == "o" else 0) - int(rng.integers(12))
                    notes.append(Note((k + swing * (k % 2)) * step, _RING, key, level))
        return notes

    return play


def fill(keys: Sequence[int]) -> Play:
    """Sixteenths that go down the drums `keys`, and a crash with a kick at the end."""

    def play(rng: Rng) -> list[Note]:
        step, loud = rng.uniform(0.09, 0.15), loudness(rng)
        each = int(rng.integers(2, 5))
        strokes = [key for key in keys for _ in range(each)]
        notes = [Note(k * step, _RING, key, loud - int(rng.integers(20))) for k, key in enumerate(strokes)]
        return [*notes, *(Note(len(strokes) * step, 1.2, key, loud) for key in (KICK, CRASH))]

    return play


def roll(key: int) -> Play:
    """Fast even strokes that grow, and one accent."""

    def play(rng: Rng) -> list[Note]:
        step, loud = rng.uniform(0.045, 0.07), loudness(rng)
        strokes = int(rng.uniform(1.5, 3.2) / step)
        notes = [Note(k * step, _RING, key, round(loud * (0.4 + 0.45 * k / strokes))) for k in range(strokes)]
        return [*notes, Note(strokes * step, _RING, key, loud)]

    return play


def hits(*keys: int) -> Play:
    """One to four even strokes on one of the drums `keys`."""

    def play(rng: Rng) -> list[Note]:
        gap, loud, key = rng.uniform(0.3, 0.7), loudness(rng), int(rng.choice(keys))
        return [Note(k * gap, 0.9 * gap, key, loud - int(rng.integers(15))) for k in range(int(rng.integers(1, 5)))]

    return play


def patter(*keys: int) -> Play:
    """Eighths and sixteenths in turn over the drums `keys`, as by two hands; it stops after two to four seconds."""

    def play(rng: Rng) -> list[Note]:
        step, loud, at, notes = rng.uniform(0.11, 0.17), loudness(rng), 0.0, []
        while at < rng.uniform(2.0, 4.0):
            notes.append(Note(at, _RING, int(rng.choice(keys)), loud - int(rng.integers(30))))
            at += step * float(rng.choice((1, 1, 2)))
        return notes

    return play

"""Sounds that happen once: impacts, movement, interface sounds, creatures. Each takes a generator and samples."""

from __future__ import annotations

import numpy as np

from unison_train.corpus.foley.dsp import (
    RATE,
    Rng,
    Wave,
    count,
    decay,
    formants,
    grains,
    modes,
    noise,
    place,
    seconds_of,
    swell,
    tone,
)


def door_slam(rng: Rng, samples: int) -> Wave:
    """Wooden panel hit, low thud, a rattle of the lock."""
    panel = modes(rng, samples, (85, 140, 210, 330, 520, 800), 0.35)
    thud = 2 * noise(rng, samples, 30, 200) * decay(samples, 0.3)
    latch = modes(rng, count(0.1), (1_800, 2_700, 4_100), 0.05)
    return panel + thud + noise(rng, samples, 300, 5_000) * decay(samples, 0.06) + place(samples, [(0.06, 0.4 * latch)])


def door_creak(rng: Rng, samples: int) -> Wave:
    """Stick-slip pulses of rising and falling rate through wooden resonances."""
    rate = np.interp(np.linspace(0, 1, samples), np.linspace(0, 1, 6), rng.uniform(25, 140, 6))
    pulses = np.diff(np.floor(np.cumsum(rate) / RATE), prepend=0.0)
    return formants(pulses * rng.uniform(0.6, 1.0, samples), (420, 900, 1_700, 2_900), 90) * swell(samples, 0.5, 0.5)


def metal_hit(rng: Rng, samples: int) -> Wave:
    """Inharmonic ringing plate."""
    base = rng.uniform(250, 700)
    ratios = (1, 1.59, 2.14, 2.65, 2.92, 3.6, 4.5, 5.8, 7.1)
    return modes(rng, samples, [base * ratio for ratio in ratios], rng.uniform(0.6, 1.8)) + 0.5 * noise(
        rng, samples, 1_000, 9_000
    ) * decay(samples, 0.02)


def bell(rng: Rng, samples: int) -> Wave:
    """A bell's hum, prime, tierce, quint and nominal."""
    base = rng.uniform(300, 900)
    return modes(rng, samples, [base * ratio for ratio in (0.5, 1, 1.19, 1.5, 2, 2.5, 3)], 3.5, 0.003)


def glass_break(rng: Rng, samples: int) -> Wave:
    """A crack, then shards that ring high and die away."""
    pieces = [(0.0, noise(rng, count(0.08), 1_500, 10_000) * decay(count(0.08), 0.06))]
    for _ in range(int(rng.integers(25, 50))):
        at = rng.exponential(0.16)
        shard = modes(rng, count(0.25), rng.uniform(2_500, 9_500, 3).tolist(), rng.uniform(0.05, 0.25))
        pieces.append((at, shard * rng.uniform(0.1, 0.5)))
    return place(samples, pieces)


def wood_knock(rng: Rng, samples: int) -> Wave:
    """Knuckles on a door, two to four times."""
    gap = rng.uniform(0.16, 0.28)
    knock = modes(rng, count(0.2), (180, 310, 520, 900, 1_400), 0.09)
    return place(samples, [(k * gap, knock * rng.uniform(0.7, 1.0)) for k in range(int(rng.integers(2, 5)))])


def explosion(rng: Rng, samples: int) -> Wave:
    """Blast, then a rumble with debris."""
    blast = noise(rng, samples, 30, 3_000) * decay(samples, 0.5, 0.004)
    rumble = 2.5 * noise(rng, samples, 20, 130) * decay(samples, 2.2, 0.02)
    debris = grains(rng, samples, 50, noise(rng, 120, 500, 5_000) * decay(120, 0.01), 2.0) * decay(samples, 2.0, 0.2)
    return np.tanh(1.5 * (blast + rumble)) + debris


def gunshot(rng: Rng, samples: int) -> Wave:
    """A crack and its short echo."""
    crack = np.tanh(3 * noise(rng, samples, 100, 9_000) * decay(samples, 0.16, 0.0005))
    echo = noise(rng, samples, 100, 1_500) * decay(samples, 0.7, 0.03)
    return crack + 0.35 * echo + noise(rng, samples, 30, 150) * decay(samples, 0.2)


def whoosh(rng: Rng, samples: int) -> Wave:
    """Something large passes: a band of noise that rises and falls."""
    course = swell(samples, rng.uniform(0.35, 0.65), 1.0)
    low = noise(rng, samples, 100, 500) * (1 - course)
    middle, high = noise(rng, samples, 500, 1_500), noise(rng, samples, 1_500, 5_000)
    return (low + middle * course + high * course**2) * swell(samples, 0.5, 1.5)


def click(rng: Rng, samples: int) -> Wave:
    """A short, dry interface click."""
    return modes(rng, samples, (rng.uniform(1_200, 2_500), 4_200, 6_500), 0.025)


def confirm(rng: Rng, samples: int) -> Wave:
    """Two rising notes."""
    base, length = rng.uniform(500, 900), count(0.22)
    notes = [tone(base * ratio, length, (1, 0.25)) * decay(length, 0.2, 0.004) for ratio in (1, 1.5)]
    return place(samples, [(0.0, notes[0]), (0.11, notes[1])])


def error(rng: Rng, samples: int) -> Wave:
    """Two low buzzing notes."""
    base, length = rng.uniform(120, 220), count(0.16)
    note = np.sign(tone(base, length)) * swell(length, 0.1, 0.3)
    return place(samples, [(0.0, note), (0.2, note)])


def coin(rng: Rng, samples: int) -> Wave:
    """The pickup sound of old games: a short note and a long fourth above."""
    base = rng.uniform(800, 1_100)
    short, long = count(0.07), count(0.5)
    first = np.sign(tone(base, short))
    second = np.sign(tone(base * 4 / 3, long)) * decay(long, 0.45)
    return place(samples, [(0.0, first), (0.07, second)])


def laser(rng: Rng, samples: int) -> Wave:
    """A fast falling sweep."""
    course = rng.uniform(2_500, 5_000) * np.exp(-seconds_of(samples) * rng.uniform(6, 14)) + 120
    return tone(course, samples, (1, 0.5, 0.3)) * decay(samples, 0.5, 0.002)


def power_up(rng: Rng, samples: int) -> Wave:
    """A rising run of notes."""
    base, gap = rng.uniform(250, 450), rng.uniform(0.06, 0.1)
    length = count(0.2)
    steps = (0, 4, 7, 12, 16, 19, 24)
    notes = [np.sign(tone(base * 2 ** (step / 12), length)) * decay(length, 0.2, 0.003) for step in steps]
    return place(samples, [(k * gap, note) for k, note in enumerate(notes)])


def bark(rng: Rng, samples: int) -> Wave:
    """One to three barks: a falling pulse train and breath through a short throat."""
    base = rng.uniform(220, 480)
    pieces = []
    for k in range(int(rng.integers(1, 4))):
        length = count(rng.uniform(0.14, 0.22))
        pitch = base * np.interp(np.linspace(0, 1, length), [0, 0.2, 1], [0.8, 1.25, 0.6])
        voiced = np.maximum(tone(pitch, length, (1, 0.7, 0.5, 0.4, 0.3)), 0) + 0.5 * noise(rng, length, 300, 5_000)
        pieces.append(
            (k * rng.uniform(0.3, 0.42), formants(voiced, (600, 1_300, 2_600), 250) * swell(length, 0.2, 0.8))
        )
    return place(samples, pieces)


def frog(rng: Rng, samples: int) -> Wave:
    """Croaks: bursts of pulses."""
    pieces = []
    for k in range(int(rng.integers(2, 5))):
        length = count(0.28)
        pulse = (tone(rng.uniform(30, 45), length) > 0.6).astype(float)
        pieces.append(
            (k * 0.42, formants(pulse * noise(rng, length, 100, 4_000), (500, 1_200), 150) * swell(length, 0.4))
        )
    return place(samples, pieces)


def growl(rng: Rng, samples: int) -> Wave:
    """A large creature: low rough pulses through slowly moving resonances."""
    pitch = rng.uniform(45, 75) * np.interp(np.linspace(0, 1, samples), [0, 0.4, 1], [0.9, 1.2, 0.7])
    rough = 1 + 0.6 * np.sin(2 * np.pi * rng.uniform(20, 32) * seconds_of(samples))
    throat = np.maximum(tone(pitch, samples, (1, 0.8, 0.7, 0.5)), 0) * rough + 0.2 * noise(rng, samples, 100, 2_500)
    return formants(throat, (180, 450, 900, 1_600), 160) * swell(samples, 0.35, 0.7)

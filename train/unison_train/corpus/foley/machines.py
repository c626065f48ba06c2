"""Devices, vehicles and tools. Each takes a generator and a number of samples."""

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
    wander,
)


def clock(rng: Rng, samples: int) -> Wave:
    """Tick and tock in turn."""
    gap, pitch = rng.uniform(0.3, 0.6), rng.uniform(1_600, 2_600)
    strokes = [modes(rng, count(0.06), (pitch * k, 2.3 * pitch * k, 3.9 * pitch * k), 0.03) for k in (1.0, 0.8)]
    return place(samples, [(k * gap, strokes[k % 2]) for k in range(1 + int(samples / count(gap)))])


def typing(rng: Rng, samples: int) -> Wave:
    """Keys pressed and released at uneven times."""
    pieces, at = [], 0.0
    while at < samples / RATE:
        key = noise(rng, count(0.03), 800, 6_000) * decay(count(0.03), 0.012, 0.0005)
        key += 0.8 * modes(rng, count(0.03), (rng.uniform(250, 400), 1_900), 0.03)
        pieces += [(at, key * rng.uniform(0.6, 1.0)), (at + rng.uniform(0.05, 0.08), 0.25 * key)]
        at += rng.uniform(0.07, 0.22) if rng.random() < 0.9 else rng.uniform(0.3, 0.6)
    return place(samples, pieces)


def geiger(rng: Rng, samples: int) -> Wave:
    """Clicks at random times, all alike."""
    tick = modes(rng, count(0.01), (1_900, 3_400, 5_600), 0.006)
    times = np.cumsum(rng.exponential(1 / rng.uniform(8, 45), 400))
    return place(samples, [(float(at), tick) for at in times])


def radio_static(rng: Rng, samples: int) -> Wave:
    """Hiss with drop-outs, crackles and a whistle that drifts."""
    crackle = grains(rng, samples, 25, noise(rng, 60, 800, 6_000) * decay(60, 0.004), 6.0)
    hiss = noise(rng, samples, 500, 5_000) * wander(rng, samples, 9, 0.3, 1.0)
    whistle = tone(wander(rng, samples, 1.5, 600, 2_600), samples) * wander(rng, samples, 2, 0.0, 0.8)
    return hiss + crackle + whistle


def train(rng: Rng, samples: int) -> Wave:
    """Pairs of wheels over rail joints, and rolling."""
    gap, pair = rng.uniform(0.6, 1.0), rng.uniform(0.13, 0.18)
    clack = modes(rng, count(0.3), (110, 190, 430, 900, 1_700), 0.14) + noise(rng, count(0.3), 200, 3_000) * decay(
        count(0.3), 0.05
    )
    beats = [(k * gap + late, clack * loud) for k in range(12) for late, loud in ((0.0, 1.5), (pair, 1.1))]
    return place(samples, beats) + 0.35 * noise(rng, samples, 50, 500) + 0.1 * noise(rng, samples, 500, 3_000)


def jet(rng: Rng, samples: int) -> Wave:
    """A roar and a whine that come, fall in pitch and go."""
    past = np.linspace(0, 1, samples)
    shift = 1.25 - 0.5 / (1 + np.exp(-14 * (past - 0.5)))
    whine = 0.5 * tone(rng.uniform(1_400, 2_200) * shift, samples, (1, 0.4)) * np.clip(1 - 1.3 * past, 0, 1)
    roar = noise(rng, samples, 60, 900) + 0.6 * noise(rng, samples, 900, 6_000)
    return (roar + whine) * swell(samples, rng.uniform(0.4, 0.6), 1.8)


def zipper(rng: Rng, samples: int) -> Wave:
    """Teeth that meet faster and faster."""
    rate = np.linspace(rng.uniform(60, 110), rng.uniform(180, 320), samples)
    teeth = np.diff(np.floor(np.cumsum(rate) / RATE), prepend=0.0) * rng.uniform(0.6, 1.0, samples)
    tooth = noise(rng, 90, 2_000, 9_000) * decay(90, 0.004, 0.0002)
    return np.convolve(teeth, tooth)[:samples] + 0.05 * noise(rng, samples, 2_000, 8_000)


def shutter(rng: Rng, samples: int) -> Wave:
    """The mirror goes up, the curtain runs, the mirror falls."""
    flap = modes(rng, count(0.08), (380, 1_100, 2_700), 0.05) + noise(rng, count(0.08), 700, 8_000) * decay(
        count(0.08), 0.03
    )
    gap = rng.uniform(0.06, 0.14)
    curtain = 0.4 * noise(rng, count(gap), 2_500, 9_000)
    return place(samples, [(0.0, flap), (0.02, curtain), (gap, 0.8 * flap)])


def saw(rng: Rng, samples: int) -> Wave:
    """Strokes back and forth through wood."""
    stroke = rng.uniform(0.32, 0.5)
    phase = seconds_of(samples) / stroke
    pull = np.abs(np.sin(np.pi * phase)) * (0.55 + 0.45 * (np.floor(phase) % 2))
    teeth = 1 + 0.8 * tone(70 + 130 * np.abs(np.sin(np.pi * phase)), samples)
    return formants(noise(rng, samples, 300, 7_000) * teeth, (600, 1_500, 3_200), 500) * pull


def hammering(rng: Rng, samples: int) -> Wave:
    """A nail driven into a board, its pitch rising a little at each blow."""
    gap = rng.uniform(0.35, 0.6)
    pieces = []
    for k in range(1 + int(samples / count(gap))):
        nail = modes(rng, count(0.25), (1_900 * 1.03**k, 3_300 * 1.03**k, 5_100), 0.12, 0.005)
        board = 1.5 * modes(rng, count(0.25), (140, 260, 480), 0.1)
        pieces.append((k * gap + rng.uniform(0, 0.03), (nail + board) * rng.uniform(0.8, 1.0)))
    return place(samples, pieces)


def car_horn(rng: Rng, samples: int) -> Wave:
    """Two reedy notes a third apart, once or twice."""
    base, reeds = rng.uniform(330, 430), (1, 0.9, 0.8, 0.7, 0.5, 0.5, 0.3, 0.3)
    blast = tone(base, samples, reeds) + tone(base * 1.25, samples, reeds)
    gap = rng.uniform(0.3, 0.6)
    silent = (seconds_of(samples) > gap) & (seconds_of(samples) < gap + 0.12) & (rng.random() < 0.5)
    return blast * np.convolve(1.0 - silent, np.ones(240) / 240, "same")


def foghorn(rng: Rng, samples: int) -> Wave:
    """A very low brassy note that swells, with an echo over water."""
    blast = tone(rng.uniform(70, 110), samples, (1, 0.9, 0.7, 0.5, 0.4, 0.2, 0.2)) * swell(samples, 0.25, 0.25)
    return blast + 0.35 * place(samples, [(rng.uniform(0.4, 0.7), blast)]) + 0.1 * noise(rng, samples, 60, 400)


def vacuum_cleaner(rng: Rng, samples: int) -> Wave:
    """A fast motor's harmonics in a rush of air."""
    motor = tone(rng.uniform(210, 330) * wander(rng, samples, 1, 0.98, 1.02), samples, (0.5, 1, 0.3, 0.6, 0.2, 0.4))
    return motor + 1.2 * noise(rng, samples, 300, 7_000)


def keys(rng: Rng, samples: int) -> Wave:
    """Small pieces of metal that strike one another."""
    pieces = []
    for _ in range(int(rng.integers(25, 55))):
        jingle = modes(rng, count(0.15), rng.uniform(2_800, 9_500, 4).tolist(), rng.uniform(0.05, 0.14))
        pieces.append((rng.uniform(0, samples / RATE), jingle * rng.uniform(0.1, 1.0)))
    return place(samples, pieces)


def steam(rng: Rng, samples: int) -> Wave:
    """A hiss under pressure that starts sharply and sinks."""
    hiss = noise(rng, samples, rng.uniform(1_500, 3_000), 11_000)
    return hiss * decay(samples, rng.uniform(2.5, 5.0), 0.03) * wander(rng, samples, 20, 0.8, 1.0)

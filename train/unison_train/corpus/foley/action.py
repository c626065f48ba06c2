"""Blows, weapons, things that move and break. Each takes a generator and a number of samples."""

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


def sword_clash(rng: Rng, samples: int) -> Wave:
    """Two blades: bright dense modes, and the scrape as they part."""
    blades = [
        modes(rng, samples, [base * ratio for ratio in (1, 1.52, 2.31, 3.07, 4.4, 5.9)], rng.uniform(0.5, 1.0))
        for base in rng.uniform(1_100, 1_900, 2)
    ]
    scrape = place(samples, [(0.05, 0.4 * noise(rng, count(0.2), 3_000, 10_000) * swell(count(0.2), 0.3))])
    return blades[0] + blades[1] + scrape + 0.8 * noise(rng, samples, 2_000, 10_000) * decay(samples, 0.03)


def sword_draw(rng: Rng, samples: int) -> Wave:
    """Steel along a scabbard, rising, and a ring that stays."""
    length = count(rng.uniform(0.25, 0.4))
    slide = noise(rng, length, 2_500, 10_000) * np.linspace(0.1, 1, length) ** 2
    ring = modes(rng, samples, [rng.uniform(2_300, 3_200) * ratio for ratio in (1, 1.37, 2.1, 2.9)], 0.9)
    return place(samples, [(0.0, slide), (length / RATE, 0.8 * ring)])


def arrow(rng: Rng, samples: int) -> Wave:
    """A string twangs, air parts, a point strikes wood."""
    flight = rng.uniform(0.2, 0.35)
    string = tone(rng.uniform(90, 150), count(0.2), (1, 0.8, 0.6, 0.4)) * decay(count(0.2), 0.15)
    air = noise(rng, count(flight), 1_500, 7_000) * swell(count(flight), 0.6, 1.2)
    strike = modes(rng, count(0.3), (150, 290, 560, 1_100), 0.12) + 0.4 * tone(38, count(0.3)) * decay(count(0.3), 0.25)
    return place(samples, [(0.0, 0.7 * string), (0.03, 0.4 * air), (0.03 + flight, 1.5 * strike)])


def punch(rng: Rng, samples: int) -> Wave:
    """A dull thud with a slap on top."""
    thud = tone(rng.uniform(70, 110) * np.exp(-8 * seconds_of(samples)) + 35, samples) * decay(samples, 0.22)
    return (
        2 * thud
        + noise(rng, samples, 500, 4_000) * decay(samples, 0.05)
        + noise(rng, samples, 80, 500) * decay(samples, 0.12)
    )


def branch_snap(rng: Rng, samples: int) -> Wave:
    """Fibres tear, then the wood breaks."""
    fibre = noise(rng, 100, 900, 7_000) * decay(100, 0.004)
    tearing = 0.7 * grains(rng, samples, 60, fibre, 3.0) * swell(samples, 0.35)
    crack = modes(rng, count(0.2), (420, 830, 1_500, 2_600), 0.06) + noise(rng, count(0.2), 500, 9_000) * decay(
        count(0.2), 0.03
    )
    return tearing + place(samples, [(rng.uniform(0.08, 0.2), 3 * crack)])


def paper_tear(rng: Rng, samples: int) -> Wave:
    """A rough crackling rip at an uneven speed."""
    fibres = grains(rng, samples, 1_800, noise(rng, 40, 1_500, 9_500) * decay(40, 0.002), 2.0)
    return (fibres + 0.3 * noise(rng, samples, 1_500, 8_000)) * wander(rng, samples, 12, 0.2, 1.0)


def wood_creak(rng: Rng, samples: int) -> Wave:
    """The timbers of a ship: slow low stick-slip groans."""
    pieces = []
    for at in np.arange(rng.uniform(0, 0.4), samples / RATE, 1.3):
        length = count(rng.uniform(0.7, 1.1))
        rate = np.interp(np.linspace(0, 1, length), (0, 0.5, 1), rng.uniform(12, 60, 3))
        slips = np.diff(np.floor(np.cumsum(rate) / RATE), prepend=0.0) * rng.uniform(0.5, 1.0, length)
        pieces.append((float(at), formants(slips, (160, 340, 620, 1_050), 50) * swell(length, 0.5, 0.4)))
    return place(samples, pieces)


def ricochet(rng: Rng, samples: int) -> Wave:
    """A hit on stone and a whine that falls away."""
    course = rng.uniform(1_800, 3_200) * (0.35 + 0.65 * np.exp(-rng.uniform(2, 4) * seconds_of(samples)))
    flutter = 1 + 0.02 * np.sin(2 * np.pi * rng.uniform(25, 50) * seconds_of(samples))
    whine = tone(course * flutter, samples, (1, 0.3)) * decay(samples, 0.9, 0.02)
    return 0.7 * whine + noise(rng, samples, 600, 9_000) * decay(samples, 0.04)


def machine_gun(rng: Rng, samples: int) -> Wave:
    """Shots in a burst, each a little different."""
    gap, pieces = 1 / rng.uniform(8, 14), []
    for k in range(int(0.75 * samples / count(gap))):
        length = count(0.3)
        shot = np.tanh(3 * noise(rng, length, 90, 7_000) * decay(length, 0.09, 0.0005))
        pieces.append((k * gap, (shot + noise(rng, length, 40, 200) * decay(length, 0.12)) * rng.uniform(0.8, 1.0)))
    return place(samples, pieces)


def rockfall(rng: Rng, samples: int) -> Wave:
    """Stones of many sizes that bounce down, over a rumble."""
    pieces = []
    for _ in range(int(rng.integers(30, 60))):
        base = rng.uniform(120, 900)
        stone = modes(rng, count(0.15), (base, 1.7 * base, 2.9 * base, 4.3 * base), 0.06)
        pieces.append((rng.beta(1.5, 2.2) * samples / RATE, stone * rng.uniform(0.2, 1.2)))
    return place(samples, pieces) + 0.5 * noise(rng, samples, 30, 180) * swell(samples, 0.3)


def splash(rng: Rng, samples: int) -> Wave:
    """A body breaks the surface; drops and bubbles follow."""
    burst = noise(rng, samples, 250, 6_000) * decay(samples, 0.6, 0.02) + noise(rng, samples, 60, 300) * decay(
        samples, 0.3
    )
    pieces = []
    for _ in range(25):
        length = count(rng.uniform(0.03, 0.08))
        bubble = tone(np.linspace(1, 1.4, length) * rng.uniform(350, 1_400), length) * decay(length, 0.06, 0.004)
        pieces.append((rng.uniform(0.1, 0.9) * samples / RATE, 0.4 * rng.random() * bubble))
    return burst + place(samples, pieces)

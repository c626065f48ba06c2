"""Water underground, insects, leaves, animals and the heart. Each takes a generator and a number of samples."""

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
    noise,
    place,
    seconds_of,
    swell,
    tone,
    wander,
)


def bubbles(rng: Rng, samples: int) -> Wave:
    """Round rising blips, few enough to be told apart."""
    pieces = []
    for _ in range(round(rng.uniform(10, 22) * samples / RATE)):
        length = count(rng.uniform(0.05, 0.12))
        pitch = rng.uniform(250, 900) * np.linspace(1, rng.uniform(1.4, 2.2), length)
        pieces.append(
            (rng.uniform(0, samples / RATE), rng.uniform(0.2, 1) * tone(pitch, length) * swell(length, 0.3, 1))
        )
    return place(samples, pieces)


def cave_drips(rng: Rng, samples: int) -> Wave:
    """Single drops, each with the echo of a cave."""
    pieces = []
    for _ in range(int(rng.uniform(1.2, 2.5) * samples / RATE)):
        length = count(0.05)
        drop = tone(rng.uniform(900, 2_000) * np.linspace(1, 1.5, length), length) * decay(length, 0.05, 0.001)
        at, echo = rng.uniform(0, samples / RATE - 0.2), rng.uniform(0.09, 0.16)
        pieces += [(at + k * echo, drop * 0.6**k) for k in range(7)]
    return place(samples, pieces) + 0.02 * noise(rng, samples, 60, 400)


def cicadas(rng: Rng, samples: int) -> Wave:
    """A dense rattling buzz that swells and sinks."""
    rattle = 0.55 + 0.45 * np.sign(np.sin(2 * np.pi * rng.uniform(70, 130) * seconds_of(samples)))
    return noise(rng, samples, 4_500, 8_500, 3) * rattle * wander(rng, samples, 1.5, 0.4, 1.0)


def heartbeat(rng: Rng, samples: int) -> Wave:
    """Two dull thumps a beat."""
    gap, length = 60 / rng.uniform(55, 110), count(0.18)
    thumps = [
        tone(pitch, length, (1, 0.3)) * decay(length, 0.16, 0.012)
        for pitch in rng.uniform(45, 65) * np.array((1, 1.25))
    ]
    beats = [
        (k * gap + late, thump) for k in range(16) for late, thump in zip((0.0, 0.28 * gap + 0.07), thumps, strict=True)
    ]
    return place(samples, beats) + 0.01 * noise(rng, samples, 40, 200)


def owl(rng: Rng, samples: int) -> Wave:
    """Soft hoots: a short one, then longer ones."""
    pitch, pieces, at = rng.uniform(300, 420), [], 0.1
    while at < samples / RATE - 0.5:
        for seconds in (0.18, 0.3, 0.45):
            length = count(seconds)
            glide = pitch * np.interp(np.linspace(0, 1, length), (0, 0.3, 1), (0.93, 1.03, 0.95))
            pieces.append((at, tone(glide, length, (1, 0.12)) * swell(length, 0.35, 0.7)))
            at += seconds + rng.uniform(0.1, 0.2)
        at += rng.uniform(0.5, 1.0)
    return place(samples, pieces) + 0.008 * noise(rng, samples, 200, 2_000)


def bees(rng: Rng, samples: int) -> Wave:
    """Many wings near 200 Hz, each wandering."""
    wings = [
        tone(rng.uniform(170, 260) * wander(rng, samples, 4, 0.9, 1.1), samples, (1, 0.7, 0.5, 0.4, 0.3, 0.2))
        * wander(rng, samples, 2, 0.1, 1.0)
        for _ in range(7)
    ]
    return np.asarray(sum(wings))


def wolf(rng: Rng, samples: int) -> Wave:
    """A howl: up, held, and down."""
    points = (0, rng.uniform(0.12, 0.22), rng.uniform(0.6, 0.75), 1)
    course = rng.uniform(330, 480) * np.interp(np.linspace(0, 1, samples), points, (0.6, 1.15, 1.1, 0.7))
    vibrato = 1 + 0.008 * np.sin(2 * np.pi * rng.uniform(4, 6) * seconds_of(samples))
    voice = tone(course * vibrato, samples, (1, 0.5, 0.25, 0.12)) + 0.03 * noise(rng, samples, 400, 3_000)
    return voice * swell(samples, 0.3, 0.6)


def leaves(rng: Rng, samples: int) -> Wave:
    """Dry leaves stirred by gusts."""
    leaf = noise(rng, 70, 2_000, 9_500) * decay(70, 0.004)
    gust = wander(rng, samples, 2.5, 0.05, 1.0) ** 2
    return (grains(rng, samples, 900, leaf, 3.0) + 0.15 * noise(rng, samples, 2_500, 9_000)) * gust


def cat(rng: Rng, samples: int) -> Wave:
    """A meow: the mouth opens and closes on a bent tone."""
    course = rng.uniform(480, 720) * np.interp(np.linspace(0, 1, samples), (0, 0.3, 1), (0.85, 1.2, 0.75))
    throat = tone(course, samples, (0.6, 0.8, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2))
    voice = throat + 0.05 * noise(rng, samples, 500, 6_000)
    closed, opened = formants(voice, (450, 2_300), 250), formants(voice, (1_050, 1_900, 3_100), 250)
    mouth = swell(samples, 0.45, 1.0)
    return (closed * (1 - mouth) + 1.5 * opened * mouth) * swell(samples, 0.35, 0.5)


def earthquake(rng: Rng, samples: int) -> Wave:
    """The ground rumbles and things rattle."""
    rumble = noise(rng, samples, 20, 90, 3) * wander(rng, samples, 5, 0.4, 1.0)
    rattle = grains(rng, samples, 40, noise(rng, 150, 400, 3_000) * decay(150, 0.006), 3.0)
    return rumble + 0.4 * rattle * wander(rng, samples, 3, 0.0, 1.0)

"""Sounds that go on: weather, water, fire, machines. Each takes a generator and a number of samples."""

from __future__ import annotations

from collections.abc import Callable

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
    tone,
    wander,
)


def light_rain(rng: Rng, samples: int) -> Wave:
    """Separate drops over a thin hiss."""
    drop = noise(rng, 90, 2_500, 9_000) * decay(90, 0.004)
    return 0.25 * noise(rng, samples, 2_000, 9_000) + grains(rng, samples, rng.uniform(60, 140), drop, 4.0)


def heavy_rain(rng: Rng, samples: int) -> Wave:
    """Dense hiss and many drops."""
    drop = noise(rng, 160, 800, 8_000) * decay(160, 0.008)
    hiss = noise(rng, samples, 600, 9_000) * wander(rng, samples, 2, 0.8, 1.1)
    return hiss + grains(rng, samples, 900, drop, 2.5)


def wind(rng: Rng, samples: int) -> Wave:
    """Gusts of low noise, sometimes with a whistle."""
    gust = wander(rng, samples, 1.2, 0.2, 1.0)
    whistle = tone(wander(rng, samples, 1.5, 350, 700), samples) * gust**3 * rng.uniform(0.0, 0.5)
    return noise(rng, samples, 100, 700) * gust + 0.35 * noise(rng, samples, 500, 2_500) * gust**2 + whistle


def thunder(rng: Rng, samples: int) -> Wave:
    """A crack and a long rumble."""
    rumble = noise(rng, samples, 25, 160) * wander(rng, samples, 6, 0.3, 1.0) * decay(samples, 4.0, 0.05)
    crack = noise(rng, samples, 200, 4_000) * decay(samples, rng.uniform(0.4, 1.0), 0.005)
    return rumble + rng.uniform(0.2, 1.0) * crack


def fire(rng: Rng, samples: int) -> Wave:
    """A low roar with snaps."""
    snap = noise(rng, 200, 900, 8_000) * decay(200, 0.006)
    roar = noise(rng, samples, 60, 500) * wander(rng, samples, 4, 0.5, 1.0)
    return 0.5 * roar + grains(rng, samples, rng.uniform(15, 40), snap, 7.0)


def stream(rng: Rng, samples: int) -> Wave:
    """A soft hiss with rising bubbles."""
    wave = 0.3 * noise(rng, samples, 400, 5_000) * wander(rng, samples, 5, 0.6, 1.0)
    bubbles = []
    for _ in range(round(45 * samples / RATE)):
        length = count(rng.uniform(0.02, 0.06))
        pitch = np.linspace(1.0, rng.uniform(1.1, 1.6), length) * rng.uniform(400, 1_800)
        bubbles.append(
            (rng.uniform(0, samples / RATE), rng.uniform(0.1, 0.7) * tone(pitch, length) * decay(length, 0.06, 0.004))
        )
    return wave + place(samples, bubbles)


def waves(rng: Rng, samples: int) -> Wave:
    """Noise that surges every few seconds."""
    phase = 2 * np.pi * (seconds_of(samples) / rng.uniform(3.0, 5.0) + rng.random())
    surge = (0.5 - 0.5 * np.cos(phase)) ** 2
    return noise(rng, samples, 80, 900) * (0.2 + surge) + 0.7 * noise(rng, samples, 900, 8_000) * surge**2


def engine(rng: Rng, samples: int) -> Wave:
    """Cylinder strokes at idle through body resonances."""
    speed = wander(rng, samples, 0.5, 0.97, 1.03) * rng.uniform(28, 45)
    strokes = np.maximum(tone(speed, samples, (1.0, 0.6, 0.8, 0.3)), 0) ** 2
    return formants(strokes * (1 + 0.3 * noise(rng, samples, 50, 2_000)), (110, 260, 700), 120) * 20


def revving_engine(rng: Rng, samples: int) -> Wave:
    """Strokes that speed up and fall back."""
    course = np.interp(np.linspace(0, 1, samples), [0, 0.25, 0.55, 1], [1, 1, rng.uniform(2.5, 4), 1.2])
    strokes = np.maximum(tone(course * rng.uniform(30, 45), samples, (1.0, 0.7, 0.6, 0.5, 0.3)), 0) ** 2
    return formants(strokes * course * (1 + 0.3 * noise(rng, samples, 50, 3_000)), (150, 400, 1_000), 200) * 20


def electric_hum(rng: Rng, samples: int) -> Wave:
    """Even harmonics of the mains."""
    base = float(rng.choice([50.0, 60.0]))
    buzz = tone(base, samples, (0.6, 1.0, 0.2, 0.7, 0.1, 0.4, 0.1, 0.25))
    return buzz + 0.05 * noise(rng, samples, 1_000, 6_000)


def helicopter(rng: Rng, samples: int) -> Wave:
    """Chopped low noise and a turbine whine."""
    beats = rng.uniform(9, 14)
    chop = np.maximum(np.sin(2 * np.pi * beats * seconds_of(samples)), 0) ** 3
    whine = 0.1 * tone(rng.uniform(500, 800), samples, (1, 0.3))
    air: Wave = noise(rng, samples, 40, 350) * (0.15 + chop) + 0.3 * noise(rng, samples, 300, 3_000) * chop
    return air + whine


def drill(rng: Rng, samples: int) -> Wave:
    """A buzzing motor and the hiss of the bit."""
    speed = rng.uniform(150, 260) * wander(rng, samples, 3, 0.95, 1.05)
    return tone(speed, samples, (1, 0.8, 0.7, 0.6, 0.5, 0.4, 0.4)) + 0.4 * noise(rng, samples, 1_500, 8_000)


def siren(rng: Rng, samples: int) -> Wave:
    """A slow sweep up and down."""
    turn = 0.5 - 0.5 * np.cos(2 * np.pi * rng.uniform(0.25, 0.6) * seconds_of(samples) + rng.uniform(0, 6))
    return tone(600 + 800 * turn, samples, (1, 0.4, 0.25, 0.1))


def alarm(rng: Rng, samples: int) -> Wave:
    """A gated tone."""
    pitch, rate = rng.uniform(700, 1_600), rng.uniform(2, 5)
    gate: Wave = (seconds_of(samples) * rate % 1 < 0.5).astype(float)
    gate = np.convolve(gate, np.ones(60) / 60)[:samples]
    return tone(pitch, samples, (1, 0, 0.4, 0, 0.2)) * gate


def telephone(rng: Rng, samples: int) -> Wave:
    """A bell struck 22 times a second, in bursts."""
    time = seconds_of(samples)
    ring = modes(rng, count(0.05), (1_150, 1_420, 2_300, 3_900), 0.15)
    on = (time % 3.0) < 1.8
    train = place(samples, [(k / 22, ring) for k in range(int(22 * samples / RATE))])
    return train * np.convolve(on.astype(float), np.ones(100) / 100)[:samples]


def birds(rng: Rng, samples: int) -> Wave:
    """Short trilled glides in phrases."""
    pieces = []
    at = rng.uniform(0, 0.3)
    while at < samples / RATE:
        base = rng.uniform(2_500, 5_000)
        for _ in range(int(rng.integers(2, 6))):
            length = count(rng.uniform(0.05, 0.14))
            glide = np.linspace(base, base * rng.uniform(0.75, 1.35), length)
            trill = 1 + 0.03 * np.sin(2 * np.pi * rng.uniform(25, 60) * seconds_of(length))
            pieces.append((at, tone(glide * trill, length, (1, 0.15)) * np.hanning(length)))
            at += length / RATE + rng.uniform(0.02, 0.08)
        at += rng.uniform(0.15, 0.7)
    return place(samples, pieces) + 0.01 * noise(rng, samples, 300, 3_000)


def crickets(rng: Rng, samples: int) -> Wave:
    """A high tone in fast pulses, in slow chirps."""
    pitch, rate = rng.uniform(3_800, 5_000), rng.uniform(2, 3.5)
    pulse = np.maximum(np.sin(2 * np.pi * rng.uniform(25, 40) * seconds_of(samples)), 0)
    chirp = (seconds_of(samples) * rate % 1 < 0.55).astype(float)
    return tone(pitch, samples, (1, 0.1)) * pulse * np.convolve(chirp, np.ones(300) / 300)[:samples]


def footsteps(low: float, high: float, crunch: float, thud: float) -> Callable[[Rng, int], Wave]:
    """Steps on a surface: `crunch` grains a second between two frequencies in Hz, and a `thud` under the heel."""

    def walk(rng: Rng, samples: int) -> Wave:
        pace = rng.uniform(0.42, 0.62)
        pieces = []
        for k in range(int(samples / RATE / pace) + 1):
            length = count(0.22)
            grain = noise(rng, 70, low, high) * decay(70, 0.003)
            body = grains(rng, length, crunch, grain, 3.0) * np.interp(
                np.arange(length), [0, 600, 2_600, length], [0.2, 1, 0.6, 0]
            )
            heel = thud * noise(rng, length, 50, 220) * decay(length, 0.09)
            hit = 0.6 * noise(rng, length, low, high) * decay(length, 0.05)
            pieces.append((0.03 + k * pace + rng.uniform(-0.02, 0.02), rng.uniform(0.7, 1.0) * (body + heel + hit)))
        return place(samples, pieces)

    return walk


gravel_steps = footsteps(1_500, 8_000, 900, 0.8)
snow_steps = footsteps(400, 3_000, 1_500, 0.3)
wood_steps = footsteps(150, 1_200, 60, 3.0)
metal_steps = footsteps(900, 5_000, 80, 1.0)

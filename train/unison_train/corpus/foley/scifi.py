"""Sounds of games and science fiction. Each takes a generator and a number of samples."""

from __future__ import annotations

import numpy as np

from unison_train.corpus.foley.dsp import (
    RATE,
    Rng,
    Wave,
    count,
    decay,
    modes,
    noise,
    place,
    seconds_of,
    swell,
    tone,
    wander,
)


def force_field(rng: Rng, samples: int) -> Wave:
    """Detuned saw-like tones that beat, under a slow flutter."""
    base = rng.uniform(70, 130)
    hum = sum(tone(base * detune, samples, (1, 0.6, 0.5, 0.4, 0.3, 0.3)) for detune in (0.99, 1.0, 1.012))
    flutter = 1 + 0.4 * np.sin(2 * np.pi * rng.uniform(3, 8) * seconds_of(samples))
    return np.asarray(hum * flutter) + 0.3 * tone(base * 8, samples) * wander(rng, samples, 3, 0, 1)


def spaceship_engine(rng: Rng, samples: int) -> Wave:
    """Deep filtered noise around a throbbing low tone, and a faint whine."""
    throb = 0.7 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.8, 2.5) * seconds_of(samples))
    low = noise(rng, samples, 30, 220) + 0.8 * tone(rng.uniform(38, 60), samples, (1, 0.5, 0.25))
    return low * throb + 0.12 * tone(wander(rng, samples, 1, 900, 1_100) * rng.uniform(0.8, 1.5), samples)


def robot(rng: Rng, samples: int) -> Wave:
    """Short tones and glides of random pitch one after another."""
    pieces, at = [], 0
    while at < samples:
        length = count(rng.uniform(0.05, 0.16))
        course = np.linspace(rng.uniform(500, 3_000), rng.uniform(500, 3_000), length)
        pieces.append((at / RATE, tone(course, length, (1, 0.3, 0.2)) * swell(length, 0.2, 0.3)))
        at += length + count(rng.uniform(0.01, 0.06))
    return place(samples, pieces)


def sonar(rng: Rng, samples: int) -> Wave:
    """A ping with long reverberation, every second or two."""
    gap, pitch, length = rng.uniform(1.3, 2.2), rng.uniform(700, 1_300), count(1.6)
    ping = tone(pitch, length, (1, 0.1)) * decay(length, 1.5, 0.005)
    ping += 0.15 * noise(rng, length, pitch * 0.9, pitch * 1.1) * decay(length, 1.4, 0.1)
    return place(samples, [(k * gap, ping) for k in range(1 + int(samples / count(gap)))])


def teleport(rng: Rng, samples: int) -> Wave:
    """A shimmer that sweeps up ever faster and vanishes."""
    time = np.linspace(0, 1, samples)
    sweep = rng.uniform(150, 300) * 2 ** (rng.uniform(3.5, 4.8) * time**1.5)
    warble = 1 + 0.08 * np.sin(2 * np.pi * rng.uniform(12, 25) * seconds_of(samples))
    return (tone(sweep * warble, samples, (1, 0.5, 0.3)) + 0.3 * noise(rng, samples, 2_000, 9_000)) * swell(
        samples, 0.8
    )


def sparkle(rng: Rng, samples: int) -> Wave:
    """Many small high bells, mostly rising."""
    pieces = []
    for _ in range(int(rng.integers(18, 35))):
        at = rng.beta(1.3, 2.0)
        pitch = 1_500 * 2 ** (1.5 * at + rng.uniform(0, 1))
        bell = modes(rng, count(0.5), (pitch, pitch * 2.76), rng.uniform(0.2, 0.5))
        pieces.append((0.7 * at * samples / RATE, bell * rng.uniform(0.2, 1.0)))
    return place(samples, pieces)


def jump(rng: Rng, samples: int) -> Wave:
    """A square wave that glides up."""
    course = rng.uniform(180, 350) * 2 ** (rng.uniform(1.0, 2.0) * np.linspace(0, 1, samples) ** 0.7)
    return np.asarray(np.sign(tone(course, samples))) * swell(samples, 0.1, 0.5)


def game_over(rng: Rng, samples: int) -> Wave:
    """A run of square notes down to a long one."""
    base, gap = rng.uniform(350, 600), rng.uniform(0.13, 0.22)
    pieces = []
    for k, step in enumerate((0, -2, -4, -7, -12)):
        length = count(gap if k < 4 else 0.7)
        pieces.append((k * gap, np.sign(tone(base * 2 ** (step / 12), length)) * decay(length, 0.9, 0.003)))
    return place(samples, pieces)


def charging(rng: Rng, samples: int) -> Wave:
    """A tone and its tremolo rise together until they stop."""
    time = np.linspace(0, 1, samples)
    pulse = 0.6 + 0.4 * tone(rng.uniform(4, 7) * 2 ** (2.5 * time), samples)
    return tone(rng.uniform(80, 140) * 2 ** (3 * time), samples, (1, 0.6, 0.4, 0.3, 0.2)) * pulse * (0.2 + time)


def glitch(rng: Rng, samples: int) -> Wave:
    """Fragments of tones and noise held, repeated and cut off."""
    pieces, at = [], 0
    while at < samples:
        length = count(rng.uniform(0.004, 0.03))
        grain = np.round(3 * tone(rng.uniform(80, 4_000), length)) / 3 if rng.random() < 0.6 else noise(rng, length)
        for _ in range(int(rng.integers(1, 8))):
            pieces.append((at / RATE, grain * rng.uniform(0.3, 1.0)))
            at += length
        at += count(rng.uniform(0, 0.06))
    return place(samples, pieces)


def riser(rng: Rng, samples: int) -> Wave:
    """Noise and a detuned tone that climb for seconds."""
    time = np.linspace(0, 1, samples)
    sweep = rng.uniform(90, 180) * 2 ** (rng.uniform(2.5, 3.5) * time)
    tones = tone(sweep, samples, (1, 0.7, 0.5, 0.4)) + tone(1.01 * sweep, samples, (1, 0.7, 0.5, 0.4))
    air = noise(rng, samples, 400, 2_000) * (1 - time) + noise(rng, samples, 2_000, 10_000) * time
    return (tones + air) * (0.05 + time**2)


def trailer_hit(rng: Rng, samples: int) -> Wave:
    """A sub-bass drop under a metallic bang, with a long tail."""
    drop = tone(rng.uniform(35, 50) * (1 + 2.5 * np.exp(-9 * seconds_of(samples))), samples) * decay(samples, 3.0)
    bang = modes(rng, samples, (95, 143, 211, 340, 517), 1.2) + noise(rng, samples, 100, 5_000) * decay(samples, 0.25)
    return np.tanh(2 * drop) + bang + 0.25 * noise(rng, samples, 80, 1_200) * decay(samples, 2.5, 0.05)


def drone(rng: Rng, samples: int) -> Wave:
    """Low tones that swell one into another, with far dark noise."""
    base = rng.uniform(45, 75)
    partials = [base * ratio for ratio in (1, 1.5, 2.01, 2.98, 4.02, 4.75)]
    voices = [tone(one, samples) * wander(rng, samples, 0.8, 0.1, 1.0) / (1 + k / 3) for k, one in enumerate(partials)]
    return np.asarray(sum(voices)) + 0.15 * noise(rng, samples, 100, 600) * wander(rng, samples, 1, 0.2, 1.0)

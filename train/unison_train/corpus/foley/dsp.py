"""Building blocks. Waves are float64 [samples] at `RATE` Hz."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

RATE = 24_000
Wave = NDArray[np.float64]
Rng = np.random.Generator


def count(seconds: float) -> int:
    """Samples in a duration."""
    return max(1, round(seconds * RATE))


def seconds_of(samples: int) -> Wave:
    """Time of each sample in seconds."""
    return np.arange(samples) / RATE


def noise(rng: Rng, samples: int, low: float = 20.0, high: float = 11_000.0, order: int = 2) -> Wave:
    """White noise between two frequencies in Hz, RMS 1."""
    high = min(high, 0.49 * RATE)
    wave = sosfilt(butter(order, [low, high], "band", fs=RATE, output="sos"), rng.standard_normal(samples))
    return np.asarray(wave / (np.std(wave) + 1e-9))


def wander(rng: Rng, samples: int, rate: float, low: float, high: float) -> Wave:
    """A smooth random line between two values with about `rate` turns a second."""
    points = max(2, round(rate * samples / RATE) + 2)
    return np.interp(np.linspace(0, points - 1, samples), np.arange(points), rng.uniform(low, high, points))


def decay(samples: int, seconds: float, attack: float = 0.002) -> Wave:
    """Rise over `attack` seconds, then exponential fall by 60 dB in `seconds`."""
    time = seconds_of(samples)
    return np.asarray(np.minimum(time / max(attack, 1e-4), 1.0) * 10 ** (-3 * np.maximum(time - attack, 0) / seconds))


def swell(samples: int, peak: float, sharpness: float = 2.0) -> Wave:
    """Rise to 1 at the fraction `peak` of the length, then fall to 0."""
    place = np.linspace(0, 1, samples)
    rising, falling = place / peak, (1 - place) / (1 - peak)
    return np.asarray(np.clip(np.minimum(rising, falling), 0, 1) ** sharpness)


def tone(frequency: Wave | float, samples: int, partials: Sequence[float] = (1.0,)) -> Wave:
    """Harmonics with the given strengths over a steady or moving fundamental in Hz."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(frequency, samples)) / RATE
    return np.asarray(sum(level * np.sin((k + 1) * phase) for k, level in enumerate(partials)))


def modes(rng: Rng, samples: int, frequencies: Sequence[float], ring: float, spread: float = 0.02) -> Wave:
    """A struck body: decaying sines; higher modes die sooner, `ring` is the longest decay in seconds."""
    wave = np.zeros(samples)
    lowest = min(frequencies)
    for frequency in frequencies:
        exact = frequency * (1 + rng.uniform(-spread, spread))
        if exact < 0.48 * RATE:
            level = rng.uniform(0.4, 1.0) * (lowest / frequency) ** 0.5
            ringing = decay(samples, ring * (lowest / frequency) ** 0.7 * rng.uniform(0.7, 1.2), 0.0005)
            wave += level * ringing * np.sin(2 * np.pi * exact * seconds_of(samples) + rng.uniform(0, 6.28))
    return wave


def grains(rng: Rng, samples: int, per_second: float, grain: Wave, loudest: float = 1.0) -> Wave:
    """Random repeats of a grain with levels that favour quiet ones."""
    train = np.zeros(samples)
    hits = rng.integers(0, samples, rng.poisson(per_second * samples / RATE))
    np.add.at(train, hits, loudest * rng.random(len(hits)) ** 3 * rng.choice([-1, 1], len(hits)))
    return np.convolve(train, grain)[:samples]


def place(samples: int, pieces: Sequence[tuple[float, Wave]]) -> Wave:
    """Pieces put at times in seconds; what reaches over the end is cut."""
    wave = np.zeros(samples)
    for at, piece in pieces:
        start = count(at) if at > 0 else 0
        length = min(len(piece), samples - start)
        if length > 0:
            wave[start : start + length] += piece[:length]
    return wave


def formants(wave: Wave, centres: Sequence[float], width: float) -> Wave:
    """A throat: resonances at centres in Hz with a bandwidth in Hz."""
    out = np.zeros(len(wave))
    for centre in centres:
        radius = np.exp(-np.pi * width / RATE)
        angle = 2 * np.pi * centre / RATE
        out += lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], wave)
    return out

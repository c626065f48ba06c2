"""Loudness of a sound in LUFS, and its true peak, after ITU-R BS.1770-4."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from unison_engine.audio import Wave, resample

SILENCE_LUFS = -120.0
_OVERSAMPLING = 4
_BLOCK_SECONDS = 0.4
_HOP_SECONDS = 0.1
_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0


def integrated_lufs(wave: Wave, rate: int) -> float:
    """Integrated loudness of [samples] at `rate` Hz, gated at -70 LUFS and 10 LU below the mean.

    A sound under 0.4 s is shorter than a block of the gate: its RMS in dBFS is given instead. Silence, and
    what lies wholly below the absolute gate, is -120.
    """
    block, hop = round(_BLOCK_SECONDS * rate), round(_HOP_SECONDS * rate)
    if len(wave) < block:
        return max(SILENCE_LUFS, 10 * math.log10(max(_mean_square(wave), 1e-12)))
    energy = np.concatenate([[0.0], np.cumsum(_weight(wave, rate) ** 2)])
    starts = np.arange(0, len(wave) - block + 1, hop)
    power = np.maximum((energy[starts + block] - energy[starts]) / block, 1e-12)
    power = power[_lufs(power) > _ABSOLUTE_GATE]
    if not len(power):
        return SILENCE_LUFS
    return float(_lufs(power[_lufs(power) > _lufs(power.mean()) + _RELATIVE_GATE].mean()))


def at_loudness(wave: Wave, rate: int, lufs: float) -> Wave:
    """[samples] at this integrated loudness, whatever becomes of the peaks; what has none, such as silence, stays."""
    loudness = integrated_lufs(wave, rate)
    return wave if loudness == SILENCE_LUFS else np.asarray(wave * np.float32(10 ** ((lufs - loudness) / 20)))


def true_peak(wave: Wave, rate: int) -> float:
    """Greatest level of [samples] between the samples too, in dBTP: that of the sound at four times its rate.

    Silence is -120.
    """
    # Zeros around the sound, so that the edges ring as they do in a converter.
    padded = np.pad(wave, round(_HOP_SECONDS * rate))
    peak = float(np.max(np.abs(resample(padded, rate, _OVERSAMPLING * rate))))
    return 20 * math.log10(max(peak, 10 ** (SILENCE_LUFS / 20)))


def k_weighting(rate: float) -> list[tuple[tuple[float, float, float], tuple[float, float, float]]]:
    """Numerator and denominator of the two K-weighting filters at `rate` Hz: head shelf, then high pass.

    The analogue prototypes behind the standard's table for 48 kHz, brought to other rates by the bilinear
    transform (De Man, "Evaluation of implementations of the EBU R128 loudness measurement", 2014).
    """
    k, q = math.tan(math.pi * 1681.974450955533 / rate), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = (
        ((high + band * k / q + k * k) / a0, 2 * (k * k - high) / a0, (high - band * k / q + k * k) / a0),
        (1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0),
    )
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    return [shelf, ((1.0, -2.0, 1.0), (1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0))]


def _weight(wave: Wave, rate: int) -> NDArray[np.float64]:
    # Filtered as a spectrum: the response has died away within the quarter second of zeros behind the sound.
    length = len(wave) + rate // 4
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(length))
    spectrum = np.fft.rfft(wave, length)
    for numerator, denominator in k_weighting(rate):
        spectrum *= np.polyval(numerator[::-1], z) / np.polyval(denominator[::-1], z)
    return np.fft.irfft(spectrum, length)[: len(wave)]


def _lufs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return -0.691 + 10 * np.log10(power)


def _mean_square(wave: Wave) -> float:
    return float(np.mean(np.square(wave, dtype=np.float64))) if len(wave) else 0.0

"""Loudness of a sound in LUFS."""

from __future__ import annotations

import numpy as np
import pyloudnorm

from unison_engine.audio import Wave

SILENCE_LUFS = -120.0
_BLOCK_SECONDS = 0.4


def integrated_lufs(wave: Wave, rate: int) -> float:
    """Integrated loudness (ITU-R BS.1770-4) of [samples] at `rate` Hz.

    A sound under 0.4 s is shorter than the gate's block: its RMS in dBFS is given instead. Silence, and what lies wholly
    below the gate at -70 LUFS, is -120.
    """
    if len(wave) < round(_BLOCK_SECONDS * rate):
        rms = float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) if len(wave) else 0.0
        return max(SILENCE_LUFS, 20 * float(np.log10(max(rms, 1e-12))))
    loudness = float(pyloudnorm.Meter(rate).integrated_loudness(wave.astype(np.float64)))
    return loudness if np.isfinite(loudness) else SILENCE_LUFS

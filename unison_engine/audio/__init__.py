"""Waves in and out of files, and the few operations every task shares. All waves are float32 mono [samples]."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from unison_engine.errors import UnknownAsset

TARGET_RMS = 0.1
FADE_SECONDS = 0.02

Wave = NDArray[np.float32]


def read_audio(path: str | Path, rate: int) -> Wave:
    """Read a recording as mono at `rate` Hz.

    Raises:
        UnknownAsset: there is no such file, or it holds no audio that libsndfile reads.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UnknownAsset(f"there is no file {str(path)!r}; give the path of a WAV, FLAC, OGG or MP3 file.")
    with path.open("rb") as file:
        return decode_audio(file, rate, str(path))


def decode_audio(file: BinaryIO, rate: int, name: str) -> Wave:
    """Read an open recording as mono at `rate` Hz; `name` is what an error calls it.

    Raises:
        UnknownAsset: it holds no audio that libsndfile reads.
    """
    try:
        samples, native_rate = soundfile.read(file, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise UnknownAsset(f"{name!r} is not readable audio ({error}); convert it to WAV or FLAC.") from error
    if not len(samples):
        raise UnknownAsset(f"{name!r} holds no samples; give a recording with sound in it.")
    if not np.isfinite(samples).all():
        raise UnknownAsset(f"{name!r} holds samples that are no numbers; write it anew from where it came from.")
    return resample(samples.mean(axis=1), native_rate, rate)


def resample(wave: Wave, rate: float, new_rate: float) -> Wave:
    """Resample from `rate` to `new_rate`, both in Hz."""
    if rate == new_rate:
        return wave
    return np.asarray(soxr.resample(wave, rate, new_rate), dtype=np.float32)


def rms_normalise(wave: Wave, target: float = TARGET_RMS) -> Wave:
    """Scale to an RMS of `target` (full scale 1.0); silence stays silence.

    The same rule as UNISON's inference (arXiv 2605.31530): w * target / (rms + 1e-8), no peak limit.
    """
    rms = float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) if len(wave) else 0.0
    return np.asarray(wave * np.float32(target / (rms + 1e-8))) if rms > 0 else wave


def sounding(wave: Wave, rate: int) -> tuple[int, int]:
    """Samples (first, end) between which a wave is louder than 40 dB below its loudest 10 ms; (0, 0) for silence."""
    hop = rate // 100
    frames = wave[: len(wave) // hop * hop].reshape(-1, hop)
    energy = np.square(frames, dtype=np.float64).mean(axis=1)
    if not (energy > 0).any():
        return 0, 0
    loud = np.flatnonzero(energy > 1e-4 * energy.max())
    return int(loud[0]) * hop, int(loud[-1] + 1) * hop


def cut_reference(wave: Wave, rate: int, max_seconds: float = 3.0, search_seconds: float = 0.5) -> Wave:
    """Cut a voice reference to at most `max_seconds`, at the last silence of its final `search_seconds`.

    A 20 ms window below -40 dB RMS counts as silence; the cut falls in its middle. Without one the cut is hard.
    """
    limit = round(max_seconds * rate)
    if len(wave) <= limit:
        return wave
    window = round(0.02 * rate)
    earliest = limit - round(search_seconds * rate)
    for start in reversed(range(earliest, limit - window + 1, window // 2)):
        if np.sqrt(np.mean(np.square(wave[start : start + window], dtype=np.float64))) < 10 ** (-40 / 20):
            return wave[: start + window // 2]
    return wave[:limit]


def reference_end(reference_samples: int, hop: int) -> int:
    """Sample at which a cloned line begins behind its reference: on the latent grid."""
    return round(reference_samples / hop) * hop


def fade_in(samples: int, rate: int) -> Wave:
    """Gains of the first 20 ms of a cloned line of so many samples, or of all of a shorter one."""
    return np.linspace(0.0, 1.0, min(round(FADE_SECONDS * rate), samples), dtype=np.float32)


def crop_reference(wave: Wave, reference_samples: int, hop: int, rate: int) -> Wave:
    """Drop the reference from the front of a cloned line, on the latent grid, and fade in over 20 ms."""
    new = wave[reference_end(reference_samples, hop) :].copy()
    gains = fade_in(len(new), rate)
    new[: len(gains)] *= gains
    return new

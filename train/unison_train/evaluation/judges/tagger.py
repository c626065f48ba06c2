"""Which of 39 procedural kinds of sound is heard, and when: a small network of our own.

No pretrained classifier of sound events was to be had, so this one is trained by `unison-train tagger` on sounds of
`unison_train.corpus.foley` whose seeds neither the corpus nor the requests use, alone and in mixtures, under speech and
noise. It knows these kinds and nothing else; its weights are part of the package, so that numbers stay comparable.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from unison_engine.audio import Wave, rms_normalise
from unison_engine.errors import UnknownAsset
from unison_train.autoencoder.spectrum import mel_filters
from unison_train.corpus.foley.catalogue import JUDGED

RATE = 16_000
WINDOW, HOP, MELS = 512, 160, 64
FRAME_SECONDS = 4 * HOP / RATE
"""The network tells what it hears every 40 ms."""
KINDS = tuple(sound.label for sound in JUDGED)
WEIGHTS = Path(__file__).parent / "tagger.safetensors"
HEARD = 0.5
"""A kind is heard where its probability is at least this."""

_FLOOR = 1e-5
_BRIEF = 3


class TaggerNetwork(nn.Module):
    """Convolutions over time and frequency, then over time; 0.15 million parameters."""

    def __init__(self, kinds: int = len(KINDS)) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_block(1, 24, 5, (2, 2)),
            *_block(24, 32, 3, (2, 2)),
            *_block(32, 48, 3, (2, 1)),
            *_block(48, 64, 3, (2, 1)),
        )
        self.context = nn.Conv1d(64 * MELS // 16, 128, 3, padding=1)
        self.output = nn.Conv1d(128, kinds, 1)
        self.register_buffer("taper", torch.hann_window(WINDOW), persistent=False)
        self.register_buffer("filters", torch.from_numpy(mel_filters(RATE, WINDOW, MELS)).float(), persistent=False)
        self.taper: Tensor
        self.filters: Tensor

    def log_mel(self, wave: Tensor) -> Tensor:
        """Wave [B, N] at 16 kHz -> log-mel spectrogram [B, 64, N // 160 + 1], about zero mean and unit deviation."""
        spectrum = torch.stft(wave, WINDOW, HOP, window=self.taper, return_complex=True, pad_mode="constant").abs()
        mel = (spectrum.transpose(1, 2) @ self.filters).transpose(1, 2)
        return (mel.clamp(min=_FLOOR).log() + 4.0) / 3.0

    def forward(self, log_mel: Tensor) -> Tensor:
        """Log-mel spectrogram [B, 64, T] -> logits [B, kinds, T // 4]."""
        logits: Tensor = self.output(self.hidden(log_mel))
        return logits

    def hidden(self, log_mel: Tensor) -> Tensor:
        """Log-mel spectrogram [B, 64, T] -> what the logits are linear in, [B, 128, T // 4]."""
        return F.relu(self.context(self.layers(log_mel[:, None]).flatten(1, 2)))


def _block(inputs: int, outputs: int, kernel: int, stride: tuple[int, int]) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU()


class Tagger:
    """The trained network.

    Raises:
        UnknownAsset: the weights are missing or were trained on other kinds.
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        if not weights.is_file():
            raise UnknownAsset(f"{weights} does not exist; train it: unison-train tagger --corpus DIR --out {weights}")
        with safe_open(weights, "pt") as file:
            self.record: dict[str, Any] = json.loads(file.metadata()["record"])
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (not a dict)
        if tuple(self.record["kinds"]) != KINDS:
            raise UnknownAsset(
                f"{weights} knows other kinds of sound than the catalogue; train another with unison-train tagger"
            )
        self._network = TaggerNetwork()
        # Counters of batches are integers, and of no use any more.
        self._network.load_state_dict(state, strict=False)
        self._network.eval().requires_grad_(False)

    def frames(self, wave: Wave) -> NDArray[np.float32]:
        """Probability of each kind every 40 ms, [kinds, T], in a wave [samples] at 16 kHz."""
        return probabilities(self._network, wave)

    def embedding(self, wave: Wave) -> NDArray[np.float32]:
        """Mean over time of the hidden features, [128], of a wave [samples] at 16 kHz, however loud."""
        with torch.no_grad():
            hidden = self._network.hidden(_log_mel(self._network, wave))[0]
        return np.asarray(hidden.mean(dim=1).numpy())


def probabilities(network: TaggerNetwork, wave: Wave) -> NDArray[np.float32]:
    """See `Tagger.frames`; the network must be in evaluation mode."""
    with torch.no_grad():
        logits = network(_log_mel(network, wave))[0]
    return np.asarray(torch.sigmoid(logits).numpy())


def _log_mel(network: TaggerNetwork, wave: Wave) -> Tensor:
    padded = np.pad(rms_normalise(wave), (0, max(0, WINDOW * 4 - len(wave))))
    return network.log_mel(torch.from_numpy(padded)[None])


def strength(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """How surely each kind is in a clip, [kinds]: the mean over its three surest frames, since a click has no more."""
    best = np.sort(frames, axis=1)[:, -_BRIEF:]
    return np.asarray(best.mean(axis=1))


def segments(frames: NDArray[np.float32], shortest: int = 2, gap: int = 12) -> list[tuple[str, float]]:
    """What is heard and from when on, in seconds: runs of frames in which a kind is heard.

    Pauses of up to `gap` frames do not end a run (half a second: between two footsteps), runs under `shortest` frames
    are not counted.
    """
    found = []
    for kind, row in zip(KINDS, frames, strict=True):
        heard = np.flatnonzero(row >= HEARD)
        runs = np.split(heard, np.flatnonzero(np.diff(heard) > gap) + 1)
        found += [(kind, float(run[0]) * FRAME_SECONDS) for run in runs if len(run) >= shortest]
    return sorted(found, key=lambda one: one[1])

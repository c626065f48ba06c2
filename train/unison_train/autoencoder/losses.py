"""Spectral distances at several resolutions, and a small adversary on spectrograms."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RESOLUTIONS = (128, 256, 512, 1024, 2048)
_FLOOR = 1e-4


def spectral_distance(made: Tensor, real: Tensor, resolutions: Sequence[int] = RESOLUTIONS) -> Tensor:
    """Mean over resolutions of the log-magnitude error and the magnitude error relative to the signal.

    Waves [B, N]; windows in samples, hop a quarter of the window.
    """
    total = made.new_zeros(())
    for window in resolutions:
        ours, theirs = magnitude(made, window), magnitude(real, window)
        log_error = (ours.clamp(min=_FLOOR).log() - theirs.clamp(min=_FLOOR).log()).abs().mean()
        relative = (ours - theirs).abs().mean() / (theirs.mean() + _FLOOR)
        total = total + log_error + relative
    return total / len(resolutions)


def magnitude(wave: Tensor, window: int) -> Tensor:
    """Magnitude spectrogram [B, bins, frames], scaled so that a full-scale sine is about 0.5."""
    return _stft(wave, window).abs()


def _stft(wave: Tensor, window: int) -> Tensor:
    taper = torch.hann_window(window, device=wave.device)
    spectrum = torch.stft(wave.float(), window, window // 4, window=taper, return_complex=True)
    return spectrum / taper.sum()


class Adversary(nn.Module):
    """Judges of complex spectrograms, one per resolution; scores and inner features of each."""

    def __init__(self, windows: Sequence[int] = (512, 1024, 2048), width: int = 16) -> None:
        super().__init__()
        self.windows = tuple(windows)
        self.judges = nn.ModuleList(_Judge(width) for _ in windows)

    def forward(self, wave: Tensor) -> list[list[Tensor]]:
        """Wave [B, N] -> per resolution the features of each layer, the scores last."""
        found = []
        for window, judge in zip(self.windows, self.judges, strict=True):
            spectrum = _stft(wave, window)
            # Compressed, so that quiet detail counts too.
            level = (spectrum.abs() + _FLOOR).pow(-0.6)
            found.append(judge(torch.stack([spectrum.real * level, spectrum.imag * level], dim=1)))
        return found


class _Judge(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        channels = (2, width, 2 * width, 2 * width, 2 * width)
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv2d(a, b, (5, 3), stride=(2, 1), padding=(2, 1)))
            for a, b in pairwise(channels)
        )
        self.score = nn.utils.parametrizations.weight_norm(nn.Conv2d(channels[-1], 1, 3, padding=1))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            features.append(x)
        return [*features, self.score(x)]


def judge_loss(real: list[list[Tensor]], made: list[list[Tensor]]) -> Tensor:
    """Hinge loss of the adversary."""
    terms = [F.relu(1 - r[-1]).mean() + F.relu(1 + m[-1]).mean() for r, m in zip(real, made, strict=True)]
    return torch.stack(terms).mean()


def deceive_loss(real: list[list[Tensor]], made: list[list[Tensor]]) -> tuple[Tensor, Tensor]:
    """Loss of the decoder against the adversary, and the distance of inner features."""
    fooled = torch.stack([-m[-1].mean() for m in made]).mean()
    matched = torch.stack(
        [
            (a - b.detach()).abs().mean() / (b.detach().abs().mean() + _FLOOR)
            for m, r in zip(made, real, strict=True)
            for a, b in zip(m[:-1], r[:-1], strict=True)
        ]
    ).mean()
    return fooled, matched

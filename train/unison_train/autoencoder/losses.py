"""Spectral distances at several resolutions, and a small adversary on spectrograms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unison_train.autoencoder.spectrum import mel_filters

RESOLUTIONS = (128, 256, 512, 1024, 2048)
_FLOOR = 1e-4


def spectral_distance(made: Tensor, real: Tensor, rate: int, resolutions: Sequence[int] = RESOLUTIONS) -> Tensor:
    """Mean over resolutions of three errors: of log magnitudes, of log mel bands, and relative to the signal.

    Bins are spaced evenly, so most of them lie above the formants of speech; the mel bands weigh those anew.

    Waves [B, N] at `rate` Hz; windows in samples, hop a quarter of the window, one mel band for 16 samples of window.
    """
    total = made.new_zeros(())
    for window in resolutions:
        ours, theirs = magnitude(made, window), magnitude(real, window)
        filters = _filters(rate, window).to(made.device)
        bands = _log_error(ours.transpose(1, 2) @ filters, theirs.transpose(1, 2) @ filters)
        relative = (ours - theirs).abs().mean() / (theirs.mean() + _FLOOR)
        total = total + _log_error(ours, theirs) + bands + relative
    return total / len(resolutions)


@cache
def _filters(rate: int, window: int) -> Tensor:
    return torch.from_numpy(mel_filters(rate, window, window // 16)).float()


def _log_error(made: Tensor, real: Tensor) -> Tensor:
    return (made.clamp(min=_FLOOR).log() - real.clamp(min=_FLOOR).log()).abs().mean()


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
            image = torch.stack([spectrum.real * level, spectrum.imag * level], dim=1)
            # A processor convolves a fifth faster with the channels last.
            found.append(judge(image.contiguous(memory_format=torch.channels_last)))
        return found


class _Judge(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        channels = (2, width, 2 * width, 2 * width, 2 * width)
        strides = ((2, 1), (2, 2), (2, 2), (2, 1))
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv2d(a, b, (5, 3), stride, padding=(2, 1)))
            for (a, b), stride in zip(pairwise(channels), strides, strict=True)
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

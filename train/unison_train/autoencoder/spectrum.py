"""Short-time Fourier analysis and synthesis as matrix products, which export with dynamic length; mel filters."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F


class Spectrum(nn.Module):
    """Hann-windowed STFT of `window` samples every `hop` samples, and its inverse.

    Framing is such that `frames * hop` samples give exactly `frames` frames, and back.
    """

    def __init__(self, window: int, hop: int) -> None:
        super().__init__()
        if window % (2 * hop):
            raise ValueError(f"window {window} must be a multiple of twice the hop {hop}")
        self.window, self.hop, self.bins = window, hop, window // 2 + 1
        sample = torch.arange(window, dtype=torch.float64)
        taper = 0.5 - 0.5 * torch.cos(2 * math.pi * sample / window)
        angle = 2 * math.pi * torch.outer(sample, torch.arange(self.bins, dtype=torch.float64)) / window
        forward = torch.cat([angle.cos(), -angle.sin()], dim=1) * taper[:, None]
        weight = torch.full((self.bins,), 2.0, dtype=torch.float64)
        weight[0] = weight[-1] = 1.0
        inverse = torch.cat([angle.cos() * weight, -angle.sin() * weight], dim=1).T * taper / window
        # Squared Hann windows at this overlap add up to a constant.
        inverse = inverse / (taper.square().sum() / hop)
        self.register_buffer("forward_basis", forward.float(), persistent=False)
        self.register_buffer("inverse_basis", inverse.float(), persistent=False)
        self.forward_basis: Tensor
        self.inverse_basis: Tensor

    @property
    def margin(self) -> int:
        """Samples by which the first and the last window reach over the ends."""
        return (self.window - self.hop) // 2

    def analyse(self, wave: Tensor) -> Tensor:
        """Wave [B, frames * hop] -> real and imaginary parts [B, frames, 2 * bins]."""
        unit = self.hop // 2
        blocks = F.pad(wave, (self.margin, self.margin)).unflatten(1, (-1, unit))
        frames = wave.shape[1] // self.hop
        pieces = [blocks[:, start : start + 2 * frames : 2] for start in range(self.window // unit)]
        return torch.cat(pieces, dim=2) @ self.forward_basis

    def synthesise(self, spectrum: Tensor) -> Tensor:
        """Real and imaginary parts [B, frames, 2 * bins] -> wave [B, frames * hop]."""
        pieces = (spectrum @ self.inverse_basis).unflatten(2, (-1, self.hop))
        overlaps = pieces.shape[2]
        wave = sum(
            F.pad(pieces[:, :, shift].flatten(1), (shift * self.hop, (overlaps - 1 - shift) * self.hop))
            for shift in range(overlaps)
        )
        assert isinstance(wave, Tensor)
        return wave[:, self.margin : wave.shape[1] - self.margin]


def mel_filters(rate: int, window: int, mels: int) -> NDArray[np.float64]:
    """Triangular filters on the mel scale 2595 log10(1 + f / 700), [window // 2 + 1, mels], each with sum 1."""
    bins = np.arange(window // 2 + 1) * rate / window
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, mels + 2) / 2595) - 1)
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling))
    # At the bottom the filters are narrower than a bin; such a filter takes the bin nearest to its centre.
    empty = np.flatnonzero(filters.sum(axis=0) == 0)
    filters[np.abs(bins[:, None] - edges[1:-1][empty]).argmin(axis=0), empty] = 1.0
    result: NDArray[np.float64] = filters / filters.sum(axis=0)
    return result

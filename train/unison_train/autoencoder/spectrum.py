"""Short-time Fourier analysis and synthesis as matrix products, so that they export with dynamic length."""

from __future__ import annotations

import math

import torch
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

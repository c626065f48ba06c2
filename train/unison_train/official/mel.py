"""The mel front ends of the published variants: what their VAEs read and their vocoders take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

FLOOR = 1e-5
"""Least mel magnitude; silence is its logarithm."""
DITHER = 1e-4
"""Samples below this magnitude are replaced by noise of this deviation where a variant dithers."""


@dataclass(frozen=True)
class MelConfig:
    """A mel spectrogram: `window` (= FFT length) and `hop` in samples, `top` in Hz."""

    sample_rate: int
    window: int
    hop: int
    mels: int
    top: float
    logarithm: Literal["natural", "decimal"]
    dithered: bool


MEL = {
    "16k": MelConfig(16_000, 1024, 256, 80, 8_000.0, "decimal", True),
    "44k": MelConfig(44_100, 2048, 512, 128, 22_050.0, "natural", False),
}


class MelSpectrogram(nn.Module):
    """Waves to log-mel spectrograms: reflected ends, periodic Hann window, magnitudes, Slaney filters."""

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.config = config
        filters = slaney_filters(config.sample_rate, config.window, config.mels, config.top)
        taper = torch.hann_window(config.window, dtype=torch.float64)
        self.register_buffer("taper", taper.float(), persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)
        self.taper: Tensor
        self.filters: Tensor

    def forward(self, wave: Tensor, noise: Tensor | None = None) -> Tensor:
        """Wave [B, N] -> log mel [B, mels, N // hop]; samples beyond -1 and 1 are clipped.

        `noise` [B, N], of unit deviation, is what a variant dithers near silence with; None leaves silence silent.
        """
        config = self.config
        wave = wave.clamp(-1.0, 1.0)
        if noise is not None and config.dithered:
            wave = torch.where(wave.abs() < DITHER, DITHER * noise, wave)
        margin = (config.window - config.hop) // 2
        wave = F.pad(wave[:, None], (margin, margin), mode="reflect")[:, 0]
        # An operation of ONNX as well, unlike a transform of windows that are cut out first.
        spectrum = torch.stft(
            wave, config.window, config.hop, window=self.taper, center=False, onesided=True, return_complex=True
        )
        magnitude = (torch.view_as_real(spectrum).square().sum(3) + 1e-9).sqrt()
        mel = (self.filters @ magnitude).clamp(min=FLOOR)
        return mel.log10() if config.logarithm == "decimal" else mel.log()


def slaney_filters(rate: int, window: int, mels: int, top: float) -> NDArray[np.float64]:
    """Triangular filters [mels, window // 2 + 1] of equal area, from 0 to `top` Hz (Slaney, "Auditory Toolbox", 1998).

    The scale is linear up to 1000 Hz at 200/3 Hz a mel, and above in steps of log(6.4) / 27.
    """
    knee, step, growth = 1000.0, 200.0 / 3.0, np.log(6.4) / 27.0
    highest = top / step if top < knee else knee / step + np.log(top / knee) / growth
    points = np.linspace(0.0, highest, mels + 2)
    above = knee * np.exp(growth * (points - knee / step))
    edges = np.where(points < knee / step, step * points, above)
    bins = np.arange(window // 2 + 1) * rate / window
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.maximum(0.0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    filters: NDArray[np.float64] = triangles * 2.0 / (high - low)
    return filters

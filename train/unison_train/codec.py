"""What a network needs of the audio side: waves to latents and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from torch import Tensor, nn


class Codec(nn.Module, ABC):
    """Waves [B, N] to latents [B, C, T] and back, frozen while a network learns.

    Attributes:
        dither: samples below this were replaced by noise of this RMS in training, and have to be before `encode`.
    """

    dither: float = 0.0

    @abstractmethod
    def encode(self, wave: Tensor) -> Tensor:
        """Wave [B, N] -> latent [B, C, T]."""

    @abstractmethod
    def decode(self, latent: Tensor) -> Tensor:
        """Latent [B, C, T] -> wave [B, N]."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what `Checkpoint.load` needs to make it again."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What a model card tells of it."""

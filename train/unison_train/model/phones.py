"""Phones of spoken words, as text tokens of every block. Shapes: B batch, N phones, h width, D depth."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unison_engine.pronunciation import SYMBOLS
from unison_train.model.config import DiTConfig
from unison_train.model.functional import layer_norm

_BLOCKS, _KERNEL = 3, 7


class PhoneEncoder(nn.Module):
    """Embeds phones, lets each see its neighbours, and projects them once per block of the network.

    An addition of `nano` to UNISON (arXiv 2605.31530), which reads spoken words through its language model alone: a
    small network learns a few dozen phones long before it learns how tens of thousands of words are spelled.
    """

    def __init__(self, config: DiTConfig) -> None:
        """Sizes from the configuration."""
        super().__init__()
        width = config.width
        self.depth = config.depth
        self.embedding = nn.Embedding(1 + len(SYMBOLS), width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(_BLOCKS))
        self.outward = nn.Linear(width, config.depth * width)

    def forward(self, phones: Tensor, mask: Tensor) -> Tensor:
        """Numbers [B, N] and a mask [B, N] (1 counts) -> tokens [D, B, N, h]."""
        real = mask[..., None]
        x = self.embedding(phones) * real
        for block in self.blocks:
            x = block(x) * real
        tokens = self.outward(layer_norm(x)).unflatten(2, (self.depth, -1))
        return layer_norm(tokens).movedim(2, 0)


class _Block(nn.Module):
    """Depthwise convolution over the sequence, then a pointwise MLP, with a residual around both."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # The bias is that of the linear layer behind it.
        self.kernels = nn.Parameter(torch.randn(width, _KERNEL) / math.sqrt(_KERNEL))
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = F.conv1d(
            x.transpose(1, 2), self.kernels[:, None], padding="same", groups=len(self.kernels)
        ).transpose(1, 2)
        y = self.outer(F.gelu(self.inner(layer_norm(y)), approximate="tanh"))
        return x + y

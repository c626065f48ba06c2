"""What depends on time alone. Shapes: N times, D depth, h width."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unison_train.model.config import DiTConfig
from unison_train.model.functional import SINUSOID_WIDTH, sinusoid

FRAME_PARTS, TEXT_PARTS, FINAL_PARTS = 6, 2, 2
BLOCK_PARTS = FRAME_PARTS + TEXT_PARTS
"""Modulations of a block: shift, scale and gate of its attention and of its MLP, then shift and scale of its text."""


class TimeModulation(nn.Module):
    """Every shift, scale and gate of the network; all of them are zero before training.

    Nothing here sees a sound or a prompt, so a sampler can run it once for all times of its schedule: a quarter of
    the weights of the published networks is then not read again at each evaluation.
    """

    def __init__(self, config: DiTConfig) -> None:
        """Sizes from the configuration."""
        super().__init__()
        width = config.width
        self.time_in = nn.Linear(SINUSOID_WIDTH, width)
        self.time_out = nn.Linear(width, width)
        self.frames = nn.ModuleList(nn.Linear(width, FRAME_PARTS * width) for _ in range(config.depth))
        self.text = nn.ModuleList(nn.Linear(width, TEXT_PARTS * width) for _ in range(config.depth))
        self.final = nn.Linear(width, FINAL_PARTS * width)

    def forward(self, time: Tensor) -> Tensor:
        """Times in [0, 1], [N] -> [N, 8 D + 2, h]: block after block, then shift and scale of the output layer."""
        vector = F.silu(self.vector(time))
        blocks = [linear(vector) for pair in zip(self.frames, self.text, strict=True) for linear in pair]
        modulations: Tensor = torch.cat([*blocks, self.final(vector)], dim=1).unflatten(1, (-1, vector.shape[1]))
        return modulations

    def vector(self, time: Tensor) -> Tensor:
        """The only global conditioning, [N] -> [N, h]."""
        vector: Tensor = self.time_out(F.silu(self.time_in(sinusoid(time))))
        return vector

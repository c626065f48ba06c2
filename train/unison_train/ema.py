"""Exponential moving average of parameters."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.nn import Parameter


class ExponentialMovingAverage:
    """Averages parameters with decay min(decay, (1 + n) / (10 + n)), so that the first steps are forgotten soon.

    Attributes:
        average: one tensor for each parameter, in order; sharded where the parameters are.
        updates: n, the number of updates so far.
    """

    def __init__(self, parameters: Iterable[Parameter], decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.average = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def update(self, parameters: Iterable[Parameter]) -> None:
        """Move the average towards the parameters, which come in the order of construction."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.average, [parameter.detach() for parameter in parameters], 1 - decay)

    @torch.no_grad()
    def swap(self, parameters: Iterable[Parameter]) -> None:
        """Exchange average and parameters, to use the average in their place; done twice, nothing has changed."""
        for parameter, average in zip(parameters, self.average, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(kept)

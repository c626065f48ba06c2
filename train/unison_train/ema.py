"""Exponential moving average of parameters."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import Parameter


class ExponentialMovingAverage:
    """Averages parameters with decay min(decay, (1 + n) / (10 + n)), so that the first steps are forgotten soon."""

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
    def copy_to(self, parameters: Iterable[Parameter]) -> None:
        """Overwrite the parameters with the average."""
        for parameter, average in zip(parameters, self.average, strict=True):
            parameter.copy_(average)

    def state_dict(self) -> dict[str, int | list[Tensor]]:
        """State for a checkpoint."""
        return {"updates": self.updates, "average": self.average}

    def load_state_dict(self, state: dict[str, int | list[Tensor]]) -> None:
        """Restore a state from `state_dict`."""
        updates, average = state["updates"], state["average"]
        assert isinstance(updates, int) and isinstance(average, list)
        self.updates = updates
        torch._foreach_copy_(self.average, average)

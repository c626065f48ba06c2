"""Where the time of a step goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """Adds up the seconds spent in named parts.

    On a GPU these are the host's seconds, in which work is only queued; with `exact` each part waits for the device,
    so that the work is counted where it belongs, and training is a little slower.
    """

    def __init__(self, device: torch.device, exact: bool = False) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.exact = exact
        self._device = device

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what happens inside under a name."""
        started = time.perf_counter()
        yield
        if self.exact and self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self.seconds[name] += time.perf_counter() - started

"""How loud what goes out and what comes in is, measured by the threads that carry it, while somebody wants to know."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import numpy as np

from unison_engine.audio.voice import Block

SILENCE = -120.0
"""dBFS; told of everything that is fainter."""


@dataclass(frozen=True)
class Level:
    """The loudest channel of a stretch of sound, in dBFS: a full-scale sine has a peak of 0 and an RMS of -3.01.

    Attributes:
        peak: of the samples.
        rms: over the stretch.
        reduction: dB that the limiter took away where it took most; 0 for what comes in.
    """

    peak: float = SILENCE
    rms: float = SILENCE
    reduction: float = 0.0


class Meter:
    """Measures the frames between two readings, from `start` to `stop`. One thread adds, others do the rest."""

    def __init__(self) -> None:
        """Begin at rest: frames are passed over."""
        self._running = False
        self._lock = threading.Lock()
        self._frames = 0
        self._peak = self._reduction = 0.0
        self._squares = np.zeros(0)  # Sum of each channel.

    def start(self) -> None:
        """Measure what comes from now on; one that measures goes on."""
        with self._lock:
            self._running = True

    def stop(self) -> None:
        """Measure no longer."""
        with self._lock:
            self._running = False
            self._clear(0)

    def add(self, block: Block, reduction: float = 0.0) -> None:
        """Take in [frames, channels] that the limiter took so many dB from; makes nothing larger than the channels."""
        if not self._running or not block.size:
            return
        with self._lock:
            if len(self._squares) != block.shape[1]:
                self._clear(block.shape[1])  # Another device.
            self._peak = max(self._peak, float(block.max()), -float(block.min()))
            self._squares += np.einsum("fc,fc->c", block, block)
            self._frames += len(block)
            self._reduction = max(self._reduction, reduction)

    def read(self) -> Level:
        """What was added since it was read last."""
        with self._lock:
            mean = float(self._squares.max(initial=0.0)) / max(1, self._frames)
            level = Level(_decibels(self._peak), _decibels(math.sqrt(mean)), self._reduction)
            self._clear(len(self._squares))
            return level

    def _clear(self, channels: int) -> None:
        self._frames = 0
        self._peak = self._reduction = 0.0
        self._squares = np.zeros(channels)


def _decibels(value: float) -> float:
    return max(SILENCE, 20 * math.log10(value)) if value > 0 else SILENCE

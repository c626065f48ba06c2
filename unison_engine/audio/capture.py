"""The last seconds of what came in, always at hand."""

from __future__ import annotations

import numpy as np

from unison_engine.audio.voice import Block


class CaptureRing:
    """Keeps the last frames that were written; not to be used by two threads at once.

    Attributes:
        rate: frames a second.
        written: frames so far, those included that are forgotten.
    """

    def __init__(self, seconds: float, rate: float, channels: int) -> None:
        """Begin empty; zero channels hold nothing."""
        self.rate = rate
        self.written = 0
        self._ring = np.zeros((round(seconds * rate), channels), np.float32)

    @property
    def held(self) -> int:
        """Frames that are there."""
        return min(self.written, len(self._ring))

    def write(self, block: Block) -> None:
        """Add [frames, channels]."""
        kept = block[-len(self._ring) :]
        at = (self.written + len(block) - len(kept)) % len(self._ring)
        first = min(len(kept), len(self._ring) - at)
        self._ring[at : at + first] = kept[:first]
        self._ring[: len(kept) - first] = kept[first:]
        self.written += len(block)

    def last(self, frames: int) -> Block:
        """The last frames, oldest first, [up to frames, channels]."""
        count, end = min(frames, self.held), self.written % len(self._ring)
        later = min(count, end)
        # No more than is asked for is copied: who writes may be waiting.
        return np.concatenate([self._ring[len(self._ring) - (count - later) :], self._ring[end - later : end]])

"""One sound being played: where it is on the line of frames, and how it begins, goes round and ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]
"""[frames, channels]."""

EDGE_SECONDS = 0.005
"""Fade at every edge that is not the recording's own: where it is stopped, entered in the middle, or left by a seek."""


class Ramp:
    """A gain that goes to a new value in a straight line, so that no step is heard."""

    def __init__(self, value: float, frames: int) -> None:
        """Begin at `value`; a change takes `frames`."""
        self.target = value
        self._frames = frames
        self._value = value
        self._left = 0

    def set(self, value: float) -> None:
        """Go to this value from where it is now."""
        self.target = value
        self._left = self._frames

    def next(self, count: int) -> np.float32 | Block:
        """The gain of the next `count` frames: one number, or [count, 1] while it changes."""
        if not self._left:
            self._value = self.target
            return np.float32(self.target)
        steps = np.minimum(np.arange(1, count + 1), self._left)
        gains = self._value + (self.target - self._value) * steps / self._left
        self._left = max(0, self._left - count)
        self._value = float(gains[-1])
        return gains.astype(np.float32)[:, None]


def raised_cosine(frames: NDArray[np.int64], length: int) -> Block:
    """Gains of a fade in over `length` frames at the given frames of it: 0 before, 1 after, [frames, 1]."""
    if length <= 0:
        return (frames >= 0).astype(np.float32)[:, None]
    part = np.clip(frames / length, 0.0, 1.0)
    return np.asarray(np.square(np.sin(0.5 * np.pi * part)), np.float32)[:, None]


@dataclass(frozen=True)
class Shape:
    """How a sound is played, in frames of the mixer.

    Attributes:
        gain: a factor.
        fade_in: from where it is entered.
        fade_out: up to its end.
        loop: it goes round until it is stopped.
        crossfade: how much of the end is laid over the beginning when it goes round; so much shorter is a round.
        offset: where it is entered.
    """

    gain: float = 1.0
    fade_in: int = 0
    fade_out: int = 0
    loop: bool = False
    crossfade: int = 0
    offset: int = 0


class Unfinished(Protocol):
    """How far the samples of a voice are made; see `unison_engine.audio.stream.Tap`."""

    ready: int
    edge: int


class Voice:
    """Gives the frames of one sound, in order. Of one that is being made it gives what is there, and then waits.

    Attributes:
        samples: [frames, 1 or more channels].
        shape: how it is played.
        start: frame of the mixer at which it begins; None while that is not known.
        gain: its own gain, which may be changed while it plays.
        tap: how far the sound is made, while it is; such a sound does not go round.
        dry: it waits for the next frames to be made.
    """

    def __init__(
        self, samples: Block, shape: Shape, start: int | None, ramp: int, tap: Unfinished | None = None
    ) -> None:
        """`ramp` is how many frames a change of gain takes."""
        self.samples = samples
        self.tap = tap
        self.dry = False
        self.shape = shape
        self.start = start
        self.gain = Ramp(shape.gain, ramp)
        self.played = 0  # Frames since the start.
        self._stop: tuple[int, int] | None = None  # (frame since the start, length of the fade)
        self._level = 1.0  # Where the fade of that stop begins: an earlier one may be on its way.
        self._resumed: int | None = None  # Frame since the start at which it ran dry.
        length = len(samples)
        self._seam = min(shape.crossfade, length // 2) if shape.loop else 0
        self._round = length - self._seam
        fade = raised_cosine(np.arange(self._seam), self._seam)
        self._head = samples[: self._seam] * fade + samples[self._round :][: self._seam] * (1 - fade)

    def place(self, played: int) -> int:
        """Frame of the sound that comes after so many frames of it."""
        at = self.shape.offset + played
        return at % max(1, self._round) if self.shape.loop else min(at, len(self.samples))

    @property
    def ahead(self) -> int:
        """Frames that are there and have yet to be played."""
        ready = self.tap.ready if self.tap else len(self.samples)
        return max(0, ready - self.shape.offset - self.played)

    @property
    def ended(self) -> bool:
        """Nothing more will come."""
        if not len(self.samples):
            return True
        if self._stop and self.played >= sum(self._stop):
            return True
        return not self.shape.loop and self.shape.offset + self.played >= len(self.samples)

    def stop(self, fade: int) -> None:
        """End it within so many frames from now on; an earlier stop that ends sooner stands."""
        if self.tap:
            fade = 0 if self.dry else min(fade, self.ahead)  # Dry, it is silent already.
        if self._stop is None or self.played + fade < sum(self._stop):
            self._level = self._faded
            self._stop = (self.played, fade)

    def stop_as(self, other: Voice, rate: float = 1.0) -> None:
        """Be stopped as another voice is, whose place it takes at so many times its rate."""
        if other._stop:
            self._level = other._faded
            self._stop = (0, round(max(0, sum(other._stop) - other.played) * rate))

    @property
    def _faded(self) -> float:
        """The gain that the fade of a stop has come down to."""
        if self._stop is None:
            return 1.0
        left = np.array([sum(self._stop) - self.played])
        return self._level * float(raised_cosine(left, self._stop[1])[0, 0])

    def next(self, count: int) -> Block:
        """Its next frames, [up to count, channels]: fewer at its end, and where they are not made yet."""
        if not self.shape.loop:
            count = min(count, len(self.samples) - self.shape.offset - self.played)
        if self._stop:
            count = min(count, sum(self._stop) - self.played)
        if self.tap and not (count := self._made(count, self.tap)):
            self._resumed = self.played
            return self.samples[:0]
        first, block = self.played, self._frames(self.shape.offset + self.played, count)
        self.played += count
        gain = self.gain.next(count)
        if isinstance(gain, np.ndarray) or gain != 1:
            block = block * gain
        if first < self.shape.fade_in:
            block = block * raised_cosine(np.arange(first, self.played), self.shape.fade_in)
        left = len(self.samples) - self.shape.offset - self.played  # After this block.
        if left < self.shape.fade_out and not self.shape.loop:
            block = block * raised_cosine(np.arange(left + count - 1, left - 1, -1), self.shape.fade_out)
        if self._stop:
            end = sum(self._stop) - first
            block = block * (self._level * raised_cosine(np.arange(end, end - count, -1), self._stop[1]))
        if self.tap:
            block = self._smoothed(block, self.tap.edge)
        return np.asarray(block, np.float32)

    def _made(self, count: int, tap: Unfinished) -> int:
        """How many of the next frames are given; once dry, none until all of them can be.

        As long as the sound is not whole, the frames of a fade are held back: so there are some when it runs dry. Once
        stopped it has frames to its end, and waits for no more.
        """
        if self._stop:
            return count
        was_dry = self.dry
        self.dry = self.ahead < count + (tap.edge if tap.ready < len(self.samples) else 0)
        if not self.dry:
            return count
        return 0 if was_dry else min(count, self.ahead)

    def _smoothed(self, block: Block, edge: int) -> Block:
        """A block that was just played, faded where it runs dry behind it or goes on after that."""
        first, count = self.played - len(block), len(block)
        if self._resumed is not None and first < self._resumed + edge:
            block = block * raised_cosine(np.arange(first, self.played) - self._resumed, edge)
        if self.dry:
            block = block * raised_cosine(np.arange(count, 0, -1), min(edge, count))
            self._resumed = self.played
        return block

    def _frames(self, first: int, count: int) -> Block:
        if not self.shape.loop:
            return self.samples[first : first + count]
        at = first % self._round
        if at + count <= self._round and (first < self._round or at >= self._seam):
            return self.samples[at : at + count]
        line = np.arange(first, first + count)
        block = self.samples[line % self._round]
        # The first time round it begins as it was recorded; from then on its head has the last end in it.
        seam = (line >= self._round) & (line % self._round < self._seam)
        if seam.any():
            block[seam] = self._head[line[seam] % self._round]
        return block

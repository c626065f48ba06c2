"""A sound that is played while it is made."""

from __future__ import annotations

import threading

import numpy as np
import soxr

from unison_engine.audio import Wave
from unison_engine.audio.voice import EDGE_SECONDS, Block


class Tap:
    """The frames of a stream at the rate at which they are played, as far as they are made.

    Attributes:
        samples: [frames, 1], all of the sound; zeros where it has yet to be made.
        ready: frames that are made.
        edge: frames of a fade where the stream runs dry, and where it goes on.
    """

    def __init__(self, frames: int, rate: float, new_rate: float) -> None:
        """Of a sound of so many frames of `rate` Hz, to be played at `new_rate`."""
        self.samples: Block = np.zeros((round(frames * new_rate / rate), 1), np.float32)
        self.ready = 0
        self.edge = round(EDGE_SECONDS * new_rate)
        self._resampler = None if rate == new_rate else soxr.ResampleStream(rate, new_rate, 1, dtype="float32")

    def fill(self, wave: Wave, last: bool) -> None:
        """Add [samples] of the stream; after the `last` of them everything is ready."""
        if self._resampler:
            wave = self._resampler.resample_chunk(wave, last=last)
        end = min(self.ready + len(wave), len(self.samples))
        self.samples[self.ready : end, 0] = wave[: end - self.ready]
        self.ready = len(self.samples) if last else end  # Behind the samples, which another thread reads up to here.


class Stream:
    """A mono sound that one thread makes while others play it; see `Sound`.

    Attributes:
        name: what clients call it.
        rate: Hz.
        made: samples that are there.
    """

    def __init__(self, name: str, rate: float, samples: int) -> None:
        """Begin empty; it will have so many samples."""
        self.name = name
        self.rate = rate
        self.made = 0
        self._wave: Wave = np.zeros(samples, np.float32)
        self._tap: Tap | None = None
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """Its length, once it is made."""
        return len(self._wave) / self.rate

    @property
    def complete(self) -> bool:
        """Whether all of it is made."""
        return self.made == len(self._wave)

    def write(self, wave: Wave) -> None:
        """Add [samples] behind those that are there."""
        with self._lock:
            self._wave[self.made : self.made + len(wave)] = wave
            self.made += len(wave)
            if self._tap:
                self._tap.fill(wave, self.complete)

    def tap(self, rate: float) -> Tap:
        """Its frames at another rate. They go on to be filled until another tap is taken."""
        with self._lock:
            self._tap = Tap(len(self._wave), self.rate, rate)
            self._tap.fill(self._wave[: self.made], self.complete)
            return self._tap

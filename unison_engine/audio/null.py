"""Devices without hardware, which keep time by the clock: `null` hears silence, `loopback` hears what it plays."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from unison_engine.audio.device import DeviceInfo, Feed, Wish
from unison_engine.audio.voice import Block

NULL, LOOPBACK = "null", "loopback"
RATE = 48_000.0
BLOCK_SECONDS = 0.01
_CHANNELS = 2
_STALL_SECONDS = 1.0


class NullDevice:
    """See `Device`; two channels in and out.

    A thread renders what is due. With `clock` given there is none: `pump` renders what is due by that clock.
    `position` counts the frames that were rendered.
    """

    out_latency = in_latency = 0.0
    load = 0.0
    underruns = overruns = 0
    alive = True
    inputs = outputs = _CHANNELS

    def __init__(self, name: str = NULL, wish: Wish | None = None, clock: Callable[[], float] | None = None) -> None:
        """`clock` gives Unix seconds."""
        self.name = name
        self.rate = (wish.rate if wish else 0.0) or RATE
        self.epoch = 0.0
        self._block = (wish.block if wish else 0) or round(BLOCK_SECONDS * self.rate)
        self._clock = clock or time.time
        self._thread = None if clock else threading.Thread(target=self._run, name="unison-null-device", daemon=True)
        self._closed = threading.Event()
        self.position = 0
        self._feed: Feed | None = None

    def start(self, feed: Feed, first: int) -> None:
        """See `Device.start`."""
        self._feed = feed
        self.position = first
        self.epoch = self._clock() - first / self.rate
        if self._thread:
            self._thread.start()

    def pump(self) -> None:
        """Render the blocks that have begun: so whatever has been heard has been rendered."""
        assert self._feed is not None
        now = self._clock()
        late = now - self.epoch - self.position / self.rate
        if abs(late) > _STALL_SECONDS and self._thread:
            self.epoch += late  # The machine slept, or its clock was set: go on from now.
        while self.epoch + self.position / self.rate <= now:
            block = self._feed.render(self._block)
            self._feed.capture(block if self.name == LOOPBACK else _silence(block))
            self.position += self._block

    def close(self) -> None:
        """See `Device.close`."""
        self._closed.set()
        if self._thread and self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(self._block / self.rate):
            self.pump()


def null_devices(default: bool) -> list[DeviceInfo]:
    """The two as they are listed; `default` if no other device is there."""
    return [
        DeviceInfo(-1, name, "clock", _CHANNELS, _CHANNELS, RATE, 0.0, default and name == NULL)
        for name in (NULL, LOOPBACK)
    ]


def _silence(block: Block) -> Block:
    return np.zeros_like(block)

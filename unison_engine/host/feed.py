"""A job's sound as a WAV file that can be read while it is made: 48 kHz, 24 bit, mono, as takes are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from unison_engine.audio import Wave
from unison_engine.audio.stream import Tap
from unison_engine.takes.wavefile import BITS, RATE, padding, pcm24, wav_head

_CHUNK_BYTES = 1 << 16


class Feed:
    """The file as far as it is made, for any number of readers. It belongs to the event loop."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._size = 0
        self._parts: list[bytes] = []
        self._ended = False
        self._news = asyncio.Event()

    def append(self, part: bytes, size: int) -> None:
        """Add the next part of a file of `size` bytes."""
        self._size = size
        self._parts.append(part)
        self._tell()

    def end(self) -> None:
        """No more comes, whether the file is whole or not."""
        self._ended = True
        self._tell()

    async def size(self) -> int:
        """Bytes of the whole file, as soon as its first part is there; 0 where it ended without any."""
        while not (self._parts or self._ended):
            await self._news.wait()
        return self._size

    async def read(self) -> AsyncIterator[bytes]:
        """The file from its start, in chunks of at most 64 KiB.

        Raises:
            ConnectionAbortedError: it ended before it was whole. A server breaks its answer off at this error.
        """
        parts = sent = 0
        while not self._size or sent < self._size:
            while parts == len(self._parts):
                if self._ended:
                    raise ConnectionAbortedError("the job ended before its sound was whole.")
                await self._news.wait()
            part = self._parts[parts]
            for start in range(0, len(part), _CHUNK_BYTES):
                yield part[start : start + _CHUNK_BYTES]
            parts += 1
            sent += len(part)

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class Recorder:
    """Makes the parts of the file from the pieces of a sound, in the thread that they come in."""

    def __init__(self, rate: int, tell: Callable[[bytes, int], object]) -> None:
        """The sound is of `rate` Hz; `tell` is given each part, and the bytes of the whole file."""
        self._rate = rate
        self._tell = tell
        self._tap: Tap | None = None
        self._heard = 0

    def __call__(self, wave: Wave, total: int) -> None:
        """Take the next [samples] of `total`. What passes full scale is clipped."""
        begins = self._tap is None
        tap = self._tap = self._tap or Tap(total, self._rate, RATE)
        before, self._heard = tap.ready, self._heard + len(wave)
        ends = self._heard == total
        tap.fill(wave, ends)
        size = len(tap.samples) * BITS // 8
        head, tail = wav_head(size), padding(size)
        part = pcm24(tap.samples[before : tap.ready, 0])
        self._tell((head if begins else b"") + part + (tail if ends else b""), len(head) + size + len(tail))

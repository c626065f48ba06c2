"""Sounds heard while they are made: the host's side."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from unison_engine.audio import Wave
from unison_engine.audio.playback import Playback
from unison_engine.audio.stream import Stream
from unison_engine.errors import UnisonError, UnknownPlayback


class Streaming:
    """Plays the sound of one job from its first piece on. It belongs to the thread that waits for the worker.

    Attributes:
        playback: what plays; None before the first piece.
    """

    def __init__(self, name: str, rate: float, play: Callable[[Stream], Playback], stop: Callable[[int], None]) -> None:
        """The sound of this name, at `rate` Hz; `play` has it played as its job asks for, `stop` ends a playback."""
        self.playback: Playback | None = None
        self._error: UnisonError | None = None
        self._name = name
        self._rate = rate
        self._play = play
        self._stop = stop
        self._stream: Stream | None = None

    def __call__(self, wave: Wave, total: int) -> None:
        """Take the next [samples] of `total`."""
        begins = self._stream is None
        stream = self._stream = self._stream or Stream(self._name, self._rate, total)
        stream.write(wave)
        if not begins:
            return
        try:
            self.playback = self._play(stream)
        except UnisonError as error:  # The sound is made nonetheless.
            self._error = error

    def check(self) -> None:
        """See that it was played.

        Raises:
            UnisonError: it was not; the error is that of the player.
        """
        if self._error:
            raise self._error

    def stop(self) -> None:
        """The job has no sound after all: what is heard of it ends."""
        if self.playback:
            with contextlib.suppress(UnknownPlayback):
                self._stop(self.playback.id)

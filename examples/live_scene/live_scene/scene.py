"""The scene that plays: a thread that asks the engine for one segment after the other, each for its time."""

from __future__ import annotations

import enum
import threading
import time
from typing import Any

from live_scene.segment import FADE_SECONDS
from unison_engine.client import Client
from unison_engine.errors import UnisonError
from unison_engine.plugin_parts import EngineAddress

AHEAD = 0.5
"""A segment is asked for when this share of the one before is still to be heard, or earlier on a slow machine:"""
MARGIN = 1.25
"""when this many times as long as the last one took to make is left."""
TRIES = 3


class State(enum.StrEnum):
    """How a scene goes."""

    PLAYING = "playing"
    STOPPED = "stopped"
    FAILED = "failed"


class Scene:
    """Plays from the moment it is made.

    Attributes:
        prompt: what the next segment is asked for.
        state: see `State`.
        segments: how many were handed to the device.
        take: the last of them.
        error: why it failed.
    """

    def __init__(self, engine: EngineAddress, prompt: str, seconds: float) -> None:
        """Segments last `seconds`."""
        self.prompt = prompt
        self.state = State.PLAYING
        self.segments = 0
        self.take = ""
        self.error = ""
        self._engine = engine
        self._seconds = seconds
        self._took = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._play, name="live scene", daemon=True)
        self._thread.start()

    def told(self) -> tuple[str, str, int, str, str]:
        """State, prompt, segments, the last take, and the error."""
        return self.state.value, self.prompt, self.segments, self.take, self.error

    def stop(self) -> None:
        """Ask for no more; what was handed over is still heard."""
        self._stopped.set()
        self.state = State.STOPPED

    def _play(self) -> None:
        try:
            with self._engine.connect() as engine:
                begins: float | None = None
                while not self._stopped.is_set():
                    begins = self._next(engine, begins)
                    ahead = max(AHEAD * self._seconds, MARGIN * self._took)
                    self._stopped.wait(max(0.0, begins - ahead - time.time()))
        except Exception as error:
            self.error, self.state = f"{type(error).__name__}: {error}", State.FAILED
            if not isinstance(error, UnisonError):
                raise

    def _next(self, engine: Client, begins: float | None) -> float:
        """Have the segment that begins at this Unix time made and played, at once for None; returns when the next does.

        A worker that died is back for the next try.
        """
        previous: dict[str, Any] = {"previous": self.take} if self.take else {}
        for left in reversed(range(TRIES)):
            asked = time.time()
            try:
                take = engine.run(
                    "live_scene_segment", when=begins, prompt=self.prompt, seconds=self._seconds, play=True, **previous
                )
                break
            except UnisonError:
                if not left or self._stopped.is_set():
                    raise
        now = time.time()
        self._took = now - asked
        self.segments, self.take = self.segments + 1, take.id
        # A segment that was late began when it was there.
        return max(now, begins or 0.0) + take.seconds - FADE_SECONDS

"""JACK's transport, by the package JACK-Client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from unison_engine.errors import DeviceFailed

_PERIOD = 0.02

Reading = tuple[float, float, bool, float | None, float | None, float | None]
"""Unix time, seconds, playing, and where JACK has them: bpm, beats of a bar, bar."""


class JackTransport:
    """Asks JACK fifty times a second where its transport is."""

    def __init__(self, tell: Callable[[Reading], None]) -> None:
        """Begin; `tell` is called from a thread.

        Raises:
            DeviceFailed: JACK-Client is not installed, or no JACK server runs.
        """
        try:
            import jack
        except (ImportError, OSError) as error:
            raise DeviceFailed(f"JACK cannot be used ({error}); run: pip install JACK-Client") from error
        try:
            self._client: Any = jack.Client("unison-transport", no_start_server=True)
        except jack.JackError as error:
            raise DeviceFailed(f"no JACK server answers ({error}); start one, or follow another transport.") from error
        self._rolling = jack.ROLLING
        self._tell = tell
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="unison-jack-transport", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask no more."""
        self._closed.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._closed.wait(_PERIOD):
            state, position = self._client.transport_query()
            now, frame = time.time(), self._client.transport_frame
            bar = None
            if "bar" in position:
                # That is the bar at the beginning of JACK's period, and the frame is that of this moment.
                since = (frame - position["frame"]) / self._client.samplerate if state == self._rolling else 0.0
                ticks = position["tick"] / position["ticks_per_beat"]
                beat = position["beat"] - 1 + ticks + since * position["beats_per_minute"] / 60
                bar = position["bar"] + beat / position["beats_per_bar"]
            self._tell(
                (
                    now,
                    frame / self._client.samplerate,
                    state == self._rolling,
                    position.get("beats_per_minute"),
                    position.get("beats_per_bar"),
                    bar,
                )
            )

"""Where a transport is, and when it will be at a bar, from what is heard of it.

Messages come late by unequal times, never early. So of the readings of the last seconds the one that came soonest
counts: its origin, the Unix time at which the transport would have been at 0, is the least.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_READINGS = 64
_JUMP_SECONDS = 0.1
_FIT_SECONDS = 0.5


@dataclass
class Transport:
    """A transport with one tempo at a time.

    Attributes:
        playing: whether it moves.
        bpm: tempo.
        beats_per_bar: of a bar.
        seconds: where it stands, or stood when it was heard last.
    """

    bpm: float = 120.0
    beats_per_bar: float = 4.0
    playing: bool = False
    seconds: float = 0.0
    _first_bar: float = 0.0  # Seconds of bar 1, as if the tempo had always been this.
    _origins: deque[float] = field(default_factory=lambda: deque(maxlen=_READINGS))
    _tempo_told: bool = False
    _fit: tuple[float, float] | None = None  # (seconds, beats) to measure the tempo from.

    @property
    def bar_seconds(self) -> float:
        """Length of a bar."""
        return self.beats_per_bar * 60.0 / self.bpm

    def at_seconds(self, seconds: float, now: float) -> None:
        """It is heard to be at `seconds`, at the Unix time `now`."""
        origin = now - seconds
        if self._origins and abs(origin - min(self._origins)) > _JUMP_SECONDS:
            self._origins.clear()
            self._fit = None
        if not self.playing:
            self._origins.clear()
        self._origins.append(origin)
        self.seconds = seconds

    def exactly(self, seconds: float, at: float) -> None:
        """It is, was or will be at `seconds` at just this Unix time."""
        self._origins.clear()
        self._origins.append(at - seconds)
        self.seconds = seconds

    def at_bar(self, bar: float, slack: float = 0.0) -> None:
        """It is heard to be at this bar (17.5 is the middle of bar 17), where it was heard to be last in seconds.

        `slack` is how coarse that is, in beats: within it, what the tempo alone says is nearer to the truth.
        """
        beats = (bar - 1) * self.beats_per_bar
        if not self._tempo_told:
            self._measure(beats)
        first = self.seconds - (bar - 1) * self.bar_seconds
        if abs(first - self._first_bar) > slack * 60.0 / self.bpm:
            self._first_bar = first

    def at_tempo(self, bpm: float) -> None:
        """Its tempo is told; if that has changed on the way, the next bar that is heard tells where bar 1 would be."""
        self.bpm, self._tempo_told = max(bpm, 1.0), True

    def moves(self, playing: bool, now: float) -> None:
        """It starts or stops at the Unix time `now`."""
        if playing != self.playing:
            self.seconds = self.where(now)
            self.playing = playing
            self.exactly(self.seconds, now)
            self._fit = None

    def where(self, now: float) -> float:
        """Seconds at a Unix time."""
        return now - min(self._origins) if self.playing and self._origins else self.seconds

    def bar(self, now: float) -> float:
        """Bar at a Unix time."""
        return 1.0 + (self.where(now) - self._first_bar) / self.bar_seconds

    def when(self, bar: float) -> float | None:
        """Unix time at which it is at a bar if it goes on like this; None while it stands."""
        return self.when_at(self._first_bar + (bar - 1) * self.bar_seconds)

    def when_at(self, seconds: float) -> float | None:
        """Likewise for a place in seconds."""
        return min(self._origins) + seconds if self.playing and self._origins else None

    def _measure(self, beats: float) -> None:
        """The tempo from two readings that lie far enough apart, the first of them as far back as it goes."""
        if self._fit is None or not self.playing or self.seconds < self._fit[0]:
            self._fit = (self.seconds, beats)
            return
        seconds, passed = self.seconds - self._fit[0], beats - self._fit[1]
        if seconds >= _FIT_SECONDS and passed > 0:
            self.bpm = 60.0 * passed / seconds

"""Time that passes when the test says so."""

from __future__ import annotations


class OfflineClock:
    """Call it for the time in Unix seconds; whoever sleeps by it moves it on and waits for nothing.

    `NullDevice(clock=clock)` is a device that plays an hour at once.
    """

    def __init__(self, now: float = 1_000_000_000.0) -> None:
        """Stand at `now`."""
        self.now = now

    def __call__(self) -> float:
        """The time, in Unix seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

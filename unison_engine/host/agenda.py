"""Messages of bundles whose time has not come."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

from unison_engine.errors import QueueFull, TooLarge
from unison_engine.host.osc import Message
from unison_engine.host.peers import Peer

MAX_WAITING = 1000
HORIZON_SECONDS = 3600.0


class Agenda:
    """A heap of messages by time, woken by one timer; the receiver never waits."""

    def __init__(self, run: Callable[[Message, Peer], None]) -> None:
        """`run` is called on the event loop when a message is due."""
        self._run = run
        self._heap: list[tuple[float, int, Message, Peer]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, at: float, message: Message, source: Peer) -> None:
        """Keep a message until `at`, in Unix seconds.

        Raises:
            TooLarge: that is too far ahead.
            QueueFull: too many are waiting.
        """
        ahead = at - time.time()
        if ahead > HORIZON_SECONDS:
            raise TooLarge(
                f"the time tag is {ahead:.0f} s ahead, over {HORIZON_SECONDS:g} s; check the sender's clock."
            )
        if len(self._heap) >= MAX_WAITING:
            raise QueueFull(f"{MAX_WAITING} timed messages are waiting already; send /unison/clearSched, or fewer.")
        heapq.heappush(self._heap, (at, next(self._order), message, source))
        self._arm()

    def clear(self) -> int:
        """Forget all messages; returns how many there were."""
        count = len(self._heap)
        self._heap.clear()
        self._arm()
        return count

    def _arm(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None
        if self._heap:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, self._heap[0][0] - time.time()), self._due)

    def _due(self) -> None:
        while self._heap and self._heap[0][0] <= time.time():
            _, _, message, source = heapq.heappop(self._heap)
            self._run(message, source)
        self._arm()

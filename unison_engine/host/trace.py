"""The log as clients see it: what comes in, where they asked for that, and all else that is logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from unison_engine.host.osc import Message, shorten

# Heard at its level whatever the level of the rest: who set /unison/trace wants to see it.
log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


def trace(level: int, packet: bytes, messages: list[Message]) -> None:
    """Log a packet: 1 its messages, 2 its bytes, 3 both."""
    if level & 1:
        for message in messages:
            at = "" if message.at is None else f" at {message.at:.3f}"
            log.info("%s %s%s", message.address, " ".join(map(repr, message.arguments)), at)
    if level & 2:
        log.info("%s", packet.hex(" ", 4))


class LogEvents(logging.Handler):
    """Hands log records over as /unison/event/log, from whichever thread they come."""

    def __init__(self, loop: asyncio.AbstractEventLoop, publish: Callable[[Message, str], None]) -> None:
        """`publish` is called on the loop. Debugging is left out: sending may itself be debugged."""
        super().__init__(logging.INFO)
        self._loop = loop
        self._publish = publish

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        message = Message("/unison/event/log", (record.levelno, shorten(record.getMessage())))
        self._loop.call_soon_threadsafe(self._publish, message, "log")

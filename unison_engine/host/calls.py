"""Commands as they were received, and what was answered, so that a lost reply can be asked for again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from unison_engine.errors import BadArguments, UnisonError
from unison_engine.host import osc

KEEP_SECONDS = 60.0

Address = tuple[str, int]
"""Host and UDP port."""


@dataclass(eq=False)
class Call:
    """One command of one client.

    Attributes:
        source: where it came from.
        command: its OSC address.
        req: the client's number for it; 0 asks for no reply.
        arguments: what follows the number.
        at: time tag in Unix seconds, None for now.
        replies: the packets that answer it as things stand: an ack at first, later what replaced it.
    """

    source: Address
    command: str
    req: int
    arguments: tuple[osc.Argument, ...]
    at: float | None = None
    replies: list[bytes] = field(default_factory=list)

    @classmethod
    def read(cls, message: osc.Message, source: Address) -> Call:
        """Read the request number that every command begins with.

        Raises:
            BadArguments: it is missing, or no whole number of 32 bits.
        """
        if not message.arguments:
            raise BadArguments(f"{message.address} needs a request number as its first argument; 0 means no reply.")
        req = osc.integer(message.arguments[0], "the request number")
        if not -(2**31) <= req < 2**31:
            raise BadArguments(f"the request number is {req}; it must fit into 32 bits.")
        return cls(source, message.address, req, message.arguments[1:], message.at)

    def argument(self, index: int, name: str) -> osc.Argument:
        """An argument by its place behind the request number.

        Raises:
            BadArguments: there are not that many.
        """
        if index >= len(self.arguments):
            raise BadArguments(f"{self.command} needs {name} as argument {index + 1} after the request number.")
        return self.arguments[index]

    def reply(self, address: str, *details: str | int | float) -> bytes:
        """A reply that carries the request number first, such as /unison/pong."""
        return osc.encode(address, self.req, *details)

    def ack(self, job: str, position: int, eta: float) -> bytes:
        """The job was accepted."""
        return osc.encode("/unison/ack", self.command, self.req, job, position, eta)

    def done(self, *details: str | int | float, job: str = "") -> bytes:
        """The command succeeded."""
        return osc.encode("/unison/done", self.command, self.req, job, *details)

    def fail(self, error: UnisonError, job: str = "") -> bytes:
        """The command was refused, or failed."""
        return failure(error, osc.shorten(self.command, 200), self.req, job)

    def cancelled(self, job: str, was: str) -> bytes:
        """The job was cancelled while it was queued or running."""
        return osc.encode("/unison/cancelled", self.command, self.req, job, was)

    def items(self, rows: Sequence[Sequence[str | int | float]]) -> list[bytes]:
        """One message per row, and one that says how many there were."""
        listed = [osc.encode("/unison/item", self.command, self.req, index, *row) for index, row in enumerate(rows)]
        return [*listed, osc.encode("/unison/end", self.command, self.req, len(rows))]


def failure(error: UnisonError, command: str = "", req: int = 0, job: str = "") -> bytes:
    """A fail message; command and number stay empty where the packet could not be read."""
    return osc.encode("/unison/fail", command, req, error.code, osc.shorten(str(error)), job)


class CallBook:
    """Calls by client and request number, for 60 s after their last reply.

    A datagram sent again has the same client, number and content; it gets the same answer and starts nothing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; `clock` gives seconds."""
        self._clock = clock
        self._calls: dict[tuple[object, ...], Call] = {}
        self._ended: deque[tuple[float, tuple[object, ...]]] = deque()

    def admit(self, call: Call) -> Call | None:
        """The call that this one repeats; None if it is new, and then it is entered."""
        now = self._clock()
        while self._ended and self._ended[0][0] <= now:
            self._calls.pop(self._ended.popleft()[1], None)
        if call.req == 0:
            return None
        earlier = self._calls.setdefault(self._key(call), call)
        return None if earlier is call else earlier

    def end(self, call: Call) -> None:
        """The call got its last reply: forget it in 60 s."""
        if call.req != 0:
            self._ended.append((self._clock() + KEEP_SECONDS, self._key(call)))

    @staticmethod
    def _key(call: Call) -> tuple[object, ...]:
        return call.source, call.req, call.command, call.arguments

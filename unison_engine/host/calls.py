"""Commands as they were received, and what was answered, so that a lost reply can be asked for again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unison_engine.errors import UnisonError
from unison_engine.host import osc
from unison_engine.host.osc import Message
from unison_engine.host.peers import Peer
from unison_engine.takes import Take

KEEP_SECONDS = 60.0

Value = str | int | float


@dataclass(eq=False)
class Call:
    """One command of one client.

    Attributes:
        source: where it came from.
        command: its OSC address.
        req: the client's number for it; 0 asks for no reply.
        arguments: what follows the number.
        at: time tag in Unix seconds, None for now.
        replies: what answers it as things stand: an ack at first, later what replaced it.
        pending: how many answers are still to come, as after an ack.
    """

    source: Peer
    command: str
    req: int
    arguments: tuple[osc.Argument, ...]
    at: float | None = None
    replies: list[Message] = field(default_factory=list)
    pending: int = 0

    @classmethod
    def read(cls, message: Message, source: Peer) -> Call:
        """Read the request number that every command begins with.

        Raises:
            BadArguments: it is missing, or no whole number of 32 bits.
        """
        return cls(source, message.address, osc.request_number(message), message.arguments[1:], message.at)

    def reply(self, address: str, *details: Value) -> Message:
        """A reply that carries the request number first, such as /unison/pong."""
        return Message(address, (self.req, *details))

    def ack(self, job: str, position: int, eta: float) -> Message:
        """The job was accepted."""
        return Message("/unison/ack", (self.command, self.req, job, position, eta))

    def done(self, *details: Value, job: str = "") -> Message:
        """The command succeeded."""
        return Message("/unison/done", (self.command, self.req, job, *details))

    def take(self, take: Take, job: str = "", copy: Path | None = None) -> Message:
        """The take that was made, or asked for; the path of a copy stands for its own."""
        seed = take.recipe.seed
        return self.done(
            str(copy or take.path), take.seconds, take.rate, take.channels, take.id, seed, take.lufs, job=job
        )

    def fail(self, error: UnisonError, job: str = "") -> Message:
        """The command was refused, or failed."""
        return failure(error, osc.shorten(self.command, 200), self.req, job)

    def late(self, seconds: float) -> Message:
        """What was asked for began so much after its time."""
        return Message("/unison/late", (self.command, self.req, seconds))

    def cancelled(self, job: str, was: str) -> Message:
        """The job was cancelled while it was queued or running."""
        return Message("/unison/cancelled", (self.command, self.req, job, was))

    def item(self, index: int, *fields: Value) -> Message:
        """One entry of a list."""
        return Message("/unison/item", (self.command, self.req, index, *fields))

    def items(self, rows: Iterable[Sequence[Value]]) -> list[Message]:
        """One message per row, and one that says how many there were."""
        listed = [self.item(index, *row) for index, row in enumerate(rows)]
        return [*listed, Message("/unison/end", (self.command, self.req, len(listed)))]


def failure(error: UnisonError, command: str = "", req: int = 0, job: str = "") -> Message:
    """A fail message; command and number stay empty where the packet could not be read."""
    return Message("/unison/fail", (command, req, error.code, osc.shorten(str(error)), job))


class CallBook:
    """Calls by client and request number, for 60 s after their last reply.

    A command sent again has the same client, number and content; it gets the same answer and starts nothing.
    """

    def __init__(self, send: Callable[[Message, Peer], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; `clock` gives seconds."""
        self._send = send
        self._clock = clock
        self._calls: dict[tuple[object, ...], Call] = {}
        self._ended: deque[tuple[float, tuple[object, ...]]] = deque()

    def admit(self, call: Call) -> bool:
        """Enter a call. False if it repeats an earlier one, which is then answered as it was."""
        now = self._clock()
        while self._ended and self._ended[0][0] <= now:
            self._calls.pop(self._ended.popleft()[1], None)
        if call.req == 0:
            return True
        earlier = self._calls.setdefault(self._key(call), call)
        if earlier is not call:
            self._send_all(call, earlier.replies)
        return earlier is call

    def answer(self, call: Call, messages: list[Message], instead: Message | None = None) -> None:
        """Answer a call and remember the answer; `instead` is the earlier reply that it settles."""
        call.replies = [reply for reply in call.replies if reply is not instead] + messages
        if call.req and not call.pending:
            self._ended.append((self._clock() + KEEP_SECONDS, self._key(call)))
        self._send_all(call, messages)

    def _send_all(self, call: Call, messages: list[Message]) -> None:
        if call.req:
            for message in messages:
                self._send(message, call.source)

    @staticmethod
    def _key(call: Call) -> tuple[object, ...]:
        return call.source, call.req, call.command, call.arguments

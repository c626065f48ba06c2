"""From packets to answers. Nothing that a packet holds raises past here."""

from __future__ import annotations

import logging
import time

from unison_engine.errors import NotAllowed, UnisonError
from unison_engine.host import osc
from unison_engine.host.address_space import AddressSpace
from unison_engine.host.calls import Call, CallBook, failure
from unison_engine.host.context import Host
from unison_engine.host.osc import Message
from unison_engine.host.peers import Peer
from unison_engine.host.session import AUTH
from unison_engine.host.task_commands import RUN_JSON, json_object
from unison_engine.host.trace import trace
from unison_engine.logs import about

_REPLIES = {"ack", "done", "fail", "cancelled", "progress", "item", "end", "late", "pong", "synced", "event"}

log = logging.getLogger(__name__)


class Router:
    """Reads packets, finds their commands, and answers."""

    def __init__(self, space: AddressSpace, host: Host, calls: CallBook) -> None:
        """Run the commands of `space` on `host`; `calls` holds what was answered."""
        self._space = space
        self._host = host
        self._calls = calls

    def receive(self, packet: bytes, source: Peer) -> None:
        """Handle a packet of any transport; never blocks."""
        with about(client=str(source)):
            self._receive(packet, source)

    def _receive(self, packet: bytes, source: Peer) -> None:
        self._host.clients.renew(source)
        try:
            messages = osc.decode(packet)
        except UnisonError as error:
            self.refuse(error, source)
            return
        if self._host.trace and source.admitted:  # Else a token may be in it.
            trace(self._host.trace, packet, messages)
        for message in messages:
            if not source.admitted and message.address != AUTH:
                self._refuse(NotAllowed(f"this line is closed until {AUTH} has brought the token."), message, source)
            else:
                self.accept(message, source)
        if not source.admitted:
            source.close()

    def accept(self, message: Message, source: Peer) -> None:
        """Run a message now, or keep it until its time."""
        if message.at is None or message.at <= time.time() or self._plays(message):
            self.run(message, source)
        else:
            self._wait(message, message.at, source)

    def refuse(self, error: UnisonError, source: Peer) -> None:
        """Answer what could not be read; from a line that was not admitted nothing more is heard."""
        self._host.malformed += 1
        self._host.clients.send(failure(error), source)
        if not source.admitted:
            source.close()

    def forget(self, source: Peer) -> None:
        """The line is closed: nobody listens there any more."""
        self._host.clients.drop(source)
        self._host.inbox.drop(source)

    def run(self, message: Message, source: Peer) -> None:
        """Run one message now."""
        if _is_reply(message.address):
            return  # A reply of our own, or of another engine: answering it could go on for ever.
        if message.address not in self._space.commands and self._host.player.hears(message):
            return
        try:
            call = Call.read(message, source)
        except UnisonError as error:
            self._refuse(error, message, source)
            return
        if not self._calls.admit(call):
            return
        try:
            answer = self._space.find(call.command)(self._host, call)
        except UnisonError as error:
            answer = [call.fail(error)]
        except Exception as error:
            log.exception("%s failed", call.command)
            told = f"{type(error).__name__}: {error}; the server's log has the details, report them."
            answer = [call.fail(UnisonError(told))]
        self._calls.answer(call, answer)

    def _wait(self, message: Message, at: float, source: Peer) -> None:
        try:
            self._host.agenda.add(at, message, source)
        except UnisonError as error:
            self._refuse(error, message, source)

    def _plays(self, message: Message) -> bool:
        """Whether a message asks for a sound to be played: it is made now and played at its bundle's time."""
        try:
            command = self._space.find(message.address)
            named = command.named(message.arguments[1:])
            if message.address == RUN_JSON:
                named = json_object(str(named.get("arguments")))
        except UnisonError:
            return True  # Refused now rather than at its time.
        return command.timed or bool(named.get("play") or named.get("stream"))

    def _refuse(self, error: UnisonError, message: Message, source: Peer) -> None:
        """Fail a message that never became a call; its number is told where it can be read."""
        try:
            call = Call.read(message, source)
        except UnisonError:
            self._host.clients.send(failure(error, osc.shorten(message.address, 200)), source)
        else:
            if call.req:
                self._host.clients.send(call.fail(error), source)


def _is_reply(address: str) -> bool:
    head, _, _ = address.removeprefix("/unison/").partition("/")
    return head in _REPLIES or head.endswith(".reply")

"""The live host: a UDP socket, the commands behind it, and all they need, opened and closed together."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from unison_engine.engine import Synthesizer
from unison_engine.errors import BadArguments, UnisonError
from unison_engine.host import osc
from unison_engine.host.agenda import Agenda
from unison_engine.host.calls import Address, Call, CallBook, failure
from unison_engine.host.clients import ClientBook
from unison_engine.host.commands import Answer, Commands
from unison_engine.host.jobs import Job, State
from unison_engine.host.playback import Output
from unison_engine.host.scheduler import Scheduler
from unison_engine.host.worker import Worker
from unison_engine.registry import load_registry
from unison_engine.takes import TakeLibrary

DEFAULT_PORT = 7770
PROGRESS_SECONDS = 0.1
_REPLIES = {"ack", "done", "fail", "cancelled", "progress", "item", "end", "late", "pong", "synced", "event"}
_MAX_PATH_BYTES = 600

log = logging.getLogger(__name__)


class Server(asyncio.DatagramProtocol):
    """Use as an async context manager; once entered it answers, once left its worker and its socket are gone.

    Attributes:
        address: host and port it is bound to.
        stopped: set when a client sent /unison/quit.
    """

    def __init__(
        self,
        open_synthesizer: Callable[[], Synthesizer],
        library: TakeLibrary,
        output: Output,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
    ) -> None:
        """Prepare to serve; port 0 takes any free one.

        Raises:
            BadArguments: the host is not this machine itself, or replies could not carry the library's paths.
        """
        if not _is_loopback(host):
            raise BadArguments(f"the host is {host!r}; without a password the engine serves 127.0.0.1 alone.")
        if len(str(library.folder).encode()) > _MAX_PATH_BYTES:
            raise BadArguments(f"the library's path is over {_MAX_PATH_BYTES} bytes; choose a shorter one.")
        self.address: Address = (host, port)
        self.stopped = asyncio.Event()
        self.worker = Worker(open_synthesizer)
        self.output = output
        self._scheduler = Scheduler(self.worker, library, output, self._changed, self._advanced)
        self._clients = ClientBook()
        self._calls = CallBook()
        self._agenda = Agenda(self._run)
        self._commands = Commands(
            self._scheduler,
            load_registry(),
            library,
            output,
            self._clients,
            self._agenda,
            self._sync,
            self.stopped.set,
        )
        self._syncs: list[tuple[Call, set[Job]]] = []
        self._reported: dict[Job, tuple[float, bytes | None]] = {}  # When progress was sent, and what is held back.
        self._jobs: asyncio.Task[None] | None = None
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def model(self) -> str:
        """Name of the bundle."""
        return self._scheduler.model

    async def __aenter__(self) -> Server:
        """Load the bundle in the worker, then open the socket.

        Raises:
            ModelMissing: the bundle is not there, or not whole.
            BadArguments: the port is taken.
        """
        loop = asyncio.get_running_loop()
        try:
            try:
                self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=self.address)
            except OSError as error:
                raise BadArguments(f"cannot listen on {self.address} ({error}); choose another port.") from error
            self.address = self._transport.get_extra_info("sockname")[:2]
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            await self._scheduler.start()
        except BaseException:
            self._close()
            raise
        self._jobs = asyncio.create_task(self._scheduler.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Fail what is unfinished, tell its owners, and let everything go."""
        assert self._jobs is not None
        self._jobs.cancel()
        self._scheduler.stop()
        self._close()
        await asyncio.gather(self._jobs, return_exceptions=True)

    def _close(self) -> None:
        self._agenda.clear()
        self.worker.close()
        self.output.close()
        if self._transport:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Called by asyncio with every packet."""
        source: Address = addr[:2]
        self._clients.renew(source)
        try:
            messages = osc.decode(data)
        except UnisonError as error:
            self._commands.malformed += 1
            self._send(failure(error), source)
            return
        for message in messages:
            ahead = message.at is not None and message.at > time.time()
            if not ahead or self._commands.plays(message):
                self._run(message, source)
                continue
            try:
                assert message.at is not None
                self._agenda.add(message.at, message, source)
            except UnisonError as error:
                self._refuse(error, message, source)

    def error_received(self, exc: Exception) -> None:
        """Called by asyncio when a reply could not be delivered: its client is gone."""
        log.debug("a reply was not delivered: %s", exc)

    def _run(self, message: osc.Message, source: Address) -> None:
        if _is_reply(message.address):
            return  # A reply of our own, or of another engine: answering it could go on for ever.
        try:
            call = Call.read(message, source)
        except UnisonError as error:
            self._refuse(error, message, source)
            return
        if earlier := self._calls.admit(call):
            self._send_all(earlier)
            return
        try:
            answer = self._commands.run(call)
        except UnisonError as error:
            answer = Answer([call.fail(error)])
        except Exception as error:
            log.exception("%s failed", call.command)
            unexpected = UnisonError(f"{type(error).__name__}: {error}; the server's log has the details, report them.")
            answer = Answer([call.fail(unexpected)])
        self._answer(call, answer)

    def _refuse(self, error: UnisonError, message: osc.Message, source: Address) -> None:
        """Fail a message that never became a call; its number is told where it can be read."""
        try:
            call = Call.read(message, source)
        except UnisonError:
            self._send(failure(error, osc.shorten(message.address, 200)), source)
        else:
            if call.req != 0:
                self._send(call.fail(error), source)

    def _answer(self, call: Call, answer: Answer) -> None:
        call.replies = answer.packets
        if answer.final:
            self._calls.end(call)
        self._send_all(call)

    def _send_all(self, call: Call) -> None:
        if call.req != 0:
            for packet in call.replies:
                self._send(packet, call.source)

    def _send(self, packet: bytes, source: Address) -> None:
        for address in self._clients.destinations(source):
            self._send_to(packet, address)

    def _send_to(self, packet: bytes, address: Address) -> None:
        if len(packet) >= osc.MAX_REPLY_BYTES:
            log.warning("a reply of %d bytes goes to %s:%d; small clients may lose it", len(packet), *address)
        if self._transport and not self._transport.is_closing():
            self._transport.sendto(packet, address)

    def _sync(self, call: Call) -> Answer:
        jobs = self._scheduler.queue.jobs.values()
        pending = {job for job in jobs if not job.state.final and job.call.source == call.source}
        if not pending:
            return Answer([call.reply("/unison/synced")])
        self._syncs.append((call, pending))
        return Answer([], final=False)

    def _advanced(self, job: Job) -> None:
        packet = osc.encode(
            "/unison/progress", job.id, job.fraction, osc.shorten(job.stage, 40), job.step, job.steps, job.eta
        )
        now = time.monotonic()
        sent, _ = self._reported.get(job, (0.0, None))
        if now - sent < PROGRESS_SECONDS:
            self._reported[job] = (sent, packet)
            return
        self._reported[job] = (now, None)
        self._report(job, packet)

    def _report(self, job: Job, packet: bytes) -> None:
        if job.call.req != 0:
            self._send(packet, job.call.source)

    def _changed(self, job: Job) -> None:
        if job.state.final:
            _, held = self._reported.pop(job, (0.0, None))
            if held:
                self._report(job, held)
            self._answer(job.call, Answer([*self._late(job), self._outcome(job)]))
        event = osc.encode("/unison/event/job", job.id, job.task.name, job.state)
        for address in self._clients.subscribers("job"):
            self._send_to(event, address)
        if job.state.final:
            self._release_syncs(job)

    def _outcome(self, job: Job) -> bytes:
        if job.state is State.DONE and (take := job.take):
            return job.call.done(
                str(take.path),
                take.seconds,
                take.rate,
                take.channels,
                take.id,
                take.recipe.seed,
                take.lufs,
                job=job.id,
            )
        if job.state is State.CANCELLED:
            return job.call.cancelled(job.id, State.RUNNING if job.started else State.QUEUED)
        assert job.error is not None
        return job.call.fail(job.error, job.id)

    def _late(self, job: Job) -> list[bytes]:
        at = job.call.at
        if job.state is not State.DONE or not job.request.play or at is None or at >= time.time():
            return []
        return [osc.encode("/unison/late", job.call.command, job.call.req, time.time() - at)]

    def _release_syncs(self, job: Job) -> None:
        for call, pending in self._syncs:
            pending.discard(job)
            if not pending:
                self._answer(call, Answer([call.reply("/unison/synced")]))
        self._syncs = [(call, pending) for call, pending in self._syncs if pending]


def _is_reply(address: str) -> bool:
    head, _, _ = address.removeprefix("/unison/").partition("/")
    return head in _REPLIES or head.endswith(".reply")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

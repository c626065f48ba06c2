"""The live host: a UDP socket, the commands behind it, and all they need, opened and closed together."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Any

from unison_engine.engine import Synthesizer
from unison_engine.errors import BadArguments
from unison_engine.host.address_space import AddressSpace
from unison_engine.host.agenda import Agenda
from unison_engine.host.calls import CallBook
from unison_engine.host.clients import ClientBook
from unison_engine.host.context import Host
from unison_engine.host.peers import UdpPeer
from unison_engine.host.playback import Output
from unison_engine.host.reports import JobReports
from unison_engine.host.router import Router
from unison_engine.host.scheduler import Scheduler
from unison_engine.host.trace import LogEvents
from unison_engine.host.worker import Worker
from unison_engine.registry import load_registry
from unison_engine.takes import TakeLibrary

DEFAULT_PORT = 7770
_MAX_PATH_BYTES = 600

log = logging.getLogger(__name__)


class Server:
    """Use as an async context manager; once entered it answers, once left its worker and its socket are gone.

    Attributes:
        address: host and port it is bound to.
        stopped: set when a client sent /unison/quit.
        router: what packets are given to.
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
        self.address = (host, port)
        self.stopped = asyncio.Event()
        self.worker = Worker(open_synthesizer)
        self.output = output
        clients = ClientBook()
        calls = CallBook(clients.send)
        reports = JobReports(clients, calls)
        registry = load_registry()
        self._scheduler = Scheduler(self.worker, library, output, reports.changed, reports.advanced)
        self._agenda = Agenda(lambda message, source: self.router.run(message, source))
        context = Host(self._scheduler, registry, library, output, clients, self._agenda, reports, self.stopped)
        self.router = Router(AddressSpace(registry), context, calls)
        self._clients = clients
        self._log_events: LogEvents | None = None
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
                self._transport, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self.router), local_addr=self.address
                )
            except OSError as error:
                raise BadArguments(f"cannot listen on {self.address} ({error}); choose another port.") from error
            self.address = self._transport.get_extra_info("sockname")[:2]
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            self._log_events = LogEvents(loop, self._clients.publish)
            logging.getLogger("unison_engine").addHandler(self._log_events)
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
        if self._log_events:
            logging.getLogger("unison_engine").removeHandler(self._log_events)
        self._agenda.clear()
        self.worker.close()
        self.output.close()
        if self._transport:
            self._transport.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, router: Router) -> None:
        self._router = router

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """Called by asyncio once the socket is open."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Called by asyncio with every packet."""
        self._router.receive(data, UdpPeer(addr[0], addr[1], self._transport))

    def error_received(self, exc: Exception) -> None:
        """Called by asyncio when a reply could not be delivered: its client is gone."""
        log.debug("a reply was not delivered: %s", exc)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""The sockets of the host: UDP for this machine, and one TCP port for OSC, HTTP and WebSocket alike."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

from unison_engine.errors import BadArguments
from unison_engine.host.connection import Connection
from unison_engine.host.discovery import Announcement
from unison_engine.host.peers import UdpPeer
from unison_engine.host.router import Router
from unison_engine.host.web import Web, is_loopback

MAX_CONNECTIONS = 128
MIN_TOKEN = 8
_RECEIVE_BUFFER = 1 << 20
_FREE_PORT_TRIES = 20

log = logging.getLogger(__name__)


class Endpoints:
    """Opens and closes the sockets.

    Attributes:
        address: host and port they are bound to.
    """

    def __init__(self, router: Router, web: Web, host: str, port: int, token: str | None) -> None:
        """Prepare to listen; port 0 takes any free one. Away from loopback a token is needed, on it none is asked for.

        Raises:
            BadArguments: there is no token, and the host is not this machine itself; or the token is short.
        """
        self._loopback = is_loopback(host)
        if not self._loopback and len(token or "") < MIN_TOKEN:
            raise BadArguments(
                f"the host is {host!r}; to serve other machines than this one, "
                f"set UNISON_TOKEN to a secret of at least {MIN_TOKEN} characters."
            )
        self.address = ("127.0.0.1" if host == "localhost" else host, port)
        self._router = router
        self._web = web
        self._announcement: Announcement | None = None
        self._connections: set[Connection] = set()
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    async def open(self) -> None:
        """Bind UDP and TCP to the same port number.

        Raises:
            BadArguments: the port is taken, or the host is not an address of this machine.
        """
        await self._web.open()
        tries = 1 if self.address[1] else _FREE_PORT_TRIES
        for left in reversed(range(tries)):
            try:
                await self._bind()
                break
            except OSError as error:
                await self._unbind()
                if not left:
                    told = f"cannot listen on {self.address[0]}:{self.address[1]} ({error}); choose another port."
                    raise BadArguments(told) from error
        if not self._loopback:
            self._announcement = Announcement(*self.address)
            await self._announcement.open()

    async def close(self) -> None:
        """Close the sockets, and the lines that are open when what was sent is out."""
        if self._announcement:
            await self._announcement.close()
        await self._unbind()
        for connection in list(self._connections):
            connection.close()
        await self._web.close()

    async def _bind(self) -> None:
        loop = asyncio.get_running_loop()
        host, port = self.address
        self._tcp = await loop.create_server(self._connection, host, port)
        bound = self._tcp.sockets[0].getsockname()[1]
        # UDP asks for no token, and whoever sends can pretend to be anybody: it is for this machine alone.
        here = host if self._loopback else "::1" if ":" in host else "127.0.0.1"
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self._router), local_addr=(here, bound))
        self._udp.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self.address = (host, bound)

    async def _unbind(self) -> None:
        if self._udp:
            self._udp.close()
        if self._tcp:
            self._tcp.close()

    def _connection(self) -> asyncio.Protocol:
        if len(self._connections) + self._web.connections >= MAX_CONNECTIONS:
            log.warning("%d connections are open; a further one is refused", MAX_CONNECTIONS)
            return _Refusal()
        return Connection(self._router, self._loopback, self._web.protocol, self._connections)


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


class _Refusal(asyncio.Protocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by asyncio."""
        transport.abort()

"""Lines to an engine that carry OSC packets and block: TCP with lengths, or a WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import threading
import urllib.parse
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

import aiohttp

from unison_engine.errors import BadArguments, Unreachable
from unison_engine.host.framing import LengthFraming

T = TypeVar("T")
_LOST = "the engine hung up; see that it still runs, and connect again."


class Line(Protocol):
    """Carries packets both ways."""

    def send(self, packet: bytes) -> None:
        """Send a packet.

        Raises:
            Unreachable: the line was lost.
        """

    def receive(self) -> bytes:
        """Wait for the next packet.

        Raises:
            Unreachable: the line was lost.
        """

    def close(self) -> None:
        """Hang up."""


def open_line(url: str) -> Line:
    """Open a line to `tcp://HOST:PORT`, `ws://HOST:PORT` or `wss://HOST:PORT`.

    Raises:
        BadArguments: the address is of no such kind.
        Unreachable: nobody answers there.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme == "tcp" and parts.hostname and parts.port:
            return _TcpLine(parts.hostname, parts.port)
        if parts.scheme in ("ws", "wss") and parts.hostname:
            return _WebSocketLine(url)
        told = ""
    except (OSError, aiohttp.ClientError) as error:
        raise Unreachable(f"no engine answers at {url!r} ({error}); start one with `unison serve`.") from error
    except ValueError as error:  # Of a port out of range, or a host that no host can be called.
        told = f" ({error})"
    raise BadArguments(
        f"{url!r} is no address of an engine{told}; give one like tcp://127.0.0.1:7770 or ws://127.0.0.1:7770."
    )


class _TcpLine:
    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._framing = LengthFraming()
        self._waiting: list[bytes] = []

    def send(self, packet: bytes) -> None:
        """See `Line.send`."""
        try:
            self._socket.sendall(self._framing.frame(packet))
        except OSError as error:
            raise Unreachable(_LOST) from error

    def receive(self) -> bytes:
        """See `Line.receive`."""
        while not self._waiting:
            try:
                data = self._socket.recv(65_536)
            except OSError as error:
                raise Unreachable(_LOST) from error
            if not data:
                raise Unreachable(_LOST)
            self._waiting += self._framing.packets(data)
        return self._waiting.pop(0)

    def close(self) -> None:
        """See `Line.close`."""
        self._socket.close()


class _WebSocketLine:
    """A WebSocket of aiohttp, whose loop runs in a thread: the engine's pings want an answer while nobody waits."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="unison-line", daemon=True)
        self._thread.start()
        self._open_now = contextlib.AsyncExitStack()
        self._packets: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        try:
            self._socket = self._wait(self._open(url))
        except BaseException:
            self.close()
            raise

    def send(self, packet: bytes) -> None:
        """See `Line.send`."""
        try:
            self._wait(self._socket.send_bytes(packet))
        except ConnectionError as error:
            raise Unreachable(_LOST) from error

    def receive(self) -> bytes:
        """See `Line.receive`."""
        packet = self._packets.get()
        if packet is None:
            self._packets.put(None)  # For whoever asks once more.
            raise Unreachable(_LOST)
        return packet

    def close(self) -> None:
        """See `Line.close`."""
        if not self._loop.is_closed():
            self._wait(self._open_now.aclose())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _open(self, url: str) -> aiohttp.ClientWebSocketResponse:
        session = await self._open_now.enter_async_context(aiohttp.ClientSession())
        socket = await self._open_now.enter_async_context(session.ws_connect(url))
        self._open_now.callback(asyncio.create_task(self._read(socket)).cancel)
        return socket

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Put aside the packets that come, until the line is lost. Text frames tell of OSCQuery's nodes."""
        async for frame in socket:
            if frame.type is aiohttp.WSMsgType.BINARY:
                self._packets.put(bytes(frame.data))
        self._packets.put(None)

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

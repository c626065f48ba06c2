"""A server in a thread, and clients with real sockets, for the tests of the host."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from unison_engine.audio.null import LOOPBACK, NullDevice
from unison_engine.engine import Synthesizer
from unison_engine.host.address_space import AddressSpace
from unison_engine.host.framing import Framing
from unison_engine.host.replies import EVENTS, SENT, Reply, expected_tags
from unison_engine.host.server import Server
from unison_engine.registry import load_registry
from unison_engine.takes import TakeLibrary

T = TypeVar("T")
SPACE = AddressSpace(load_registry())
FIXED = {sent.address for sent in (*SENT, *EVENTS)}
PATIENCE = 60.0  # Seconds; only a failing test waits this long.


class LiveHost:
    def __init__(
        self,
        open_synthesizer: Callable[[], Synthesizer],
        folder: Path,
        host: str = "127.0.0.1",
        token: str | None = None,
    ) -> None:
        self.library = TakeLibrary(folder)
        self.server: Server
        self._open = open_synthesizer
        self._ready = threading.Event()
        self._host, self._token = host, token
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._main)

    def __enter__(self) -> LiveHost:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        if self._error:
            self._thread.join(PATIENCE)
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.server.stopped.is_set():
            self._loop.call_soon_threadsafe(self.server.stopped.set)
        self.join()

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the server did not shut down"

    @property
    def port(self) -> int:
        return self.server.address[1]

    def _main(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self.server = Server(self._open, self.library, NullDevice(LOOPBACK), self._host, 0, self._token)
            async with self.server:
                self._ready.set()
                await self.server.stopped.wait()

        try:
            asyncio.run(serve())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()


class Client:
    """A client of any transport; its kinds tell how bytes get there and back."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, list[Any]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send_bytes(self, packet: bytes) -> None:
        raise NotImplementedError

    def receive_bytes(self) -> bytes:
        """The next packet; empty when the host has hung up."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def send(self, address: str, *arguments: object) -> None:
        self.send_bytes(message(address, *arguments))

    def receive(self) -> tuple[str, list[Any]]:
        packet = self.receive_bytes()
        assert 0 < len(packet) < 1024
        received = OscMessage(packet)
        assert_declared(packet, received)
        self.seen.append((received.address, received.params))
        return self.seen[-1]

    def until(self, *addresses: str) -> list[Any]:
        """Arguments of the next message at one of these addresses; what comes before stays in `seen`."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            address, arguments = self.receive()
            if address in addresses:
                return arguments
        raise AssertionError(f"none of {addresses} came; what came was {self.seen}")

    def ask(self, address: str, *arguments: object, reply: str = "/unison/done") -> list[Any]:
        """Send a command and wait for its reply or its failure."""
        self.send(address, *arguments)
        answer = self.until(reply, "/unison/fail")
        assert self.seen[-1][0] == reply, answer
        return answer


class OscClient(Client):
    """A client with a UDP socket."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.server = ("127.0.0.1", port)

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def send_bytes(self, packet: bytes) -> None:
        self.socket.sendto(packet, self.server)

    def receive_bytes(self) -> bytes:
        return self.socket.recv(65536)

    def close(self) -> None:
        self.socket.close()


class TcpClient(Client):
    """A client with a TCP connection."""

    def __init__(self, port: int, framing: Framing) -> None:
        super().__init__()
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.framing = framing
        self._waiting: list[bytes] = []

    def send_bytes(self, packet: bytes) -> None:
        self.socket.sendall(self.framing.frame(packet))

    def receive_bytes(self) -> bytes:
        while not self._waiting:
            data = self.socket.recv(65536)
            if not data:
                return b""
            self._waiting += self.framing.packets(data)
        return self._waiting.pop(0)

    def close(self) -> None:
        self.socket.close()


class WebSocketClient(Client):
    """A client with a WebSocket; text frames that come are kept in `told`."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        super().__init__()
        self.told: list[dict[str, Any]] = []
        self._loop = asyncio.new_event_loop()
        try:
            self._session, self._socket = self._wait(self._open(f"http://127.0.0.1:{port}/", headers))
        except BaseException:
            self._loop.close()
            raise

    async def _open(
        self, url: str, headers: dict[str, str] | None
    ) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
        session = aiohttp.ClientSession()
        try:
            return session, await session.ws_connect(url, headers=headers)
        except BaseException:
            await session.close()
            raise

    def send_bytes(self, packet: bytes) -> None:
        self._wait(self._socket.send_bytes(packet))

    def command(self, command: str, data: str) -> None:
        self._wait(self._socket.send_json({"COMMAND": command, "DATA": data}))

    def receive_bytes(self) -> bytes:
        while True:
            frame = self._wait(self._socket.receive(PATIENCE))
            if frame.type is aiohttp.WSMsgType.BINARY:
                return bytes(frame.data)
            if frame.type is not aiohttp.WSMsgType.TEXT:
                return b""
            self.told.append(json.loads(frame.data))

    def close(self) -> None:
        self._wait(self._socket.close())
        self._wait(self._session.close())
        self._loop.close()

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(coroutine)


def assert_declared(packet: bytes, received: OscMessage) -> None:
    """Every message that any test receives has the arguments that the reference tells."""
    if not received.address.startswith("/unison/") or received.address.startswith("/unison/jobs/"):
        return
    known = SPACE.commands.get(str(received.params[0]) if received.params else "")
    answers = {command.reply.address: command.reply for command in SPACE.commands.values()}
    reply = answers[received.address] if received.address not in FIXED else known.reply if known else Reply()
    tags = packet[packet.index(b",") + 1 :].split(b"\0")[0].decode()
    assert tags == expected_tags(received.address, reply), (received.address, received.params)


def message(address: str, *arguments: object) -> bytes:
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)  # type: ignore[arg-type]
    return builder.build().dgram

"""OSC clients with real sockets, which hold every answer to its declaration."""

from __future__ import annotations

import asyncio
import functools
import json
import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from unison_engine.host.address_space import AddressSpace
from unison_engine.host.commands import AnyCommand
from unison_engine.host.framing import Framing
from unison_engine.host.replies import EVENTS, SENT, Reply, expected_tags
from unison_engine.registry import load_registry

T = TypeVar("T")
Declared = Callable[[], Mapping[str, AnyCommand]]
FIXED = {sent.address for sent in (*SENT, *EVENTS)}
PATIENCE = 60.0  # Seconds; only a failing test waits this long.


@functools.cache
def installed_commands() -> Mapping[str, AnyCommand]:
    """All commands of a host with the plugins that are installed."""
    return AddressSpace(load_registry()).commands


class Client:
    """A client of any transport; its kinds tell how bytes get there and back."""

    def __init__(self, declared: Declared | None = None) -> None:
        """Check answers against the commands that are `declared`; by default those of all installed plugins."""
        self.seen: list[tuple[str, list[Any]]] = []
        self._declared = declared or installed_commands

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self.close()

    def send_bytes(self, packet: bytes) -> None:
        """Send a packet."""
        raise NotImplementedError

    def receive_bytes(self) -> bytes:
        """The next packet; empty when the host has hung up."""
        raise NotImplementedError

    def close(self) -> None:
        """Hang up."""
        raise NotImplementedError

    def send(self, address: str, *arguments: object) -> None:
        """Send a message."""
        self.send_bytes(message(address, *arguments))

    def receive(self) -> tuple[str, list[Any]]:
        """Address and arguments of the next message."""
        packet = self.receive_bytes()
        assert 0 < len(packet) < 1024
        received = OscMessage(packet)
        assert_declared(packet, received, self._declared())
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

    def __init__(self, port: int, declared: Declared | None = None) -> None:
        """Send to `port` of this machine."""
        super().__init__(declared)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.server = ("127.0.0.1", port)

    @property
    def port(self) -> int:
        """Its own port."""
        return int(self.socket.getsockname()[1])

    def send_bytes(self, packet: bytes) -> None:
        """Send a packet."""
        self.socket.sendto(packet, self.server)

    def receive_bytes(self) -> bytes:
        """The next packet; empty when the host has hung up."""
        return self.socket.recv(65536)

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


class TcpClient(Client):
    """A client with a TCP connection."""

    def __init__(self, port: int, framing: Framing, declared: Declared | None = None) -> None:
        """Connect to `port` of this machine; `framing` tells where packets end."""
        super().__init__(declared)
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.framing = framing
        self._waiting: list[bytes] = []

    def send_bytes(self, packet: bytes) -> None:
        """Send a packet."""
        self.socket.sendall(self.framing.frame(packet))

    def receive_bytes(self) -> bytes:
        """The next packet; empty when the host has hung up."""
        while not self._waiting:
            data = self.socket.recv(65536)
            if not data:
                return b""
            self._waiting += self.framing.packets(data)
        return self._waiting.pop(0)

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


class WebSocketClient(Client):
    """A client with a WebSocket; text frames that come are kept in `told`."""

    def __init__(self, port: int, headers: dict[str, str] | None = None, declared: Declared | None = None) -> None:
        """Connect to `port` of this machine, with these HTTP headers."""
        super().__init__(declared)
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
        """Send a packet."""
        self._wait(self._socket.send_bytes(packet))

    def command(self, command: str, data: str) -> None:
        """Send a command of OSCQuery."""
        self._wait(self._socket.send_json({"COMMAND": command, "DATA": data}))

    def receive_bytes(self) -> bytes:
        """The next packet; empty when the host has hung up."""
        while True:
            frame = self._wait(self._socket.receive(PATIENCE))
            if frame.type is aiohttp.WSMsgType.BINARY:
                return bytes(frame.data)
            if frame.type is not aiohttp.WSMsgType.TEXT:
                return b""
            self.told.append(json.loads(frame.data))

    def close(self) -> None:
        """Hang up."""
        self._wait(self._socket.close())
        self._wait(self._session.close())
        self._loop.close()

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(coroutine)


def assert_declared(packet: bytes, received: OscMessage, commands: Mapping[str, AnyCommand]) -> None:
    """Every message that any test receives has the arguments that the reference tells."""
    if not received.address.startswith("/unison/") or received.address.startswith("/unison/jobs/"):
        return
    known = commands.get(str(received.params[0]) if received.params else "")
    answers = {command.reply.address: command.reply for command in commands.values()}
    reply = answers[received.address] if received.address not in FIXED else known.reply if known else Reply()
    tags = packet[packet.index(b",") + 1 :].split(b"\0")[0].decode()
    assert tags == expected_tags(received.address, reply), (received.address, received.params)


def message(address: str, *arguments: object) -> bytes:
    """The packet of a message."""
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)  # type: ignore[arg-type]
    return builder.build().dgram

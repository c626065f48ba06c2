"""A server in a thread and a client with a real UDP socket, for the tests of the host."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from unison_engine.engine import Synthesizer
from unison_engine.host.address_space import AddressSpace
from unison_engine.host.playback import NullOutput
from unison_engine.host.replies import SENT, Reply, expected_tags
from unison_engine.host.server import Server
from unison_engine.registry import load_registry
from unison_engine.takes import TakeLibrary

SPACE = AddressSpace(load_registry())
FIXED = {sent.address for sent in SENT}
PATIENCE = 60.0  # Seconds; only a failing test waits this long.


class LiveHost:
    def __init__(self, open_synthesizer: Callable[[], Synthesizer], folder: Path) -> None:
        self.output = NullOutput()
        self.library = TakeLibrary(folder)
        self.server: Server
        self._open = open_synthesizer
        self._ready = threading.Event()
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
            self.server = Server(self._open, self.library, self.output, port=0)
            async with self.server:
                self._ready.set()
                await self.server.stopped.wait()

        try:
            asyncio.run(serve())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()


class OscClient:
    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.server = ("127.0.0.1", port)
        self.seen: list[tuple[str, list[Any]]] = []

    def __enter__(self) -> OscClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def send(self, address: str, *arguments: object) -> None:
        self.send_bytes(message(address, *arguments))

    def send_bytes(self, packet: bytes) -> None:
        self.socket.sendto(packet, self.server)

    def receive(self) -> tuple[str, list[Any]]:
        packet = self.socket.recv(65536)
        assert len(packet) < 1024
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


def assert_declared(packet: bytes, received: OscMessage) -> None:
    """Every message that any test receives has the arguments that the reference tells."""
    if not received.address.startswith("/unison/"):
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

"""Packets as a hostile or broken client would send them, and a router that takes them without sockets."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Sequence
from pathlib import Path

from unison_engine.audio.null import NullDevice
from unison_engine.host import osc
from unison_engine.host.osc import Message
from unison_engine.host.peers import UdpPeer
from unison_engine.host.server import Server
from unison_engine.takes import TakeLibrary
from unison_engine.testing import installed_commands, message, open_fast

COMMANDS = installed_commands()
ADDRESSES = [*COMMANDS, "/unison/run/sing", "/unison/*", "/unison//ping", "/", "/unison/done", "/ü"]
WORDS = [
    "",
    "rain",
    "seed",
    "play",
    "job-1",
    "job log",
    "text_to_audio",
    '{"seconds": 1e999}',
    "[" * 2000,
    "\0",
    "ü" * 300,
    "then",
    "/unison/play/start 0 {asset}",
]
NUMBERS = [0, 1, -1, 2**31 - 1, -(2**31), 2**40, 0.5, -1.0, 1e30, 1e300, float("nan"), float("inf")]
BLOBS = [b"RIFF", b"/unison/ping\0\0\0\0,\0\0\0", bytes(5000)]


class Line(asyncio.DatagramTransport):
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def sendto(self, data: bytes | bytearray | memoryview, addr: object = None) -> None:
        assert len(data) < osc.MAX_REPLY_BYTES
        self.sent += osc.decode(bytes(data))

    def is_closing(self) -> bool:
        return False


class Bench:
    """A router with all that is behind it, except that no job ever runs."""

    def __init__(self, folder: Path) -> None:
        self.server = Server(open_fast, TakeLibrary(folder), NullDevice(), port=0)
        self.line = Line()
        self.peer = UdpPeer("127.0.0.1", 9, self.line)
        self._pings = 0

    def take(self, packet: bytes) -> list[Message]:
        """What the router answers; an answer that tells of an exception is a failure."""
        self.line.sent.clear()
        self.server.router.receive(packet, self.peer)
        return self._answers(packet)

    async def finish(self) -> list[Message]:
        """What the router answers when that is done which was begun in threads."""
        self.line.sent.clear()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
        return self._answers(b"")

    def _answers(self, packet: bytes) -> list[Message]:
        for answer in self.line.sent:
            assert not (answer.address == "/unison/fail" and answer.arguments[2] == "internal"), (packet, answer)
        return list(self.line.sent)

    def ping(self) -> None:
        """A valid request is answered."""
        self._pings += 1
        number = -self._pings
        pongs = self.take(message("/unison/ping", number))
        assert any(a.address == "/unison/pong" and a.arguments[0] == number for a in pongs), pongs

    def settle(self) -> None:
        """End what was begun: jobs, timed messages, registrations, traces."""
        for address, *arguments in (("notify", 0), ("clearSched",), ("trace", 0), ("job/cancel_all", 0)):
            self.take(message(f"/unison/{address}", 0, *arguments))


def packet(rng: random.Random) -> bytes:
    """A message, a bundle, one of them with bytes changed or cut off, or nothing but noise."""
    kind = rng.randrange(10)
    if kind == 0:
        return rng.randbytes(rng.randrange(64))
    made = _bundle(rng, 0) if kind < 4 else _message(rng)
    if kind % 2:
        return made
    changed = bytearray(made)
    for _ in range(rng.randrange(1, 6)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed[: rng.randrange(1, len(changed) + 1)])


def _message(rng: random.Random) -> bytes:
    arguments: list[str | float | bytes] = [
        rng.choice(WORDS) if rng.random() < 0.5 else rng.choice(NUMBERS) for _ in range(rng.randrange(6))
    ]
    if rng.random() < 0.8:
        arguments.insert(0, rng.randrange(1000))
    command = COMMANDS.get(address := rng.choice(ADDRESSES))
    if command and rng.random() < 0.3:  # Of the right types, at least.
        values: dict[str, Sequence[str | float | bytes]] = {"s": WORDS, "i": NUMBERS[:5], "f": NUMBERS, "b": BLOBS}
        arguments[1:] = [rng.choice(values[parameter.tag]) for parameter in command.parameters if parameter.fixed]
    return message(address, *[a for a in arguments if not (isinstance(a, float) and abs(a) > 3e38)])


def _bundle(rng: random.Random, depth: int) -> bytes:
    tag = rng.choice([0, 1, 1 << 63, (1 << 64) - 1, rng.getrandbits(64)])
    made = b"#bundle\0" + struct.pack(">Q", tag)
    for _ in range(rng.randrange(4)):
        element = _bundle(rng, depth + 1) if rng.random() < 0.3 and depth < 12 else _message(rng)
        made += struct.pack(">i", len(element)) + element
    return made

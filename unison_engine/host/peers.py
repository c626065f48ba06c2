"""Ends of the lines to clients, whatever the transport."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Protocol

from unison_engine.host import osc

log = logging.getLogger(__name__)


class Peer(Protocol):
    """A client's end of a line: what replies are sent to. Equal for the same client, and hashable."""

    @property
    def admitted(self) -> bool:
        """Whether it may send commands; a line from another machine has to give the token first."""

    @property
    def local(self) -> bool:
        """Whether it is on this machine, and so may name any file of it."""

    def admit(self) -> None:
        """It gave the token."""

    def send(self, packet: bytes) -> None:
        """Send a packet, or drop it if the line is closed; never blocks."""

    def close(self) -> None:
        """Hang up when what was sent is out."""


@dataclass(frozen=True)
class UdpPeer:
    """A UDP port. The socket is bound to loopback, so whoever sends is on this machine."""

    host: str
    port: int
    transport: asyncio.DatagramTransport = field(compare=False, repr=False)

    admitted = True
    local = True

    def __str__(self) -> str:
        """For the log."""
        return f"udp:{self.host}:{self.port}"

    def admit(self) -> None:
        """It is admitted as it is."""

    def send(self, packet: bytes) -> None:
        """See `Peer.send`."""
        if len(packet) >= osc.MAX_REPLY_BYTES:
            log.warning("a reply of %d bytes goes to %s:%d; small clients may lose it", len(packet), *self.address)
        if not self.transport.is_closing():
            self.transport.sendto(packet, self.address)

    def close(self) -> None:
        """There is no line to hang up."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port

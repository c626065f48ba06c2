"""Where packets begin and end in a stream: int32 lengths as in OSC 1.0, or SLIP (RFC 1055) as in OSC 1.1."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Protocol

from unison_engine.errors import TooLarge
from unison_engine.host.osc import MAX_PACKET_BYTES

END = b"\xc0"
_ESC, _ESC_END, _ESC_ESC = b"\xdb", b"\xdb\xdc", b"\xdb\xdd"


class Framing(Protocol):
    """Takes a stream apart, and puts one together."""

    def packets(self, data: bytes) -> Iterator[bytes]:
        """Packets that are whole now that `data` came; what is left over waits for more.

        Raises:
            TooLarge: a packet is, or is announced to be, over `MAX_PACKET_BYTES`; the stream is of no use any more.
        """

    def frame(self, packet: bytes) -> bytes:
        """A packet as it goes into the stream."""


class LengthFraming:
    """Before each packet its length, a big-endian int32."""

    def __init__(self) -> None:
        """At the beginning of a stream."""
        self._waiting = bytearray()

    def packets(self, data: bytes) -> Iterator[bytes]:
        """See `Framing.packets`."""
        self._waiting += data
        while len(self._waiting) >= 4:
            (size,) = struct.unpack_from(">I", self._waiting)
            if size > MAX_PACKET_BYTES:
                raise _too_large(size)
            if len(self._waiting) < 4 + size:
                return
            packet = bytes(self._waiting[4 : 4 + size])
            del self._waiting[: 4 + size]
            if packet:
                yield packet

    def frame(self, packet: bytes) -> bytes:
        """See `Framing.frame`."""
        return struct.pack(">I", len(packet)) + packet


class SlipFraming:
    """END behind each packet, and mostly one before it as well; both are taken."""

    def __init__(self) -> None:
        """At the beginning of a stream."""
        self._waiting = bytearray()

    def packets(self, data: bytes) -> Iterator[bytes]:
        """See `Framing.packets`. An escape that SLIP does not know stays as it is."""
        head, *rest = data.split(END)
        self._grow(head)
        for piece in rest:
            packet = bytes(self._waiting).replace(_ESC_END, END).replace(_ESC_ESC, _ESC)
            if len(packet) > MAX_PACKET_BYTES:
                raise _too_large(len(packet))
            if packet:
                yield packet
            self._waiting.clear()
            self._grow(piece)

    def frame(self, packet: bytes) -> bytes:
        """See `Framing.frame`."""
        return END + packet.replace(_ESC, _ESC_ESC).replace(END, _ESC_END) + END

    def _grow(self, piece: bytes) -> None:
        self._waiting += piece
        if len(self._waiting) > 2 * MAX_PACKET_BYTES:  # Escaped, a packet is up to twice as long.
            raise _too_large(len(self._waiting))


def _too_large(size: int) -> TooLarge:
    return TooLarge(f"a packet of {size} bytes is over {MAX_PACKET_BYTES}; send less at once. The line is closed.")

"""A TCP connection. Its first byte tells OSC in SLIP (192) from HTTP (a capital letter) and OSC with lengths (0)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from unison_engine.errors import TooLarge
from unison_engine.host.framing import END, Framing, LengthFraming, SlipFraming
from unison_engine.host.router import Router

ADMISSION_SECONDS = 10.0
MAX_UNREAD_BYTES = 8 << 20
"""Room for the longest list, which is written at once."""

log = logging.getLogger(__name__)


class Connection(asyncio.Protocol):
    """One TCP connection, which is the `Peer` that its packets come from; or HTTP, and then it is handed over."""

    def __init__(
        self, router: Router, local: bool, http: Callable[[], asyncio.Protocol], peers: set[Connection]
    ) -> None:
        """`local` lines need no token; `http` makes what speaks HTTP; `peers` holds the connections that are open."""
        self.admitted = local
        self.local = local
        self._router = router
        self._http = http
        self._peers = peers
        self._framing: Framing | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def __str__(self) -> str:
        """For the log."""
        host, port = self._transport.get_extra_info("peername")[:2]
        return f"tcp:{host}:{port}"

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by asyncio."""
        self._transport = transport
        self._peers.add(self)
        transport.set_write_buffer_limits(high=MAX_UNREAD_BYTES)
        if not self.admitted:
            self._deadline = asyncio.get_running_loop().call_later(ADMISSION_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio with what came."""
        if self._framing is None:
            if b"A" <= data[:1] <= b"Z":
                self._hand_over(data)
                return
            self._framing = SlipFraming() if data.startswith(END) else LengthFraming()
        try:
            for packet in self._framing.packets(data):
                if self._transport.is_closing():
                    return
                self._router.receive(packet, self)
        except TooLarge as error:
            self._router.refuse(error, self)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio when the line is closed, from whichever side."""
        self._leave()
        self._router.forget(self)

    def pause_writing(self) -> None:
        """Called by asyncio when the other side does not read what it is sent."""
        log.warning("a client left %d bytes unread; its connection is closed", MAX_UNREAD_BYTES)
        self._transport.abort()

    def admit(self) -> None:
        """See `Peer.admit`."""
        self.admitted = True
        if self._deadline:
            self._deadline.cancel()

    def send(self, packet: bytes) -> None:
        """See `Peer.send`."""
        if self._framing and not self._transport.is_closing():
            self._transport.write(self._framing.frame(packet))

    def close(self) -> None:
        """See `Peer.close`."""
        self._transport.close()

    def _hand_over(self, data: bytes) -> None:
        self._leave()
        http = self._http()
        self._transport.set_protocol(http)
        http.connection_made(self._transport)
        http.data_received(data)

    def _leave(self) -> None:
        self._peers.discard(self)
        if self._deadline:
            self._deadline.cancel()

"""A WebSocket: binary frames are OSC packets, text frames are OSCQuery's commands and events."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import WSMsgType, web

from unison_engine.host.osc import MAX_PACKET_BYTES
from unison_engine.host.router import Router

MAX_UNREAD_FRAMES = 1000
HEARTBEAT_SECONDS = 30.0

log = logging.getLogger(__name__)


class WebSocketPeer:
    """The `Peer` at the other end of a WebSocket."""

    def __init__(self, router: Router, request: web.Request, local: bool, admitted: bool) -> None:
        """Packets go to `router`."""
        self.admitted = admitted
        self.local = local
        self._router = router
        self._request = request
        self._ended = False
        self._unsent: asyncio.Queue[bytes | str | None] = asyncio.Queue(MAX_UNREAD_FRAMES)

    async def run(self) -> web.WebSocketResponse:
        """Serve until either side hangs up."""
        socket = web.WebSocketResponse(max_msg_size=MAX_PACKET_BYTES, heartbeat=HEARTBEAT_SECONDS, compress=False)
        await socket.prepare(self._request)
        sender = asyncio.create_task(self._send_all(socket))
        try:
            async for frame in socket:
                if frame.type is WSMsgType.BINARY:
                    self._router.receive(frame.data, self)
        finally:
            self._router.forget(self)
            self.close()
            self._ended = True
            await sender
        return socket

    def admit(self) -> None:
        """See `Peer.admit`."""
        self.admitted = True

    def send(self, packet: bytes) -> None:
        """See `Peer.send`."""
        self._put(packet)

    def close(self) -> None:
        """See `Peer.close`."""
        self._put(None)

    def _put(self, frame: bytes | str | None) -> None:
        if self._ended:
            return
        try:
            self._unsent.put_nowait(frame)
        except asyncio.QueueFull:
            log.warning("a client left %d frames unread; its WebSocket is closed", MAX_UNREAD_FRAMES)
            if self._request.transport:
                self._request.transport.abort()

    async def _send_all(self, socket: web.WebSocketResponse) -> None:
        try:
            while (frame := await self._unsent.get()) is not None:
                await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))
            await socket.close()
        except ConnectionError:
            log.debug("a WebSocket was closed from the other side")

"""A WebSocket: binary frames are OSC packets, text frames are OSCQuery's commands and events."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Literal, get_args

from aiohttp import WSMsgType, web
from pydantic import BaseModel, Field, ValidationError

from unison_engine.errors import BadArguments, NotAllowed, UnknownAddress
from unison_engine.host.clients import ClientBook
from unison_engine.host.connection import ADMISSION_SECONDS, MAX_UNREAD_BYTES
from unison_engine.host.namespace import Namespace
from unison_engine.host.osc import MAX_PACKET_BYTES, shorten
from unison_engine.host.router import Router

HEARTBEAT_SECONDS = 30.0

log = logging.getLogger(__name__)


class Asked(BaseModel):
    """A text frame of a client."""

    command: Literal["LISTEN", "IGNORE"] = Field(alias="COMMAND")
    data: str = Field(alias="DATA")


class WebSocketPeer:
    """The `Peer` at the other end of a WebSocket."""

    def __init__(
        self,
        router: Router,
        clients: ClientBook,
        namespace: Namespace,
        request: web.Request,
        local: bool,
        admitted: bool,
    ) -> None:
        """Packets go to `router`; of the nodes in `namespace` it may listen to those that have values."""
        self.admitted = admitted
        self.local = local
        self._router = router
        self._clients = clients
        self._namespace = namespace
        self._request = request
        self._ended = False
        self._unsent: asyncio.Queue[bytes | str | None] = asyncio.Queue()
        self._unread = 0

    def __str__(self) -> str:
        """For the log."""
        host, port = (self._request.get_extra_info("peername") or ("", 0))[:2]
        return f"ws:{host}:{port}"

    async def run(self) -> web.WebSocketResponse:
        """Serve until either side hangs up."""
        socket = web.WebSocketResponse(max_msg_size=MAX_PACKET_BYTES, heartbeat=HEARTBEAT_SECONDS, compress=False)
        await socket.prepare(self._request)
        sender = asyncio.create_task(self._send_all(socket))
        deadline = asyncio.get_running_loop().call_later(ADMISSION_SECONDS, self._expire)
        try:
            async for frame in socket:
                if frame.type is WSMsgType.BINARY:
                    self._router.receive(frame.data, self)
                elif frame.type is WSMsgType.TEXT:
                    self._obey(frame.data)
        finally:
            deadline.cancel()
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

    def tell(self, command: str, path: str) -> None:
        """See `Watcher.tell`."""
        if self.admitted:
            self._put(json.dumps({"COMMAND": command, "DATA": path}))

    def _obey(self, text: str) -> None:
        try:
            asked = Asked.model_validate_json(text)
        except ValidationError:
            kinds = ", ".join(get_args(Asked.model_fields["command"].annotation))
            told = f"{shorten(text, 100)!r} is no command; send an object with COMMAND ({kinds}) and DATA, a path."
            self._router.refuse(BadArguments(told), self)
            return
        if not self.admitted:
            self._router.refuse(NotAllowed("send /unison/auth with the token first, in a binary frame."), self)
        elif asked.command == "IGNORE":
            self._clients.ignore(asked.data, self)
        elif self._namespace.readable(asked.data):
            self._clients.listen(asked.data, self)
        else:
            self._router.refuse(UnknownAddress(f"{shorten(asked.data, 100)!r} has no value to listen to."), self)

    def _expire(self) -> None:
        if not self.admitted:
            self.close()

    def _put(self, frame: bytes | str | None) -> None:
        if self._ended:
            return
        # Counted in bytes: a long list is put here at once, in many small frames, before the first can be sent.
        self._unread += len(frame or "")
        if self._unread <= MAX_UNREAD_BYTES:
            self._unsent.put_nowait(frame)
            return
        log.warning("a client left %d bytes unread; its WebSocket is closed", MAX_UNREAD_BYTES)
        if self._request.transport:
            self._request.transport.abort()

    async def _send_all(self, socket: web.WebSocketResponse) -> None:
        try:
            while (frame := await self._unsent.get()) is not None:
                await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))
                self._unread -= len(frame)
            await socket.close()
        except ConnectionError:
            log.debug("a WebSocket was closed from the other side")

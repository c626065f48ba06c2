"""A line to the engine that loses datagrams, so that its clients have to send again."""

from __future__ import annotations

import itertools
import select
import socket
import threading
from collections.abc import Callable
from types import TracebackType

SERVER = "127.0.0.1"


class Relay:
    """Carries datagrams of one client to a port of this machine and back, except for those it loses.

    `loses` is asked for every datagram, with whether it goes to the engine. By default the first of each way is lost:
    the first request, and then the ack that answers its repetition.
    """

    def __init__(self, port: int, loses: Callable[[bool], bool] | None = None) -> None:
        seen = {True: itertools.count(), False: itertools.count()}
        self._loses = loses or (lambda inward: next(seen[inward]) == 0)
        self.lost = 0
        self._server = (SERVER, port)
        self._near, self._far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self._near.bind((SERVER, 0))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._carry)

    @property
    def port(self) -> int:
        return int(self._near.getsockname()[1])

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._near.close()
        self._far.close()

    def _carry(self) -> None:
        client = None
        while not self._ended.is_set():
            for ready in select.select([self._near, self._far], [], [], 0.1)[0]:
                packet, sender = ready.recvfrom(65536)
                client = sender if ready is self._near else client
                if self._loses(ready is self._near):
                    self.lost += 1
                elif ready is self._near:
                    self._far.sendto(packet, self._server)
                elif client:
                    self._near.sendto(packet, client)

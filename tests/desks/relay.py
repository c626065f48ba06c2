"""A line to the engine that loses datagrams where it hurts: every client at the desk has to send again."""

from __future__ import annotations

import select
import socket
import threading
from types import TracebackType

SERVER = "127.0.0.1"


class Relay:
    """Carries datagrams of one client to a port of this machine and back, but not the first of each way.

    What is lost first is the first request, and then the ack that answers its repetition.
    """

    def __init__(self, port: int) -> None:
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
        fresh = {self._near, self._far}
        while not self._ended.is_set():
            for ready in select.select([self._near, self._far], [], [], 0.1)[0]:
                packet, sender = ready.recvfrom(65536)
                client = sender if ready is self._near else client
                if ready in fresh:
                    fresh.remove(ready)
                    self.lost += 1
                elif ready is self._near:
                    self._far.sendto(packet, self._server)
                elif client:
                    self._near.sendto(packet, client)

"""One datagram in five is lost, both ways; a client that sends again what was not answered loses nothing."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from unison_engine.testing import PATIENCE, LiveHost, OscClient, open_fast

RUN = "/unison/run/text_to_audio"
FINAL = {"/unison/done", "/unison/fail", "/unison/cancelled"}
JOBS = 12
LOSS = 0.2
AGAIN_SECONDS = 0.2


class LossyRelay:
    """Carries datagrams of one client to a port of this machine and back, except for those it loses."""

    def __init__(self, port: int) -> None:
        self.lost = 0
        self._server = ("127.0.0.1", port)
        self._near, self._far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self._near.bind(("127.0.0.1", 0))
        self._rng = random.Random(7)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._carry)

    @property
    def port(self) -> int:
        return int(self._near.getsockname()[1])

    def __enter__(self) -> LossyRelay:
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
                if self._rng.random() < LOSS:
                    self.lost += 1
                elif ready is self._near:
                    self._far.sendto(packet, self._server)
                elif client:
                    self._near.sendto(packet, client)


def test_every_job_ends_exactly_once_for_a_client_that_loses_one_datagram_in_five(tmp_path: Path) -> None:
    with LiveHost(open_fast, tmp_path) as host, LossyRelay(host.port) as relay, OscClient(relay.port) as client:
        client.socket.settimeout(AGAIN_SECONDS)
        ended: dict[int, set[tuple[Any, ...]]] = {req: set() for req in range(1, JOBS + 1)}
        deadline = time.monotonic() + PATIENCE
        while not all(ended.values()):
            assert time.monotonic() < deadline, ended
            for req in (req for req, outcomes in ended.items() if not outcomes):
                # The fourth fails, after its ack: it is longer than the model makes.
                client.send(RUN, req, "rain", 60.0 if req == 4 else 0.3)
            with contextlib.suppress(TimeoutError):
                while True:
                    address, arguments = client.receive()
                    if address in FINAL:
                        ended[arguments[1]].add((address, *arguments))
        assert all(len(outcomes) == 1 for outcomes in ended.values()), ended
        addresses = [outcome[0] for outcomes in ended.values() for outcome in outcomes]
        assert addresses.count("/unison/fail") == 1 and addresses.count("/unison/done") == JOBS - 1
        assert len(host.library.ids()) == JOBS - 1
        assert relay.lost > 0

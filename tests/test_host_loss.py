"""One datagram in five is lost, both ways; a client that sends again what was not answered loses nothing."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path
from typing import Any

from tests.relay import Relay
from unison_engine.testing import PATIENCE, LiveHost, OscClient, open_fast

RUN = "/unison/run/text_to_audio"
FINAL = {"/unison/done", "/unison/fail", "/unison/cancelled"}
JOBS = 12
LOSS = 0.2
AGAIN_SECONDS = 0.2


def test_every_job_ends_exactly_once_for_a_client_that_loses_one_datagram_in_five(tmp_path: Path) -> None:
    chance = random.Random(7)
    with (
        LiveHost(open_fast, tmp_path) as host,
        Relay(host.port, lambda _: chance.random() < LOSS) as relay,
        OscClient(relay.port) as client,
    ):
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

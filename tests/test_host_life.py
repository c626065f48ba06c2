"""How a host and its worker begin and end, and what the deaths of either cost."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from unison_engine.audio.null import NullDevice
from unison_engine.errors import BadArguments, ModelMissing
from unison_engine.host.server import Server
from unison_engine.takes import TakeLibrary
from unison_engine.testing import LiveHost, OscClient, open_fast, open_missing, open_slow

RUN = "/unison/run/text_to_audio"


def test_killed_worker_fails_its_job_and_the_next_is_served(tmp_path: Path) -> None:
    with LiveHost(open_slow, tmp_path) as live, OscClient(live.port) as client:
        client.send(RUN, 1, "sea", 1.0, "steps", 1000)
        client.until("/unison/progress")
        killed = live.server.worker.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        command, req, code, text, job = client.until("/unison/fail")
        assert (command, req, code) == (RUN, 1, "interrupted") and "again" in text and job
        assert client.ask(RUN, 2, "sea", 1.0)[1] == 2
        assert live.server.worker.pid != killed


def test_worker_killed_while_idle_costs_nobody_a_job(tmp_path: Path) -> None:
    with LiveHost(open_fast, tmp_path) as live, OscClient(live.port) as client:
        pid = live.server.worker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while live.server.worker.alive:
            time.sleep(0.01)
        assert client.ask(RUN, 1, "rain", 1.0)[1] == 1


def test_shutting_down_answers_every_job_and_leaves_no_process(tmp_path: Path) -> None:
    with LiveHost(open_slow, tmp_path) as live, OscClient(live.port) as client:
        client.send(RUN, 1, "sea", 1.0, "steps", 1000)
        client.send(RUN, 2, "sea", 1.0)
        client.until("/unison/progress")
        pid = live.server.worker.pid
        assert client.ask("/unison/quit", 3)[:2] == ["/unison/quit", 3]
        live.join()
        ended = [client.until("/unison/fail") for _ in range(2)]
        assert [(fail[1], fail[2]) for fail in ended] == [(1, "interrupted"), (2, "interrupted")]
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_host_that_goes_down_takes_no_more_jobs(tmp_path: Path) -> None:
    with LiveHost(open_fast, tmp_path) as live, OscClient(live.port) as client:
        client.ask(RUN, 1, "sea", 0.2)
        live.server._scheduler.stop()
        client.send(RUN, 2, "sea", 0.2)
        assert client.until("/unison/ack", "/unison/fail")[1:3] == [2, "interrupted"]


def test_takes_that_are_busy_hold_up_nobody_who_does_not_ask_for_them(tmp_path: Path) -> None:
    with LiveHost(open_fast, tmp_path) as live, OscClient(live.port) as client:
        client.ask(RUN, 1, "sea", 0.2)
        assert client.ask("/unison/status", 2, reply="/unison/status.reply")
        index = sqlite3.connect(next(tmp_path.glob("*.sqlite3")), isolation_level=None)
        index.execute("BEGIN IMMEDIATE")
        client.send("/unison/status", 3)
        client.send("/unison/ping", 4)
        assert client.receive()[0] == "/unison/pong"
        index.rollback()
        index.close()
        client.until("/unison/status.reply")


def test_a_missing_bundle_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="no bundle 'noise'"), LiveHost(open_missing, tmp_path):
        pass


def test_a_taken_port_is_told_at_the_start(tmp_path: Path) -> None:
    async def serve(port: int) -> None:
        async with Server(open_fast, TakeLibrary(tmp_path / "second"), NullDevice(), port=port):
            pass

    with LiveHost(open_fast, tmp_path / "first") as live, pytest.raises(BadArguments, match="another port"):
        asyncio.run(serve(live.port))


def test_other_machines_are_served_with_a_token_alone(tmp_path: Path) -> None:
    for token in (None, "short"):
        with pytest.raises(BadArguments, match="UNISON_TOKEN"):
            Server(open_fast, TakeLibrary(tmp_path), NullDevice(), host="0.0.0.0", token=token)

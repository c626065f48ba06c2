"""A worker that is killed again and again, a full disk, a library that is gone: told, and gone on from."""

from __future__ import annotations

import os
import resource
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from unison_engine.audio.sound import Sound
from unison_engine.testing import LiveHost, open_fast, open_slow

RUN = "/unison/run/text_to_audio"
FINAL = {"/unison/done", "/unison/fail", "/unison/cancelled"}
KILLS = 100


@pytest.mark.slow
def test_a_worker_killed_a_hundred_times_costs_no_sound_and_no_answer(tmp_path: Path) -> None:
    with LiveHost(open_slow, tmp_path) as host, host.client() as client:
        # An hour of sound, so that the device plays throughout.
        host.server.deck.play(Sound("silence", np.zeros((3600 * 100, 1), np.float32), 100.0))
        played = 0
        kept: set[str] = set()
        ended: Counter[int] = Counter()
        for req in range(1, KILLS + 1):
            client.send(RUN, req, "sea", 1.0, "steps", 1000)
            client.until("/unison/progress")
            # Every tenth time another job waits behind the one that is lost, and is made all the same.
            waits = req % 10 == 0
            if waits:
                client.send(RUN, KILLS + req, "rain", 0.2)
            worker = host.server.worker.pid
            assert worker is not None
            os.kill(worker, signal.SIGKILL)
            assert client.until("/unison/fail")[1:3] == [req, "interrupted"]
            if waits:
                done = client.until("/unison/done")
                assert done[1] == KILLS + req
                kept.add(done[7])
            assert host.device.position > played
            played = host.device.position
        client.ask("/unison/sync", 9999, reply="/unison/synced")
        for address, arguments in client.seen:
            if address in FINAL:
                ended[arguments[1]] += 1
        assert len(ended) == KILLS + KILLS // 10 and set(ended.values()) == {1}
        assert set(host.library.ids()) == kept and all(host.library.get(take).path.is_file() for take in kept)
        assert host.server.worker.starts == KILLS + 1


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process, which is the host's too, grows over 1.2 MB; the worker's shared memory is 0.96 MB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def moved_away(folder: Path) -> Iterator[None]:
    folder.rename(folder.with_name("elsewhere"))
    try:
        yield
    finally:
        folder.with_name("elsewhere").rename(folder)


@pytest.mark.parametrize("trouble", ["full", "gone"])
def test_a_library_that_cannot_be_written_is_told_and_gone_on_with(tmp_path: Path, trouble: str) -> None:
    folder = tmp_path / "takes"
    with LiveHost(open_fast, folder) as host, host.client() as client:
        first = client.ask(RUN, 1, "rain", 0.5)[7]
        with full_disk() if trouble == "full" else moved_away(folder):
            client.send(RUN, 2, "rain", 10.0)  # 1.44 MB as a take.
            _, req, code, text, job = client.until("/unison/fail")
            client.ask("/unison/ping", 3, reply="/unison/pong")
        assert (req, code) == (2, "library_failed") and job and str(folder) in text
        second = client.ask(RUN, 4, "rain", 0.5)[7]
        assert set(host.library.ids()) == {first, second}
        assert sorted(file.name for file in folder.glob("*.wav")) == sorted(f"{take}.wav" for take in (first, second))
        assert not list(folder.glob(".*.part"))

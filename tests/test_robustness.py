"""A worker that is killed again and again, a full disk, a library that is gone: told, and gone on from."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from unison_engine.audio import keeper
from unison_engine.audio.device import Device, Wish
from unison_engine.audio.null import LOOPBACK, NULL, NullDevice
from unison_engine.audio.sound import Sound
from unison_engine.errors import DeviceFailed
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
        print(f"{KILLS} kills, {len(ended)} jobs ended once each, {len(kept)} takes, {played} frames played meanwhile")


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process, which is the host's too, grows over 1.2 MB."""
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
    with LiveHost(open_slow, folder) as host, host.client() as client:
        first = client.ask(RUN, 1, "rain", 0.5, "steps", 1)[7]
        client.send(RUN, 2, "rain", 10.0, "steps", 10)  # 1.44 MB as a take.
        while client.until("/unison/progress")[0] != "job-2":
            pass  # Once it makes progress it has its shared memory, which is a file too.
        with full_disk() if trouble == "full" else moved_away(folder):
            _, req, code, text, job = client.until("/unison/fail")
            client.ask("/unison/ping", 3, reply="/unison/pong")
        assert (req, code) == (2, "library_failed") and job and str(folder) in text
        second = client.ask(RUN, 4, "rain", 0.5, "steps", 1)[7]
        assert set(host.library.ids()) == {first, second}
        assert sorted(file.name for file in folder.glob("*.wav")) == sorted(f"{take}.wav" for take in (first, second))
        assert not list(folder.glob(".*.part"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root mounts a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full_is_told_and_gone_on_with_when_there_is_room(small_disk: Path) -> None:
    with LiveHost(open_fast, small_disk / "takes") as host, host.client() as client:
        first = client.ask(RUN, 1, "rain", 0.5)[7]
        ballast = small_disk / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        for req in (2, 3):
            client.send(RUN, req, "rain", 2.0)
            _, got, code, text, _ = client.until("/unison/fail")
            assert (got, code) == (req, "library_failed") and "No space left" in text
        client.ask("/unison/ping", 4, reply="/unison/pong")
        ballast.unlink()
        second = client.ask(RUN, 5, "rain", 2.0)[7]
        assert set(host.library.ids()) == {first, second} and not list((small_disk / "takes").glob(".*.part"))


def test_a_device_that_is_gone_is_told_and_what_plays_goes_on_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugged = False

    def reopen(name: str, wish: Wish) -> Device:
        if not plugged:
            raise DeviceFailed("it is not there")
        return NullDevice(name, wish)

    monkeypatch.setattr(keeper, "_RETURN_SECONDS", 0.0)
    with LiveHost(open_fast, tmp_path) as host, host.client() as client:
        monkeypatch.setattr(host.server.keeper, "_reopen", reopen)
        monkeypatch.setattr(host.server.keeper, "_look_again", lambda: None)
        client.ask("/unison/notify", 1, 1, 0, "device")
        take = client.ask(RUN, 2, "rain", 0.5)[7]
        client.ask("/unison/play/start", 3, take, -6.0, 1)
        monkeypatch.setattr(host.device, "alive", False)
        assert [client.until("/unison/event/device") for _ in range(2)] == [["lost", LOOPBACK], ["opened", NULL]]
        client.send("/unison/device/open", 4, LOOPBACK)
        assert client.until("/unison/fail")[2] == "device_failed"
        assert client.ask(RUN, 5, "rain", 0.5, "play", 1)[1] == 5
        client.seen.clear()
        plugged = True
        while client.until("/unison/event/device") != ["opened", LOOPBACK]:
            pass
        client.ask("/unison/play/list", 6, reply="/unison/end")
        playing = [row for address, row in client.seen if address == "/unison/item"]
        assert [row[4:6] for row in playing if row[9] == 1] == [[take, "playing"]]

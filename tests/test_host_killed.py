"""The whole host is killed while it writes takes: the library is whole at the next start, and misses nothing told."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from tests.test_cli import SERVE
from unison_engine.takes import TakeLibrary
from unison_engine.testing import PATIENCE, OscClient

RUN = "/unison/run/text_to_audio"
ROUNDS = 10
AHEAD = 4


def writes_until_killed(folder: Path, seconds: float) -> set[str]:
    """Takes that a host told of before it was killed, so many seconds after the first."""
    serve = SERVE.replace("open_slow", "open_fast")
    host = subprocess.Popen([sys.executable, "-c", serve, str(folder)], stdout=subprocess.PIPE, text=True)
    told: set[str] = set()
    try:
        assert host.stdout
        ready = re.search(r":(\d+), bundle", host.stdout.readline())
        assert ready, "the host did not start again"
        worker = int(subprocess.check_output(["pgrep", "-P", str(host.pid), "-f", "spawn_main"]).split()[0])
        with OscClient(int(ready[1])) as client:
            for req in range(1, AHEAD + 1):
                client.send(RUN, req, "rain", 2.0)
            told.add(client.until("/unison/done")[7])
            ends = time.monotonic() + seconds
            client.socket.settimeout(0.02)
            while time.monotonic() < ends:
                with contextlib.suppress(TimeoutError):
                    address, arguments = client.receive()
                    if address == "/unison/done":
                        told.add(arguments[7])
                        req += 1
                        client.send(RUN, req, "rain", 2.0)
            host.send_signal(signal.SIGKILL)
            host.wait(PATIENCE)
            with contextlib.suppress(TimeoutError, ConnectionError):
                while True:  # What was told and lies in the socket.
                    address, arguments = client.receive()
                    told |= {arguments[7]} if address == "/unison/done" else set()
    finally:
        host.kill()
        host.communicate()
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{worker}").exists() and "Z" not in Path(f"/proc/{worker}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline, "the worker outlived its host"
        time.sleep(0.05)
    return told


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc and SIGKILL")
def test_a_host_killed_at_any_moment_leaves_whole_takes_or_none(tmp_path: Path) -> None:
    chance, told, parts = random.Random(7), set[str](), set[str]()
    for _ in range(ROUNDS):
        told |= writes_until_killed(tmp_path, chance.uniform(0.0, 0.5))
        library = TakeLibrary(tmp_path)
        takes = library.list()
        assert told <= {take.id for take in takes} == set(library.ids()) == {f.stem for f in tmp_path.glob("*.wav")}
        for take in takes:
            assert soundfile.info(take.path).frames == 96_000 and library.get(take.id) == take
        parts |= {part.name for part in tmp_path.glob(".*.part")}
    print(f"{ROUNDS} hosts killed, {len(told)} takes told and all there, {len(parts)} files interrupted")
    assert len(told) >= ROUNDS

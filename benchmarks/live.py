"""A JACK server without a sound card, and a host as `unison serve` starts it, for measurements of the whole."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jack

from unison_engine.testing import OscClient

RATE = 48_000
_PRIORITY = 70
_START_SECONDS = 10.0


@dataclass(frozen=True)
class Jack:
    """A JACK server that runs.

    Attributes:
        environment: in which its clients find it.
        realtime: its threads and those of its clients have real-time scheduling.
    """

    environment: dict[str, str]
    realtime: bool


@contextlib.contextmanager
def jack_dummy(frames: int) -> Iterator[Jack]:
    """Run a JACK server with the dummy driver at 48 kHz, with periods of so many frames; in real time if it may."""
    name = f"unison-{os.getpid()}"
    environment = {**os.environ, "JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
    driver = ["-d", "dummy", "-r", str(RATE), "-p", str(frames)]
    for realtime in (True, False):
        schedule = ["-R", f"-P{_PRIORITY}"] if realtime else ["--no-realtime"]
        command = ["jackd", *schedule, "-n", name, *driver]
        server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            if _answers(name):
                yield Jack(environment, realtime)
                return
        finally:
            server.terminate()
            server.wait()
    raise SystemExit("jackd does not start; run: apt-get install --no-install-recommends jackd2 libportaudio2")


def _answers(name: str) -> bool:
    jack.set_error_function(lambda told: None)  # What it says while the server has yet to start.
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(jack.JackError):
            jack.Client("there", no_start_server=True, servername=name).close()
            return True
        time.sleep(0.1)
    return False


class ServedHost:
    """`unison serve` with the shipped bundle, in a process of its own; use as a context manager.

    Attributes:
        port: where it listens.
        process: the host itself.
    """

    def __init__(self, library: Path, device: str, environment: dict[str, str]) -> None:
        """Keep takes in `library`, and play to `device`."""
        command = [str(Path(sys.executable).with_name("unison")), "serve", "--port", "0"]
        # As a user has it: no limit on the threads of the matrix products.
        usual = {name: value for name, value in environment.items() if not name.endswith("_NUM_THREADS")}
        self.process = subprocess.Popen(
            [*command, "--library", str(library), "--device", device], env=usual, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        ready = self.process.stdout.readline()
        found = re.search(r"osc\.udp://[\d.]+:(\d+)", ready)
        if not found:
            self.process.kill()
            raise SystemExit(f"the host did not start: {ready!r}")
        self.port = int(found[1])

    def __enter__(self) -> ServedHost:
        """The host itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """End it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=60)

    def client(self) -> OscClient:
        """A client over UDP."""
        return OscClient(self.port)

    @property
    def worker(self) -> int:
        """Process id of the inference worker."""
        told = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-f", "spawn_main"], capture_output=True, text=True
        )
        return int(told.stdout.split()[0])

    def metric(self, name: str) -> float:
        """What the host tells Prometheus under this name; the sum over its labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as page:
            lines = page.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if re.match(rf"{name}[ {{]", line))

    def memory(self) -> dict[str, float]:
        """Resident memory of host and worker, in MB."""
        return {"host": resident(self.process.pid), "worker": resident(self.worker)}


def resident(pid: int) -> float:
    """Resident memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024

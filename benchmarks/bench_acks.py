"""Time from a request to its ack over UDP on this machine, with SuperCollider's server beside it in turns.

python -m benchmarks.bench_acks [--count 2000]

Each turn asks the host for a sound and waits for the ack, then for a ping; asks scsynth for /sync; and asks a process
that does nothing but send back what it gets: what that takes is the machine's own. `idle` asks while the worker has
nothing to do, `busy` while it is at a long job. Both servers are clients of the same JACK server with the dummy driver.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pythonosc.osc_message import OscMessage

from benchmarks.live import Jack, ServedHost, jack_dummy
from benchmarks.soak import spread
from unison_engine.testing import OscClient, message

FRAMES = 256
WARM_UP = 50
RUN = "/unison/run/text_to_audio"
_ECHO = """
import socket
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.bind(("127.0.0.1", 0))
print(line.getsockname()[1], flush=True)
while True:
    line.sendto(*line.recvfrom(65536))
"""


def main() -> None:
    """Print the spread of the times in milliseconds, as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=2000, help="turns, idle and busy each")
    count = options.parse_args().count
    with (
        tempfile.TemporaryDirectory() as folder,
        jack_dummy(FRAMES) as jack,
        ServedHost(Path(folder), "system", jack.environment) as host,
        scsynth(jack) as sync,
        echo() as port,
        host.client() as client,
        contextlib.closing(line(port)) as echoed,
    ):
        result: dict[str, object] = {"frames": FRAMES, "realtime": jack.realtime, "load_before": os.getloadavg()}
        turns(client, sync, echoed, WARM_UP, 5_000_000)
        result["idle"] = turns(client, sync, echoed, count, 1)
        client.send(RUN, 9_000_000, "sea", 10.0, "steps", 1000, "priority", 100)
        client.until("/unison/progress")
        result["busy"] = turns(client, sync, echoed, count, 1_000_000)
        result["load_after"] = os.getloadavg()
    print(json.dumps(result, indent=1))


def turns(
    client: OscClient, sync: socket.socket, echoed: socket.socket, count: int, first: int
) -> dict[str, dict[str, float]]:
    """So many turns; every job is cancelled, and its end awaited, before the next is asked for."""
    acks, pings, syncs, echoes = [], [], [], []
    for req in range(first, first + count):
        # Not in step with the periods of the sound server, at one of which scsynth has just answered.
        time.sleep(random.uniform(0.0, FRAMES / 48_000))
        packet = message(RUN, req, "rain", 1.0)
        asked = time.perf_counter()
        client.send_bytes(packet)
        answer = answered(client, "/unison/ack")
        acks.append(time.perf_counter() - asked)
        client.send("/unison/job/cancel", 0, OscMessage(answer).params[2])
        while client.until("/unison/cancelled", "/unison/done", "/unison/fail")[1] != req:
            pass
        client.seen.clear()
        asked = time.perf_counter()
        client.send("/unison/ping", 2_000_000 + req)
        answered(client, "/unison/pong")
        pings.append(time.perf_counter() - asked)
        syncs.append(there_and_back(sync, message("/sync", req)))
        echoes.append(there_and_back(echoed, message("/sync", req)))
    return {"ack": spread(acks), "ping": spread(pings), "scsynth /sync": spread(syncs), "echo": spread(echoes)}


def answered(client: OscClient, address: str) -> bytes:
    """The next packet of one message at an address; the long job tells of its steps in between."""
    while not (packet := client.receive_bytes()).startswith(address.encode() + b"\0"):
        pass
    return packet


def there_and_back(to: socket.socket, packet: bytes) -> float:
    """Seconds until a packet is answered."""
    asked = time.perf_counter()
    to.send(packet)
    to.recv(65_536)
    return time.perf_counter() - asked


def line(port: int) -> socket.socket:
    """A UDP socket to a port of this machine."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(10.0)
    made.connect(("127.0.0.1", port))
    return made


@contextlib.contextmanager
def scsynth(jack: Jack) -> Iterator[socket.socket]:
    """Run SuperCollider's server; yields a line to it."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["scsynth", "-u", str(port), "-i", "2", "-o", "2", "-R", "0", "-l", "4"]
    process = subprocess.Popen(command, env=jack.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with contextlib.closing(line(port)) as made:
            _wait_for(made)
            yield made
    finally:
        process.kill()
        process.wait()


def _wait_for(made: socket.socket) -> None:
    deadline = time.monotonic() + 30.0
    while time.monotonic() < deadline:
        with contextlib.suppress(ConnectionError):
            there_and_back(made, message("/sync", 0))
            return
        time.sleep(0.2)
    raise SystemExit("scsynth does not answer; run: apt-get install --no-install-recommends supercollider-server")


@contextlib.contextmanager
def echo() -> Iterator[int]:
    """Run a process that sends back what it gets; yields its port."""
    with subprocess.Popen([sys.executable, "-c", _ECHO], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


if __name__ == "__main__":
    main()

"""A long session: jobs of all tasks from three clients while everything plays, beside a bare client of rtmixer.

python -m benchmarks.soak --minutes 10 [--json soak.json]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.live import ServedHost, jack_dummy
from unison_engine.host.framing import LengthFraming
from unison_engine.testing import Client, OscClient, TcpClient, WebSocketClient, clients
from unison_plugins.demo import REQUESTS

FRAMES = (256, 128, 64)
clients.PATIENCE = 600.0  # A job of a machine that is busy otherwise waits behind those of two more clients.
MEMORY_SECONDS = 30.0
_FINAL = {"/unison/done": "done", "/unison/fail": "failed", "/unison/cancelled": "cancelled"}
_FIRST = ("text_to_audio", "text_to_speech", "speech_and_sound")  # Of each client; all tasks come early this way.
_JOB, _PING = 1, 1_000_000_000  # Where the numbers of requests begin.


@dataclass
class Session:
    """What one client saw.

    Attributes:
        jobs: how many were asked for, by task.
        ended: how often each request was told an end.
        states: how many ended as done, failed or cancelled.
        failures: what was told of those that failed.
        acks: seconds from each request to its ack.
        pings: seconds from each ping to its answer, while jobs run.
        pinged: when the ping was sent that has yet to be answered; 0 for none.
    """

    jobs: Counter[str] = field(default_factory=Counter)
    ended: Counter[int] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    acks: list[float] = field(default_factory=list)
    pings: list[float] = field(default_factory=list)
    pinged: float = 0.0


def main() -> None:
    """Print and write what was found for each size of period."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=10.0, help="of all sizes together")
    options.add_argument("--json", type=Path, help="where the result is written as well")
    chosen = options.parse_args()
    found: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.platform()}",
        "load_before": os.getloadavg(),
        "runs": [],
    }
    for frames in FRAMES:
        found["runs"].append(run(60 * chosen.minutes / len(FRAMES), frames))
        if chosen.json:  # Now, so that an end before the end leaves something.
            chosen.json.write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))


def run(seconds: float, frames: int) -> dict[str, Any]:
    """One JACK server, one host, three clients, one bare client of rtmixer."""
    with (
        tempfile.TemporaryDirectory() as folder,
        jack_dummy(frames) as jack,
        ServedHost(Path(folder), "system", jack.environment) as host,
        bare_underruns(jack.environment) as bare,
    ):
        sea = loop(host)
        sessions = [Session() for _ in range(3)]
        over = threading.Event()
        callers = [OscClient(host.port), TcpClient(host.port, LengthFraming()), WebSocketClient(host.port)]
        threads = [
            threading.Thread(target=work, args=(client, session, over, order(first), sea))
            for client, session, first in zip(callers, sessions, _FIRST, strict=True)
        ]
        began = time.monotonic()
        before = bare(), host.metric("unison_output_underruns_total")
        for thread in threads:
            thread.start()
        memory = watch_memory(host, seconds)
        over.set()
        for thread in threads:
            thread.join()
        underruns = {
            "ours": host.metric("unison_output_underruns_total") - before[1],
            "bare": bare() - before[0],
        }
        lasted = time.monotonic() - began
        memory.append(host.memory())
        niceness = [os.getpriority(os.PRIO_PROCESS, process) for process in (host.process.pid, host.worker)]
        starts = host.metric("unison_worker_starts_total")
        takes = len(list(Path(folder).glob("*.wav")))
    return {
        "frames": frames,
        "seconds": round(lasted, 1),
        "realtime": jack.realtime,
        "load": os.getloadavg()[0],
        "underruns": underruns,
        **told(sessions),
        "takes": takes,
        "worker_starts": starts,
        "niceness": dict(zip(("host", "worker"), niceness, strict=True)),
        "memory_mb": memory,
        "host_exit": host.process.returncode,
    }


@contextlib.contextmanager
def bare_underruns(environment: dict[str, str]) -> Iterator[Any]:
    """Run the bare client; yields what asks it for its underruns so far."""
    command = [sys.executable, "-m", "benchmarks.bare_rtmixer"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True, bufsize=1) as process:
        assert process.stdin and process.stdout
        to, back = process.stdin, process.stdout
        if back.readline() != "ready\n":
            raise SystemExit("the bare client of rtmixer did not start")

        def ask() -> int:
            to.write("\n")
            return int(back.readline())

        yield ask
        to.close()


def loop(host: ServedHost) -> str:
    """Have a sound go round all the time, quietly; returns its take."""
    with host.client() as client:
        sea = client.ask("/unison/run/text_to_audio", 1, "ocean waves", 5.0)[7]
        client.ask("/unison/play/start", 2, sea, -20.0, 1)
    return str(sea)


def order(first: str) -> list[str]:
    """The tasks, beginning with this one."""
    tasks = list(REQUESTS)
    return tasks[tasks.index(first) :] + tasks[: tasks.index(first)]


def work(client: Client, session: Session, over: threading.Event, tasks: list[str], sea: str) -> None:
    """Ask for one sound of each task after the other, each heard as soon as it is there, until it is over."""
    takes = {"text_to_audio": sea}
    req = _JOB
    with client:
        while not over.is_set():
            for task in tasks:
                if over.is_set():
                    break
                arguments = {name: takes.get(str(value), value) for name, value in REQUESTS[task].items()}
                session.jobs[task] += 1
                takes[task] = make(client, session, req, task, {**arguments, "play": True})
                req += 1
                client.seen.clear()
        client.send("/unison/sync", req)
        while (answer := client.receive())[0] != "/unison/synced":
            note(session, *answer)


def make(client: Client, session: Session, req: int, task: str, arguments: dict[str, Any]) -> str:
    """Ask for one sound and wait for it, with a ping after each progress; returns its take, or nothing if it failed."""
    asked = time.perf_counter()
    client.send("/unison/run/json", req, task, json.dumps(arguments))
    while True:
        address, told = client.receive()
        now = time.perf_counter()
        if address == "/unison/ack":
            session.acks.append(now - asked)
        elif address == "/unison/pong":
            session.pings.append(now - session.pinged)
            session.pinged = 0.0
        elif address == "/unison/progress" and not session.pinged:
            session.pinged = time.perf_counter()
            client.send("/unison/ping", _PING + len(session.pings))
        note(session, address, told)
        if address in _FINAL and told[1] == req:
            return str(told[7]) if address == "/unison/done" else ""


def note(session: Session, address: str, arguments: list[Any]) -> None:
    """Count an end."""
    if address in _FINAL:
        session.ended[arguments[1]] += 1
        session.states[_FINAL[address]] += 1
        if address == "/unison/fail":
            session.failures.append(arguments[3])


def watch_memory(host: ServedHost, seconds: float) -> list[dict[str, float]]:
    """Memory at the beginning and every half minute, until the time is over."""
    ends = time.monotonic() + seconds
    memory = [host.memory()]
    while (left := ends - time.monotonic()) > 0:
        time.sleep(min(left, MEMORY_SECONDS))
        memory.append(host.memory())
    return memory


def told(sessions: list[Session]) -> dict[str, Any]:
    """All clients together."""
    jobs: Counter[str] = sum((session.jobs for session in sessions), Counter())
    states: Counter[str] = sum((session.states for session in sessions), Counter())
    ended = [times for session in sessions for times in session.ended.values()]
    return {
        "jobs": dict(jobs),
        "states": dict(states),
        "failures": [failure for session in sessions for failure in session.failures],
        "ended_once": ended.count(1),
        "ended_otherwise": sum(jobs.values()) - ended.count(1),
        "ack_ms": spread([seconds for session in sessions for seconds in session.acks]),
        "ping_ms": spread([seconds for session in sessions for seconds in session.pings]),
    }


def spread(seconds: list[float]) -> dict[str, float]:
    """Median, 99th percentile and greatest, in milliseconds."""
    values = 1000 * np.array(seconds)
    return {
        "count": len(values),
        "p50": round(float(np.median(values)), 3),
        "p99": round(float(np.percentile(values, 99)), 3),
        "max": round(float(values.max()), 3),
    }


if __name__ == "__main__":
    main()

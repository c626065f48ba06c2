"""The host's threads go first, the worker's behind; read back from the kernel."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys

import pytest

from unison_engine.host.priority import HOST_TURN, WORKER_NICENESS, answer_first

_KERNEL = [int(number) for number in re.findall(r"\d+", platform.release())[:2]]
_SCHED_GETATTR = {"x86_64": 315, "aarch64": 275, "riscv64": 275}
# A process that is the host, and one started by it that is the worker; what each finds, before and after it has asked.
_TURN = f"""
import ctypes, json, os, platform, struct, subprocess, sys, threading
from unison_engine.host.priority import answer_first, step_back
def turn():
    attributes = ctypes.create_string_buffer(48)
    call = ctypes.c_long({_SCHED_GETATTR}[platform.machine()])
    assert ctypes.CDLL(None).syscall(call, 0, attributes, 48, 0) == 0
    return struct.unpack("=IIQiIQQQ", attributes.raw)[5]
niceness = os.getpriority(os.PRIO_PROCESS, 0)
found = [turn()]
"""
_WORKER = f"""{_TURN}
step_back()
found += [turn(), os.getpriority(os.PRIO_PROCESS, 0) - niceness]
print(json.dumps(found))
"""
_HOST = f"""{_TURN}
answer_first()
found.append(turn())
thread = threading.Thread(target=lambda: found.append(turn()))
thread.start()
thread.join()
worker = subprocess.run([sys.executable, "-c", {_WORKER!r}], check=True, capture_output=True)
print(json.dumps([found, json.loads(worker.stdout)]))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in _SCHED_GETATTR or _KERNEL < [6, 12],
    reason="Linux lets a thread ask for its turn, since 6.12",
)
def test_the_host_takes_short_turns_and_the_worker_the_systems_own() -> None:
    told = subprocess.run([sys.executable, "-c", _HOST], check=True, capture_output=True)
    (at_first, asked, inherited), (worker_at_first, worker_turn, nicer) = json.loads(told.stdout)
    assert at_first != asked == inherited == worker_at_first == HOST_TURN
    assert worker_turn == at_first
    # Tests that are run behind others already have less room to step back.
    assert nicer == min(WORKER_NICENESS, 19 - os.getpriority(os.PRIO_PROCESS, 0))


def test_a_system_that_cannot_do_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "s390x")
    answer_first()

"""The host's threads go first, the worker's behind; read back from the kernel."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import platform
import struct
import sys
import threading
from multiprocessing.queues import SimpleQueue

import pytest

from unison_engine.host.priority import HOST_TURN, WORKER_NICENESS, answer_first, step_back

_SCHED_GETATTR = {"x86_64": 315, "aarch64": 275, "riscv64": 275}
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")


def _turn() -> int:
    """Nanoseconds that a turn of this thread lasts."""
    attributes = ctypes.create_string_buffer(_ATTRIBUTES.size)
    call = ctypes.c_long(_SCHED_GETATTR[platform.machine()])
    assert ctypes.CDLL(None).syscall(call, 0, attributes, _ATTRIBUTES.size, 0) == 0
    *_, runtime, _deadline, _period = _ATTRIBUTES.unpack(attributes.raw)
    return int(runtime)


def _host(told: SimpleQueue[tuple[int, ...]]) -> None:
    at_first = _turn()
    answer_first()
    inherited: list[int] = []
    thread = threading.Thread(target=lambda: inherited.append(_turn()))
    thread.start()
    thread.join()
    told.put((at_first, _turn(), *inherited, os.getpriority(os.PRIO_PROCESS, 0)))
    worker = multiprocessing.get_context("spawn").Process(target=_worker, args=(told,))
    worker.start()
    worker.join()


def _worker(told: SimpleQueue[tuple[int, ...]]) -> None:
    inherited = _turn()
    step_back()
    told.put((inherited, _turn(), os.getpriority(os.PRIO_PROCESS, 0)))


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in _SCHED_GETATTR, reason="Linux lets a thread ask for its turn"
)
def test_the_host_takes_short_turns_and_the_worker_the_systems_own() -> None:
    context = multiprocessing.get_context("spawn")
    told: SimpleQueue[tuple[int, ...]] = context.SimpleQueue()
    host = context.Process(target=_host, args=(told,))
    host.start()
    host.join()
    at_first, asked, inherited, niceness = told.get()
    worker_at_first, worker_turn, worker_niceness = told.get()
    if asked == at_first:
        pytest.skip(f"Linux {platform.release()} has one length of turn for all; 6.12 was the first with more")
    assert asked == inherited == worker_at_first == HOST_TURN
    assert worker_turn == at_first
    assert worker_niceness == min(19, niceness + WORKER_NICENESS)


def test_a_system_that_cannot_do_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "s390x")
    answer_first()

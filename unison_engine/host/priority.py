"""Who goes first on a busy processor: the host and its sound before the worker that makes sounds.

Niceness shares the processor out over time, and says little about who runs next: a host that wakes to answer could wait
for milliseconds until the worker has had its turn. Linux lets a thread ask for short turns instead, and lets one that
wakes for a short turn go before one in the middle of a long one (`sched_setattr`, since 6.12). Threads and processes
that are started later inherit the wish, so the callback of a sound device has it too.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

WORKER_NICENESS = 10
HOST_TURN = 500_000
"""Nanoseconds; about what an answer takes."""

# Numbers of the system call; the C library has no function for it before glibc 2.41.
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
# size, policy, flags, niceness, real-time priority, runtime, deadline, period: the first form of `struct sched_attr`.
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")


def answer_first() -> None:
    """Let this thread, and what it starts later, run soon after it wakes; where that cannot be had, do nothing."""
    _take_turns(HOST_TURN)


def step_back() -> None:
    """Let this process run behind the host that started it: niceness up, and turns as long as the system's own."""
    if hasattr(os, "nice"):
        os.nice(WORKER_NICENESS)
    _take_turns(0)


def _take_turns(nanoseconds: int) -> None:
    """Ask for turns of so many nanoseconds; 0 for the system's own. Kernels before 6.12 know and ignore the wish."""
    call = _SCHED_SETATTR.get(platform.machine())
    # A thread that somebody has given real-time priority keeps it.
    if sys.platform != "linux" or call is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    wish = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, niceness, 0, nanoseconds, 0, 0)
    # Where a container forbids it, it fails and changes nothing.
    ctypes.CDLL(None).syscall(ctypes.c_long(call), 0, wish, 0)

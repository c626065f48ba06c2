"""What this machine has: cores, processor, instruction sets, memory."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_TOPOLOGY = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
# What a matrix product gains from, as Linux names it.
VECTOR_SETS = (
    *("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16"),
    *("asimd", "asimddp", "bf16"),
)


def physical_cores() -> int:
    """Cores this process may use; two hardware threads of a core share its vector unit and count once."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cores = {_siblings(thread) for thread in os.sched_getaffinity(0)}
    return max(1, min(len(cores), _quota()))


def processor() -> str:
    """Name of the processor, as well as this system tells it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def vector_sets() -> list[str]:
    """Those of `VECTOR_SETS` that the processor has; empty where the system does not tell."""
    flags = (_cpuinfo("flags") or _cpuinfo("Features")).split()
    return [name for name in VECTOR_SETS if name in flags]


def multiplies_int8() -> bool:
    """Whether the processor is known to have dot products of int8 that add up in 32 bits; all of Apple's have."""
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return apple or bool({"avx512_vnni", "avx_vnni", "asimddp"} & set(vector_sets()))


def total_memory() -> int | None:
    """Bytes of memory, None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def resident_memory() -> int | None:
    """Bytes of memory that this process holds now, None where the system does not tell."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if pages.is_file() else None


def _siblings(thread: int) -> str:
    """The hardware threads of a thread's core, as Linux lists them; the thread alone where the system does not tell."""
    listed = _TOPOLOGY / f"cpu{thread}/topology/thread_siblings_list"
    return listed.read_text().strip() if listed.is_file() else str(thread)


def _quota() -> int:
    """Processors' worth of time that a container may use (control groups v2), rounded up; all where it has no limit."""
    quota, _, period = (_QUOTA.read_text() if _QUOTA.is_file() else "max").partition(" ")
    return os.cpu_count() or 1 if quota.strip() == "max" else math.ceil(int(quota) / int(period))


def _cpuinfo(key: str) -> str:
    lines = _CPUINFO.read_text().splitlines() if _CPUINFO.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key), "")

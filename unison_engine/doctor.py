"""What this machine has for the engine, and what would make it faster."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

from unison_engine.audio.devices import list_devices
from unison_engine.errors import BackendFailed, DeviceFailed
from unison_engine.machine import multiplies_int8, physical_cores, processor, total_memory, vector_sets
from unison_engine.registry import Registry

# What a sound of the shipped model takes with all its parts loaded, in bytes, with room for the host.
COMFORTABLE_MEMORY = 2e9


def examine(registry: Registry) -> Iterator[str]:
    """Lines of the report: machine, sound outputs, backends with the reason where one cannot be used, advice."""
    memory = total_memory()
    sets = vector_sets()
    yield f"processor  {processor()}, {physical_cores()} cores for the engine"
    yield f"vectors    {' '.join(sets) or 'not told by this system'}"
    yield f"memory     {'not told by this system' if memory is None else f'{memory / 1e9:.1f} GB'}"
    graphics = graphics_processors()
    yield f"graphics   {', '.join(graphics) or 'no NVIDIA driver found'}"
    try:
        outputs = [device.name for device in list_devices() if device.outputs]
    except DeviceFailed as error:
        outputs = [f"null alone: {error}"]
    yield f"sound      {', '.join(outputs)}"
    advice, used = [], ""
    for name, backend in registry.backends.items():
        try:
            label = backend.describe()
        except BackendFailed as error:
            yield f"backend    {name}: no, {error}"
            if backend.automatic and backend.precision is None:
                advice.append(f"a second backend may be faster: {error}")
        else:
            yield f"backend    {name}: {label}"
            used += label
    if graphics and "CUDA" not in used:
        advice.append("the graphics processor is not used: install onnxruntime-gpu in place of onnxruntime")
    if physical_cores() < 4:
        advice.append("more cores: a step is matrix products, which share out over all of them")
    if sets and not {"avx512_bf16", "amx_bf16", "bf16"} & set(sets):
        fastest = "float32, and 8 bits where a bundle has them, are" if multiplies_int8() else "float32 is"
        advice.append(f"this processor has no bfloat16 instructions, so {fastest} the fastest it has")
    if memory is not None and memory < COMFORTABLE_MEMORY:
        advice.append("2 GB of memory, so that nothing is swapped out")
    yield from (f"faster     {one}" for one in advice)
    yield "measure    unison bench"


def graphics_processors() -> list[str]:
    """NVIDIA graphics processors by name, as the driver's own tool lists them; none without it."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip().splitlines() if done.returncode == 0 else []

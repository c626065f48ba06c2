"""The step of the published network at full size as a TensorRT-RTX engine in bfloat16: time, size and peak memory.

Random weights. The graph is traced in a process of its own, so that the peak is that of building the engine.

python benchmarks/build_full_engine.py [--preset d20s0-44k]
"""

from __future__ import annotations

import argparse
import re
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import torch

from unison_engine.bundle import Graph
from unison_engine.machine import processor
from unison_engine.runtime.tensorrt_library import load_library
from unison_engine.runtime.text import MAX_TOKENS
from unison_export.graphs import network_exports, write_narrow
from unison_export.precision import narrow
from unison_export.tensorrt.builder import build_engine
from unison_export.tensorrt.profiles import shape_ranges
from unison_train.model.config import PRESETS
from unison_train.model.dit import DiT, TextFusion


def main() -> None:
    """Trace, build, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, default="d20s0-44k")
    name = parser.parse_args().preset
    layout = PRESETS[name].layout
    frames = layout.frames(layout.samples(layout.max_seconds))
    sizes = {"b": (1, 1, 2), "g": (1, 2, 2), "t": (2, frames, frames), "s": (2, 64, MAX_TOKENS)}
    with tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            graph = pool.submit(trace_step, name, Path(scratch)).result()
        traced = time.perf_counter()
        file = Path(scratch) / graph.file
        engine = build_engine(load_library("rtx"), file, [shape_ranges(graph, sizes)], "baked", ())
        built, busy = time.perf_counter(), time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        attention = len(re.findall(r"^Name: _gemm_mha", engine.listing, re.MULTILINE))
        print(f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, step of {name}")
        print(f"traced in {traced - started:.0f} s, graph {file.stat().st_size / 1e6:.0f} MB")
        print(
            f"built in {built - traced:.0f} s, this process computed for {busy:.0f} s and took {peak:.1f} GB of memory"
        )
        print(f"engine {len(engine.data) / 1e6:.0f} MB")
        print(f"{attention} fused attentions; kernels {dict(engine.kernels)}")


def trace_step(name: str, folder: Path) -> Graph:
    """Write the graph of the step."""
    config = PRESETS[name].network
    dit = narrow(DiT(config).requires_grad_(False), torch.bfloat16)
    with torch.device("meta"):
        fusion = TextFusion(config)
    return write_narrow("step", network_exports(dit, fusion)["step"], folder, torch.bfloat16)


if __name__ == "__main__":
    main()

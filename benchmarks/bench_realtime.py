"""Time of each task and each stage on this machine: medians over several runs of one process, model loaded.

python benchmarks/bench_realtime.py [--bundle nano] [--runs 5]
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from unison_engine.engine import Engine
from unison_engine.runtime.session import physical_cores
from unison_engine.runtime.synthesis import Synthesizer
from unison_plugins import demo

SECONDS = 5.0


def main() -> None:
    """Print two tables in Markdown."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bundle", default="nano")
    options.add_argument("--runs", type=int, default=5)
    chosen = options.parse_args()
    where = f"{processor()}, {physical_cores()} threads, onnxruntime {onnxruntime.__version__}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {where}\n")
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine.open(chosen.bundle, folder)
        tasks(engine, chosen.runs)
        assert isinstance(engine.synthesizer, Synthesizer)
        stages(engine.synthesizer, chosen.runs)


def tasks(engine: Engine, runs: int) -> None:
    """The requests of the demo, from the request to the take on disk."""
    print("| task | seconds of sound | median seconds taken | real-time factor |\n| --- | --- | --- | --- |")
    takes: dict[str, str] = {}
    for task, request in demo.REQUESTS.items():
        arguments: dict[str, Any] = {name: takes.get(value, value) for name, value in request.items()}
        taken = []
        for run in range(runs + 1):
            started = time.perf_counter()
            # A new seed each time; the first run warms up.
            take = engine.run(task, seed=run, **arguments)
            taken.append(time.perf_counter() - started)
        takes[task] = take.id
        median = statistics.median(taken[1:])
        print(f"| `{task}` | {take.seconds:.2f} | {median:.2f} | {median / take.seconds:.2f} |", flush=True)


def stages(synthesizer: Synthesizer, runs: int) -> None:
    """What one sound of 5 s is made of."""
    layout = synthesizer.layout
    frames = layout.frames(layout.samples(SECONDS))
    ids = np.array([synthesizer.tokenize("[Audio] heavy rain").ids], dtype=np.int64)
    text = synthesizer.text("[Audio] heavy rain")
    latent = np.random.default_rng(0).standard_normal((1, layout.channels, frames), dtype=np.float32)
    mask = np.zeros(frames, np.float32)
    guided = synthesizer.velocity(text, np.zeros_like(latent), mask, 3.0, [0.5])
    plain = synthesizer.velocity(text, np.zeros_like(latent), mask, 1.0, [0.5])
    wave = np.zeros((1, frames * layout.hop), np.float32)
    measured: dict[str, Callable[[], object]] = {
        f"language model, {ids.size} tokens": lambda: synthesizer.language_model(input_ids=ids),
        "one step, guided (both branches in one batch)": lambda: guided(latent, 0.5),
        "one step, not guided": lambda: plain(latent, 0.5),
        "decoder": lambda: synthesizer.vae_decoder(latent=latent),
        "encoder": lambda: synthesizer.vae_encoder(wave=wave),
    }
    print(f"\n| stage, {SECONDS:g} s of sound, {frames} frames | median ms |\n| --- | --- |")
    for name, run in measured.items():
        run()
        taken = []
        for _ in range(4 * runs):
            started = time.perf_counter()
            run()
            taken.append(time.perf_counter() - started)
        print(f"| {name} | {1000 * statistics.median(taken):.1f} |", flush=True)


def processor() -> str:
    """Name of the processor, as well as this system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()

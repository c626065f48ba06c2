"""The published network at full size as TensorRT-RTX engines, graph by graph: time, size and peak memory.

The model is `d20s0-44k` with random weights. Every graph is traced and built in processes of its own, so that the peak
is that of building one engine.

python benchmarks/build_full_engine.py [--graph step ...]
"""

from __future__ import annotations

import argparse
import re
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import torch

from unison_engine.bundle import Graph
from unison_engine.machine import processor
from unison_engine.runtime.tensorrt_library import load_library
from unison_engine.runtime.text import MAX_TOKENS
from unison_export.graphs import Export, audio_exports, network_exports, write_narrow
from unison_export.mapped import write_mapped
from unison_export.precision import narrow
from unison_export.tensorrt.builder import build_engine
from unison_export.tensorrt.profiles import shape_ranges
from unison_train.model.config import PRESETS
from unison_train.model.dit import DiT, TextFusion
from unison_train.official.audio import PublishedAudio
from unison_train.official.bigvgan import BIGVGAN, BigVgan
from unison_train.official.mel import MEL, MelSpectrogram
from unison_train.official.vae import Vae

NAME = "d20s0-44k"
PRESET = PRESETS[NAME]
VAE_WIDTH = 512
NETWORK, AUDIO = ("fusion", "modulation", "step"), ("vae_encoder", "vae_decoder")
Result = TypeVar("Result")


def main() -> None:
    """Trace, build, print a Markdown row a graph."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", nargs="+", choices=NETWORK + AUDIO, default=NETWORK + AUDIO)
    chosen = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {NAME}\n")
    print("| graph | traced, s | graph, MB | built, s | memory at most, GB | engine, MB | fused attentions |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in chosen.graph:
        with tempfile.TemporaryDirectory() as scratch:
            started = time.perf_counter()
            graph = apart(trace, name, Path(scratch))
            traced = time.perf_counter()
            peak, engine, attentions = apart(build, graph, Path(scratch))
            built = time.perf_counter()
            size = sum(file.stat().st_size for file in Path(scratch).iterdir()) / 1e6
        row = f"{traced - started:.0f} | {size:.0f} | {built - traced:.0f} | {peak:.1f} | {engine:.0f} | {attentions}"
        print(f"| `{name}` | {row} |", flush=True)


def apart(function: Callable[..., Result], *arguments: object) -> Result:
    """What a function returns, from a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def trace(name: str, folder: Path) -> Graph:
    """Write a graph: of the network in bfloat16, of the audio as bundles of published models hold it."""
    if name in NETWORK:
        return write_narrow(name, network()[name], folder, torch.bfloat16)
    return write_mapped(name, audio()[name], folder)


def network() -> dict[str, Export]:
    """Graphs of the network."""
    dit = narrow(DiT(PRESET.network).requires_grad_(False), torch.bfloat16)
    return network_exports(dit, narrow(TextFusion(PRESET.network).requires_grad_(False), torch.bfloat16))


def audio() -> dict[str, Export]:
    """Graphs of VAE and vocoder, which stay in float32."""
    mel = MelSpectrogram(MEL["44k"])
    vae, vocoder = Vae(mel.config.mels, VAE_WIDTH, PRESET.layout.channels), BigVgan(BIGVGAN["44k"])
    published = PublishedAudio(mel, vae, vocoder, "44k", (Path(), Path())).eval().requires_grad_(False)
    return audio_exports(published, PRESET.layout)


def build(graph: Graph, folder: Path) -> tuple[float, float, int]:
    """Build an engine; returns the peak memory in GB, its size in MB and its fused attentions."""
    layout = PRESET.layout
    samples, frames = layout.grid(layout.samples(layout.max_seconds))
    sizes = {
        "b": (1, 1, 2),
        "g": (1, 2, 2),
        "n": (1, 24, 1000),
        "s": (2, 64, MAX_TOKENS),
        "t": (frames,) * 3,
        "samples": (samples,) * 3,
    }
    engine = build_engine(load_library("rtx"), folder / graph.file, [shape_ranges(graph, sizes)], "baked", ())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return peak, len(engine.data) / 1e6, len(re.findall(r"^Name: _gemm_mha", engine.listing, re.MULTILINE))


if __name__ == "__main__":
    main()

"""A published model of full size, d20s0-44k, with random weights: `python -m benchmarks.bench_official [FOLDER]`.

Writes files like the published ones (3 GB), makes a bundle of them and a sound of 10 s with it, each in a process of
its own, and prints what each took. The language model is as wide as the published one but has two layers.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.language_models import SYSTEM, save_omni
from unison_train.model.config import PRESETS
from unison_train.model.official import official_shapes
from unison_train.official.bigvgan import BIGVGAN, BigVgan
from unison_train.official.vae import Vae

PRESET = "d20s0-44k"
STEPS = 2
LOAD = """
import sys
from pathlib import Path
from unison_train.official.checkpoint import read_denoiser
from unison_train.model.config import PRESETS
from benchmarks.bench_official import PRESET
from benchmarks.official_step import peak
before = peak()
network = read_denoiser(Path(sys.argv[1]), PRESETS[PRESET].network)
mapped = peak() - before
sums = [float(parameter.sum()) for parameter in network.parameters()]
print(mapped, peak() - before, sum(parameter.numel() for parameter in network.parameters()))
"""
ROUND = """
import sys
from pathlib import Path
from benchmarks.official_step import INT8
from unison_export.int8 import round_all
folder = Path(sys.argv[1])
round_all(folder / "step.onnx", folder / INT8)
"""


def write_files(folder: Path) -> None:
    """Random weights under the published names."""
    torch.manual_seed(0)

    def random(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        fan = math.prod(shape[1:]) if len(shape) > 1 else 1000
        drawn: Tensor = torch.randn(shape, dtype=dtype) * fan**-0.5
        return drawn

    network = {name: random(shape, torch.bfloat16) for name, shape in official_shapes(PRESETS[PRESET].network).items()}
    save_file(network, folder / "model.safetensors")
    del network
    parts: list[tuple[str, nn.Module]] = []
    with torch.device("meta"):
        parts += [("vae.pth", Vae(128, 512, 40)), ("vocoder.pt", BigVgan(BIGVGAN["44k"]))]
    for file, module in parts:
        state = {name: random(tuple(tensor.shape), torch.float32) for name, tensor in module.state_dict().items()}
        if file == "vae.pth":
            state |= {"data_mean": torch.zeros(1, 128, 1), "data_std": torch.ones(1, 128, 1)}
        torch.save(state, folder / file)
    sizes: dict[str, Any] = {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
    }
    save_omni(folder / "encoder", num_hidden_layers=2, **sizes)
    (folder / "system.txt").write_text(SYSTEM)


def run(*command: str | Path) -> tuple[float, float, str]:
    """Seconds and peak gigabytes of a command, and what it printed."""
    started = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"bench_official: {command[0]} failed")
    return time.perf_counter() - started, usage.ru_maxrss * 1024 / 1e9, printed


def main(folder: Path, threads: int = 2) -> None:
    """Everything in turn; files that are there are used again."""
    folder.mkdir(parents=True, exist_ok=True)
    programs = Path(sys.executable).parent
    if not (folder / "system.txt").is_file():
        write_files(folder)
    network, bundle = folder / "model.safetensors", folder / "bundle"
    size = network.stat().st_size
    mapped, touched, parameters = (int(word) for word in run(sys.executable, "-c", LOAD, network)[2].split())
    print(f"network {size / 1e9:.2f} GB, {parameters / 1e6:.0f} M parameters used")
    print(f"loading it: {mapped / size:.2f} x the file; every weight read: {touched / size:.2f} x", flush=True)
    parts: list[str | Path] = [
        "--vae",
        folder / "vae.pth",
        "--vocoder",
        folder / "vocoder.pt",
        "--encoder",
        folder / "encoder",
    ]
    official: list[str | Path] = [programs / "unison-export", "bundle", "--official", network, bundle, *parts]
    seconds, memory, _ = run(*official, "--system", folder / "system.txt", "--preset", PRESET)
    print(f"bundle written in {seconds:.0f} s, peak {memory:.1f} GB", flush=True)
    asked = ["--prompt", "rain on a tin roof", "--seconds", "10", "--steps", str(STEPS)]
    wav = folder / "rain.wav"
    made: list[str | Path] = [
        programs / "unison",
        "run",
        "text_to_audio",
        "--bundle",
        bundle,
        "--backend",
        "onnxruntime",
        "--library",
        folder / "takes",
    ]
    seconds, memory, _ = run(*made, *asked, "-o", wav)
    print(f"10 s of sound at 44.1 kHz in {STEPS} steps: {seconds:.0f} s with loading, peak {memory:.1f} GB", flush=True)
    seconds, memory, _ = run(sys.executable, "-c", ROUND, bundle)
    print(f"step rounded to 8 bits in {seconds:.0f} s, peak {memory:.1f} GB", flush=True)
    kinds = {
        "torch, as it is written down": ("plain", network),
        "torch": ("torch", network),
        "ONNX Runtime": ("float32", bundle),
        "ONNX Runtime, all products in 8 bits": ("int8", bundle),
    }
    print(f"\n| guided step, {threads} threads | seconds | peak GB |\n| --- | --- | --- |", flush=True)
    for name, (kind, path) in kinds.items():
        module: list[str | Path] = [sys.executable, "-m", "benchmarks.official_step", kind, path, str(threads)]
        least, memory = (float(word) for word in run(*module)[2].split())
        print(f"| {name} | {least:.2f} | {memory / 1e9:.1f} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "official"))

"""A guided step of a published network: `python -m benchmarks.official_step KIND PATH THREADS`.

KIND is "plain" (the network as it is written down) or "torch" (ours), and PATH the network's file; or KIND is "float32"
or "int8" (the graph in ONNX Runtime), and PATH the bundle. Each is measured in a process of its own by
`benchmarks.bench_official`: seconds and peak memory for 10 s of sound, 126 text positions of which 45 count.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from unison_engine.bundle import Bundle
from unison_engine.runtime.sampler import Sampling, guided
from unison_engine.runtime.session import Session
from unison_engine.runtime.synthesis import Synthesizer, Text
from unison_train.model.config import PRESETS
from unison_train.model.flow import guided_velocity
from unison_train.model.plain import PlainNetwork
from unison_train.official.checkpoint import read_denoiser
from unison_train.official.files import read_network

PRESET = PRESETS["d20s0-44k"]
CONFIG, FRAMES = PRESET.network, PRESET.layout.grid(1)[1]
WINDOW, VALID = 126, 45
SAMPLING = Sampling(steps=5, guidance=4.5)
Step = Callable[[float], object]
INT8 = "step.int8.onnx"


def peak() -> int:
    """Largest resident memory of this process so far, in bytes, pages of mapped files included."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def drawn(*shape: int) -> NDArray[np.float32]:
    """The same numbers for every kind."""
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


LATENT = drawn(1, CONFIG.latent_channels, FRAMES)
STATES = drawn(CONFIG.depth, 1, WINDOW, CONFIG.text_width)


def plain(path: Path) -> Step:
    """Two passes over all text positions, nothing saved."""
    network = PlainNetwork(CONFIG)
    network.load_state_dict(read_network(path, CONFIG))
    latent, states = torch.from_numpy(LATENT), torch.from_numpy(STATES)
    mask = (torch.arange(WINDOW) < VALID).long()[None]
    seen = torch.cat([latent, torch.zeros_like(latent), torch.zeros(1, 1, FRAMES)], dim=1)

    def step(moment: float) -> object:
        now = torch.tensor([moment])
        with_text: torch.Tensor = network(seen, now, states, mask)
        without: torch.Tensor = network(seen, now, torch.zeros_like(states), torch.zeros_like(mask))
        return guided(with_text, without, SAMPLING.guidance)

    return step


def ours(path: Path) -> Step:
    """The step of this repository in torch."""
    denoiser = read_denoiser(path, CONFIG).float()
    latent = torch.from_numpy(LATENT)
    text = denoiser.fusion(torch.from_numpy(STATES[:, :, :VALID]))
    counts, mask = torch.ones(1, VALID), torch.zeros(1, 1, FRAMES)
    times = SAMPLING.grid()[:-1].tolist()
    velocity = guided_velocity(
        denoiser.dit, torch.zeros_like(latent), mask, text, counts, None, SAMPLING.guidance, times
    )
    return lambda moment: velocity(latent, moment)


def bundle(path: Path, step: str = "") -> Step:
    """The graphs of a bundle in ONNX Runtime, with another file for the step."""
    synthesizer = Synthesizer(Bundle.open(path), torch.get_num_threads(), "onnxruntime")
    if step:
        # A cached property, which takes what is there.
        synthesizer.__dict__["step"] = Session(path / step, torch.get_num_threads())
    tokens = synthesizer.fusion(states=STATES[:, :, :VALID])
    text = Text(tokens, np.zeros(VALID, np.float32))
    velocity = synthesizer.velocity(text, np.zeros_like(LATENT), np.zeros(FRAMES, np.float32), SAMPLING)
    return lambda moment: velocity(LATENT, moment)


KINDS: dict[str, Callable[[Path], Step]] = {
    "plain": plain,
    "torch": ours,
    "float32": bundle,
    "int8": functools.partial(bundle, step=INT8),
}


@torch.inference_mode()
def main(kind: str, path: Path, threads: int) -> None:
    """Print the least seconds of four steps after the first, and the peak in bytes."""
    torch.set_num_threads(threads)
    step = KINDS[kind](path)
    taken = []
    for moment in SAMPLING.grid()[:-1].tolist():
        started = time.perf_counter()
        step(moment)
        taken.append(time.perf_counter() - started)
    print(min(taken[1:]), peak())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))

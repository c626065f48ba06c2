"""Our step beside the transformer of Stable Audio in diffusers, at the same width, depth and number of tokens.

Random weights on both sides, so this compares computation and says nothing about sound. One guided evaluation each: two
branches, 125 frames and 64 text tokens by default. What both do in it differs: Stable Audio's block has self-attention,
cross-attention and a gated MLP, ours one attention over frames and text and a plain MLP; ours has what depends on the
prompt or the time alone in graphs of their own. So the table gives seconds per parameter and token as well.

python -m benchmarks.bench_stable_audio [--preset nano] [--frames 125] [--rounds 7] [--threads 2]

Needs `pip install diffusers`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import diffusers
import onnxruntime
import torch
from diffusers import StableAudioDiTModel
from diffusers.models.embeddings import get_1d_rotary_pos_embed
from torch import Tensor, nn

from unison_engine.machine import physical_cores, processor
from unison_engine.runtime.session import Session
from unison_export.graphs import OPSET, Export, network_exports, trace
from unison_train.model.config import PRESETS, DiTConfig
from unison_train.model.dit import DiT, TextFusion

TEXT, BRANCHES = 64, 2
Run = Callable[[], Any]


class StableAudio(nn.Module):
    """diffusers' network with the sizes of one of ours; other sizes are those of Stable Audio Open."""

    def __init__(self, config: DiTConfig, frames: int) -> None:
        super().__init__()
        build: Any = StableAudioDiTModel
        self.network = build(
            sample_size=frames,
            in_channels=config.latent_channels,
            out_channels=config.latent_channels,
            num_layers=config.depth,
            attention_head_dim=config.head_width,
            num_attention_heads=config.heads,
            num_key_value_attention_heads=config.heads,
        )
        # The pipeline prepends one token for the time and the length.
        cosine, sine = get_1d_rotary_pos_embed(
            config.head_width // 2, frames + 1, use_real=True, repeat_interleave_real=False
        )
        self.register_buffer("cosine", cosine)
        self.register_buffer("sine", sine)
        self.cosine: Tensor
        self.sine: Tensor

    def forward(self, noisy: Tensor, time: Tensor, text: Tensor, length: Tensor) -> Tensor:
        """[2, C, T], [2], [2, S, 768], [2, 1, 1536] -> [2, C, T]."""
        found = self.network(noisy, time, text, length, (self.cosine, self.sine), return_dict=False)[0]
        assert isinstance(found, Tensor)
        return found


def main() -> None:
    """Print a Markdown table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--preset", choices=PRESETS, default="nano")
    options.add_argument("--frames", type=int, default=125)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--threads", type=int, default=physical_cores())
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    config = PRESETS[chosen.preset].network
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        sides = {
            "Stable Audio": stable_audio(config, chosen.frames, chosen.threads, Path(folder)),
            "ours": ours(config, chosen.frames, chosen.threads, Path(folder)),
        }
        took: dict[tuple[str, str], list[float]] = {}
        for round_ in range(chosen.rounds + 1):
            for side, (_, runs) in sides.items():
                for library, run in runs.items():
                    started = time.perf_counter()
                    run()
                    if round_:
                        took.setdefault((side, library), []).append(time.perf_counter() - started)
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {chosen.threads} threads, float32")
    print(f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}, diffusers {diffusers.__version__}")
    print(
        f"width {config.width}, {config.depth} blocks, {chosen.frames} frames, {TEXT} text tokens, 2 branches; medians"
    )
    print(f"of {chosen.rounds}, in turns\n")
    print("| network | parameters, M | library | ms | ps per parameter and token |\n| --- | --- | --- | --- | --- |")
    for (side, library), values in took.items():
        parameters, median = sides[side][0], statistics.median(values)
        each = median / parameters / (BRANCHES * chosen.frames) * 1e12
        print(f"| {side} | {parameters / 1e6:.1f} | {library} | {1000 * median:.1f} | {each:.1f} |")


def stable_audio(config: DiTConfig, frames: int, threads: int, folder: Path) -> tuple[int, dict[str, Run]]:
    """Parameters, and what runs one guided evaluation in each library."""
    network = StableAudio(config, frames).eval().requires_grad_(False)
    inputs = {
        "noisy": torch.randn(BRANCHES, config.latent_channels, frames),
        "time": torch.full((BRANCHES,), 0.5),
        "text": torch.randn(BRANCHES, TEXT, 768),
        "length": torch.randn(BRANCHES, 1, 1536),
    }
    file = folder / "stable_audio.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            kwargs=inputs,
            input_names=list(inputs),
            output_names=["velocity"],
            opset_version=OPSET,
            dynamo=True,
        )
    assert program is not None
    program.save(file)
    return _sides(network, lambda: network(**inputs), inputs, file, threads)


def ours(config: DiTConfig, frames: int, threads: int, folder: Path) -> tuple[int, dict[str, Run]]:
    """The same for our step; parameters that its evaluation does not use are not counted."""
    dit = DiT(config).eval().requires_grad_(False)
    export: Export = network_exports(dit, TextFusion(config))["step"]
    sizes = {name: list(value.shape) for name, value in export.inputs.items()}
    inputs = {
        "noisy": torch.randn(1, config.latent_channels, frames),
        "source": torch.zeros(1, config.latent_channels, frames),
        "mask": torch.zeros(1, 1, frames),
        "modulations": torch.randn(1, *sizes["modulations"][1:]),
        "text": torch.randn(config.depth, 1, TEXT, config.width),
        "text_mask": torch.cat([torch.ones(1, 1, TEXT), torch.zeros(1, 1, TEXT)], dim=1),
    }
    if "text_position" in sizes:
        inputs["text_position"] = torch.arange(float(TEXT))[None]
    file = folder / "ours.onnx"
    trace(export).save(file)
    del dit.modulation
    return _sides(dit, lambda: dit.evaluate(**inputs), inputs, file, threads)


def _sides(
    network: nn.Module, run: Run, inputs: dict[str, Tensor], file: Path, threads: int
) -> tuple[int, dict[str, Run]]:
    session, arrays = Session(file, threads), {name: value.numpy() for name, value in inputs.items()}
    expected, found = run(), torch.from_numpy(session(**arrays))
    assert (found - expected).abs().max() <= 1e-3 * expected.abs().max(), "the libraries disagree"
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return parameters, {"torch": run, "onnxruntime": lambda: session(**arrays)}


if __name__ == "__main__":
    main()

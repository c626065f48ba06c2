"""A guided step of the published network at full size: as it is written down, and as this repository computes it.

Plain: two passes, with text and without, nothing saved. Ours: text projected once per prompt, modulation once per
schedule, both branches in one evaluation that shares what is equal. Random weights, the same in both, and the same
outputs. The two are measured in turns; times are medians. Needs 4 GB of memory and about three minutes.

python -m benchmarks.bench_step [--preset d20s0-44k] [--seconds 10] [--rounds 5] [--threads 2] [--clock wall]

`--clock cpu --threads 1` counts the processor time of one thread, which other programs on the machine hardly change.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from unison_engine.machine import physical_cores, processor
from unison_engine.runtime.sampler import guided, schedule
from unison_train.model.config import PRESETS, DiTConfig
from unison_train.model.dit import DiT, TextFusion
from unison_train.model.flow import guided_velocity
from unison_train.model.official import from_official
from unison_train.model.plain import PlainNetwork

GUIDANCE, STEPS, TEXT, TOLERANCE = 4.5, 50, 126, 1e-4
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
Step = Callable[[], Tensor]
Clock = Callable[[], float]

PARTS = {
    "img_in": "patch embedding",
    "deep_fusion": "text projectors",
    "txt_attn_q": "text queries",
    "txt_attn": "text keys and values",
    "mod": "modulation",
    "time_in": "modulation",
    "": "linear layers of frames",
}
"""The part that a weight belongs to, by the first of these that its official name holds."""
ATTENTION, REST, WHOLE = "attention", "norms, rotation, gates", "guided step"


class Profile(TorchFunctionMode):
    """Seconds and multiply-adds of each part of a step; parts are told apart by their weights."""

    def __init__(self, parts: dict[int, str], clock: Clock) -> None:
        super().__init__()
        self.parts = parts
        self.clock = clock
        self.seconds: dict[str, float] = defaultdict(float)
        self.multiplications: dict[str, int] = defaultdict(int)

    @classmethod
    def of(cls, step: Step, parts: dict[int, str], clock: Clock) -> Profile:
        """Run a step; `parts` has the part of each weight, by its address."""
        started = clock()
        run = cls(parts, clock)
        with run:
            step()
        whole = clock() - started
        run.seconds |= {REST: whole - sum(run.seconds.values()), WHOLE: whole}
        run.multiplications[WHOLE] = sum(run.multiplications.values())
        return run

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func`, and write down what it took if it multiplies matrices."""
        started = self.clock()
        found = func(*args, **(kwargs or {}))
        if func in (F.linear, F.conv1d):
            part, work = self.parts[args[1].data_ptr()], found.numel() // args[1].shape[0] * args[1].numel()
        elif func is F.scaled_dot_product_attention:
            part, work = ATTENTION, 2 * args[0].numel() * args[1].shape[2]
        else:
            return found
        self.seconds[part] += self.clock() - started
        self.multiplications[part] += work
        return found


def main() -> None:
    """Print the tables in Markdown."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--preset", default="d20s0-44k", choices=[name for name in PRESETS if name != "nano"])
    options.add_argument("--seconds", type=float, default=10.0)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--threads", type=int, default=physical_cores())
    options.add_argument("--clock", default="wall", choices=CLOCKS)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    preset = PRESETS[chosen.preset]
    frames = int(chosen.seconds * preset.layout.sample_rate) // preset.layout.hop
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {chosen.threads} threads, torch {torch.__version__}")
    print(f"{chosen.preset}, {frames} frames, guidance {GUIDANCE}, float32")
    print(f"seconds are medians of {chosen.rounds}, {chosen.clock} time\n")
    with torch.no_grad():
        networks = Networks(preset.network)
        for valid in (TEXT, 45):
            measure(networks, frames, valid, chosen.rounds, CLOCKS[chosen.clock])


class Networks:
    """The plain network and ours on the same random tensors."""

    def __init__(self, config: DiTConfig) -> None:
        self.config = config
        torch.manual_seed(0)
        self.plain = PlainNetwork(config)
        with torch.device("meta"):
            self.dit, self.fusion = DiT(config), TextFusion(config)
        state, _ = from_official(self.plain.state_dict(), config)
        nn.ModuleDict({"dit": self.dit, "fusion": self.fusion}).load_state_dict(state, assign=True)
        self.parts = {
            tensor.data_ptr(): next(part for piece, part in PARTS.items() if piece in name)
            for name, tensor in self.plain.state_dict().items()
        }


def measure(networks: Networks, frames: int, valid: int, rounds: int, clock: Clock) -> None:
    """Tables for a prompt of which `valid` of the published model's text positions count."""
    config = networks.config
    noisy, source = torch.randn(2, 1, config.latent_channels, frames)
    mask = torch.ones(1, 1, frames)
    states = torch.randn(config.depth, 1, TEXT, config.text_width)
    text_mask = (torch.arange(TEXT) < valid).long()[None]
    x, now = torch.cat([noisy, source, mask], dim=1), torch.tensor([0.5])
    no_states, no_text = torch.zeros_like(states), torch.zeros_like(text_mask)

    def plain() -> Tensor:
        conditional: Tensor = networks.plain(x, now, states, text_mask)
        unconditional: Tensor = networks.plain(x, now, no_states, no_text)
        return guided(conditional, unconditional, GUIDANCE)

    started = clock()
    # Tokens that do not count are left out.
    text = networks.fusion(states[:, :, :valid])
    per_prompt = clock() - started
    started = clock()
    times = [0.5, *schedule(STEPS)[1:-1].tolist()]
    velocity = guided_velocity(networks.dit, source, mask, text, text_mask[:, :valid], None, GUIDANCE, times)
    per_schedule = clock() - started

    def ours() -> Tensor:
        return velocity(noisy, 0.5)

    error = (plain() - ours()).abs().max().item()
    assert error <= TOLERANCE, f"the outputs differ by {error:.1e}"
    runs: dict[Step, list[Profile]] = {plain: [], ours: []}
    for _ in range(rounds):
        for step, profiles in runs.items():
            profiles.append(Profile.of(step, networks.parts, clock))

    def median(step: Step, part: str) -> float:
        return statistics.median(run.seconds[part] for run in runs[step])

    work = {step: profiles[0].multiplications for step, profiles in runs.items()}
    print(f"{valid} of {TEXT} text positions count; outputs differ by {error:.1e}\n")
    print("| part | plain, G | ours, G | plain, s | ours, s |\n| --- | --- | --- | --- | --- |")
    for part in dict.fromkeys([*PARTS.values(), ATTENTION, REST, WHOLE]):
        numbers = [f"{work[step][part] / 1e9:.1f}" for step in runs] + [f"{median(step, part):.3f}" for step in runs]
        print(f"| {part} | {' | '.join(numbers)} |")
    ratio, by_arithmetic = median(plain, WHOLE) / median(ours, WHOLE), work[plain][WHOLE] / work[ours][WHOLE]
    print(f"\nRatio {ratio:.2f}, by arithmetic {by_arithmetic:.2f}.")
    print(f"Once per prompt {per_prompt:.2f} s, once per schedule of {STEPS} steps {per_schedule:.2f} s.\n", flush=True)


if __name__ == "__main__":
    main()

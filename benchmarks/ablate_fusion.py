"""Does reading the language model layer by layer pay? A state of another layer for each block, or the same for all.

python -m benchmarks.ablate_fusion --corpus data/nano --autoencoder runs/autoencoder [--steps 1500] [--seeds 1 2 3]

Small networks of the shape of `nano` learn sounds and pairs of sounds, whose prompts reach them through the language
model alone. The sounds are short and the times even, as then a network reads its prompts after some hundred steps:
there are many of them in a batch, and near the noise little else tells what a sound is. The rivals of a seed begin
alike and see the same batches; a run that was cut short goes on. Several processes may share the seeds; the same
command with all of them then has nothing left to train, and tells the whole. Losses tell nothing where the text gap is
near zero.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from unison_engine.machine import processor
from unison_train.autoencoder.model import Autoencoder
from unison_train.checkpoint import Checkpoint
from unison_train.config import TrainConfig
from unison_train.fit import load_bank
from unison_train.language_models import SMOLLM2
from unison_train.model.config import PRESETS
from unison_train.precision import fast_dtype
from unison_train.text import LanguageModel, StateCache
from unison_train.trainer import Trainer
from unison_train.tuples import TupleStream

DEVICE = torch.device("cpu")
LAYERS = 30
"""Of SmolLM2-135M."""
HELD_OUT_BATCHES = 24
MAX_SECONDS = 2.5


def rivals(depth: int) -> dict[str, list[int] | None]:
    """The layer that each block reads, by name; None spreads them over the language model.

    The paper's rival is the penultimate layer; the one in the middle tells whether several layers pay, or a better one.
    """
    return {"layer by layer": None, "penultimate": [LAYERS - 1] * depth, "middle": [LAYERS // 2] * depth}


def recipe(steps: int, frames: int, prompts: int, seed: int) -> TrainConfig:
    """That of `nano` for short sounds alone."""
    usual = TrainConfig.load("nano")
    run = {
        "steps": steps,
        "frames_per_batch": frames,
        "seed": seed,
        "compile": True,
        "samples_minutes": 1e6,
    }
    data = {"prompts_per_task": prompts, "max_seconds": MAX_SECONDS}
    # No prompt is hidden, as no branch without one is wanted.
    optimiser = {"warmup_steps": 50, "ema_decay": 0.99, "text_dropout": 0.0, "even_times": 1.0}
    return usual.model_copy(
        update={
            "data": usual.data.model_copy(update=data),
            "run": usual.run.model_copy(update=run),
            "optimiser": usual.optimiser.model_copy(update=optimiser),
            "tasks": dict.fromkeys(("t2a_single", "t2a_mix"), 1.0),
        }
    )


@torch.no_grad()
def held_out(trainer: Trainer, stream: TupleStream) -> tuple[float, float]:
    """Loss at even times over batches of variants never trained on, and what another prompt adds to it at time 0.9."""
    losses, gaps = [], []
    for number in range(HELD_OUT_BATCHES):
        stream.rng = np.random.default_rng(number)
        _, batch = stream.batch(0)
        losses.append(trainer.objective.held_out(batch, number, even_times=1.0))
        gaps.append(trainer.objective.text_gap(batch, number))
    return statistics.mean(losses), statistics.mean(gaps)


def main() -> None:
    """Print a Markdown row a seed and rival, and the difference to reading layer by layer."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--corpus", type=Path, required=True)
    options.add_argument("--autoencoder", type=Path, required=True)
    options.add_argument("--out", type=Path, default=Path("runs/ablation"))
    options.add_argument("--steps", type=int, default=1500)
    options.add_argument("--frames", type=int, default=1000, help="of a batch, at most")
    options.add_argument("--prompts", type=int, default=1000, help="distinct ones of each sub-task")
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options.add_argument("--width", type=int, default=192)
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    preset = PRESETS["nano"]
    network = replace(preset.network, width=chosen.width, heads=chosen.width // preset.network.head_width, phones=False)
    manifests = [chosen.corpus / "sound.jsonl"]
    trained, tested = (load_bank(manifests, preset.layout.sample_rate, DEVICE, split) for split in ("train", "test"))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor()}; {chosen.steps} steps of {chosen.frames} frames, ", end="")
    print(f"{chosen.prompts} prompts of each sub-task, width {chosen.width}\n")
    print("| seed | states | loss, held out | text gap |\n| --- | --- | --- | --- |")
    losses: dict[str, list[float]] = {}
    for name, layers in rivals(network.depth).items():
        model = LanguageModel(
            SMOLLM2, network.depth, None, False, DEVICE, fast_dtype(DEVICE), event_rate=preset.layout.frame_rate,
            layers=layers,
        )  # fmt: skip
        # Two processes that append to one file would tear it.
        states = StateCache(model, chosen.out / f"states-{chosen.seeds[0]}", preset.layout.frame_rate)
        for seed in chosen.seeds:
            config = recipe(chosen.steps, chosen.frames, chosen.prompts, seed)
            codec = Autoencoder.load(chosen.autoencoder)
            checkpoint = Checkpoint.new(network, preset.layout, codec, torch.Generator().manual_seed(seed))
            stream, unheard = (
                TupleStream(bank, preset.layout, config, False, model.tokenise.fits) for bank in (trained, tested)
            )
            out = chosen.out / f"{name}-{seed}".replace(" ", "-")
            trainer = Trainer(checkpoint, config, stream, unheard, states, out)
            trainer.run()
            trainer.average.swap(list(trainer.network.parameters()))
            loss, gap = held_out(trainer, unheard)
            losses.setdefault(name, []).append(loss)
            print(f"| {seed} | {name} | {loss:.4f} | {gap:.4f} |", flush=True)
    first, *others = losses
    for name in others:
        differences = [other - own for own, other in zip(losses[first], losses[name], strict=True)]
        spread = statistics.stdev(differences) if len(differences) > 1 else 0.0
        print(f"\n{name}: {statistics.mean(differences):+.4f} against {first}, deviation over seeds {spread:.4f}")


if __name__ == "__main__":
    main()

"""Does reading the language model layer by layer pay? A state of another layer for each block, or the same for all.

python -m benchmarks.ablate_fusion --corpus data/nano --start runs/nano-start [--steps 150] [--seeds 1 2 3]

From nothing, a network of two cores' budget does not get as far as to use its prompts. So what makes sound begins as in a
trained checkpoint and stays, and what reads text - projectors, keys, values and modulation of text - begins untrained and is
all that learns: from sounds, timelines and scene edits, whose prompts reach it through the language model alone. The
rivals of a seed begin alike and see the same batches; a run that was cut short goes on. Several processes may share the
seeds; the same command with all of them then has nothing left to train, and tells the whole.
"""

from __future__ import annotations

import argparse
import statistics
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from unison_engine.machine import processor
from unison_train.checkpoint import Checkpoint
from unison_train.config import TrainConfig
from unison_train.fit import load_bank
from unison_train.language_models import SMOLLM2
from unison_train.model.denoiser import Denoiser
from unison_train.precision import fast_dtype
from unison_train.text import LanguageModel, StateCache
from unison_train.trainer import Trainer
from unison_train.tuples import TupleStream

DEVICE = torch.device("cpu")
LAYERS = 30
"""Of SmolLM2-135M."""
READERS = ("fusion.projectors.", ".text_key", ".text_value", "modulation.text.")
"""Parts of the names of parameters that read text."""
HELD_OUT_BATCHES = 24


def rivals(depth: int) -> dict[str, list[int] | None]:
    """The layer that each block reads, by name; None spreads them over the language model."""
    return {"layer by layer": None, "penultimate": [LAYERS - 1] * depth}


def unread(start: Path, seed: int) -> Checkpoint:
    """A checkpoint that cannot read yet, and whose other weights do not learn."""
    trained = Checkpoint.load(start)
    generator = torch.Generator().manual_seed(seed)
    checkpoint = Checkpoint.new(trained.config, trained.layout, trained.autoencoder, generator)
    old = Denoiser(trained.dit, trained.fusion).state_dict()
    with torch.no_grad():
        for name, parameter in Denoiser(checkpoint.dit, checkpoint.fusion).named_parameters():
            if not any(part in name for part in READERS):
                parameter.copy_(old[name])
                parameter.requires_grad_(False)
    return checkpoint


def recipe(steps: int, frames: int, prompts: int, seed: int) -> TrainConfig:
    """That of `nano` without speech."""
    usual = TrainConfig.load("nano")
    run = {
        "steps": steps,
        "frames_per_batch": frames,
        "seed": seed,
        "generation_share": 0.0,
        "samples_minutes": 1e6,
    }
    tasks = ("t2a_single", "t2a_mix", "t2a_timeline", "edit_add", "edit_remove", "edit_remove_add")
    return usual.model_copy(
        update={
            "data": usual.data.model_copy(update={"prompts_per_task": prompts}),
            "run": usual.run.model_copy(update=run),
            "optimiser": usual.optimiser.model_copy(update={"warmup_steps": 10, "decay_share": 0.5, "ema_decay": 0.97}),
            "tasks": dict.fromkeys(tasks, 1.0),
        }
    )


@torch.no_grad()
def held_out(trainer: Trainer, stream: TupleStream) -> tuple[float, float]:
    """Loss of the averaged weights over batches of variants never trained on, and what another prompt adds to it."""
    losses, gaps = [], []
    trainer.average.swap(trainer.learned)
    for number in range(HELD_OUT_BATCHES):
        stream.rng = np.random.default_rng(number)
        _, batch = stream.batch(0)
        losses.append(trainer.objective.held_out(batch, number))
        gaps.append(trainer.objective.text_gap(batch, number))
    return statistics.mean(losses), statistics.mean(gaps)


def main() -> None:
    """Print a Markdown row a seed and rival, and the difference to reading layer by layer."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--corpus", type=Path, required=True)
    options.add_argument("--start", type=Path, required=True, help="of unison-export checkpoint")
    options.add_argument("--out", type=Path, default=Path("runs/ablation"))
    options.add_argument("--steps", type=int, default=150)
    options.add_argument("--frames", type=int, default=1000, help="of a batch, at most")
    options.add_argument("--prompts", type=int, default=300, help="distinct ones of each sub-task")
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    trained = Checkpoint.load(chosen.start)
    network, layout = trained.config, trained.layout
    manifests = [chosen.corpus / "sound.jsonl"]
    known, unknown = (load_bank(manifests, layout.sample_rate, DEVICE, split) for split in ("train", "test"))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor()}; {chosen.steps} steps of {chosen.frames} frames, ", end="")
    print(f"{chosen.prompts} prompts of each sub-task\n")
    print("| seed | states | loss, held out | text gap |\n| --- | --- | --- | --- |")
    losses: dict[str, list[float]] = {}
    for name, layers in rivals(network.depth).items():
        model = LanguageModel(
            SMOLLM2,
            network.depth,
            network.text_clock,
            network.phones,
            DEVICE,
            fast_dtype(DEVICE),
            event_rate=layout.frame_rate,
            layers=layers,
        )
        # Two processes that append to one file would tear it.
        states = StateCache(model, chosen.out / f"states-{chosen.seeds[0]}", layout.frame_rate)
        for seed in chosen.seeds:
            config = recipe(chosen.steps, chosen.frames, chosen.prompts, seed)
            stream, unheard = (
                TupleStream(bank, layout, config, network.phones, model.tokenise.fits) for bank in (known, unknown)
            )
            out = chosen.out / f"{name}-{seed}".replace(" ", "-")
            trainer = Trainer(unread(chosen.start, seed), config, stream, unheard, states, out)
            trainer.run()
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

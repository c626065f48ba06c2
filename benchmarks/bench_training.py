"""How fast `unison-train run` is on this machine, and where the time of a step goes.

python -m benchmarks.bench_training --corpus data/nano --start runs/nano-start [--steps 40] [--processes 2]

`unison-export checkpoint nano runs/nano-start` makes the checkpoint. Measured is the joint stage, in which all
sub-tasks are drawn: the same steps twice, first with prompts that the language model has to read, then with their
states at hand, as a long run finds them more and more often. Loading, saving and samples are left out. With
`--processes`, one process comes first and then so many, on the same batches; `torchrun` starts them, as it does for
users.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from unison_engine.machine import processor
from unison_train.config import TrainConfig
from unison_train.distributed import join
from unison_train.fit import assemble
from unison_train.trainer import Trainer

PARTS = ("synthesis", "text", "autoencoder", "forward", "backward", "optimiser")
"""Names of `Stopwatch` in a step of `Trainer`."""
ROUNDS = 5


@dataclass(frozen=True)
class Measured:
    """What some steps took, in seconds of the first process, and what all processes heard in them."""

    steps: int
    seconds: float
    sound: float
    tuples: int
    parts: dict[str, float]

    def cells(self) -> Iterator[str]:
        """A column of the table: throughput, then the shares of a step."""
        yield f"{self.seconds / self.steps:.3f}"
        yield f"{self.sound / self.seconds:.1f}"
        yield f"{self.tuples / self.seconds:.1f}"
        for part in (*self.parts.values(), self.seconds - sum(self.parts.values())):
            yield f"{100 * part / self.seconds:.1f} %"


def measure(trainer: Trainer, first: int, count: int) -> Measured:
    """Train `count` steps that draw what a run draws from step `first` on."""
    trainer.progress.step = first
    trainer.watch.seconds.clear()
    before = replace(trainer.progress)
    for _ in range(count):
        trainer.step()
    after = trainer.progress
    return Measured(
        count,
        after.seconds_of_training - before.seconds_of_training,
        after.seconds_of_sound - before.seconds_of_sound,
        after.tuples - before.tuples,
        {part: trainer.watch.seconds[part] for part in PARTS},
    )


def exchange(trainer: Trainer) -> float:
    """Seconds in which the processes add up as many numbers as there are gradients, and do nothing else."""
    count = sum(one.numel() for one in trainer.network.parameters() if one.requires_grad)
    numbers = torch.zeros(count, device=trainer.device)
    taken = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        trainer.processes.add_up(numbers)[0].item()  # A GPU is waited for.
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


def work(chosen: argparse.Namespace) -> None:
    """Measure as one of the processes that `torchrun` started; the first prints a table."""
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    recipe = TrainConfig.load(chosen.recipe)
    run = {"generation_share": 0.0, "batches_per_step": math.lcm(recipe.run.batches_per_step, chosen.processes)}
    config = recipe.model_copy(update={"run": recipe.run.model_copy(update=run)})
    with tempfile.TemporaryDirectory() as out, join(config.run, torch.device(chosen.device)) as processes:
        trainer = assemble(config, chosen.corpus, chosen.start, chosen.language_model, Path(out), processes)
        measure(trainer, 0, chosen.warm_up)
        found = {}
        trainer.watch.exact = True
        for prompts in ("new prompts", "known prompts"):
            found[prompts] = measure(trainer, chosen.warm_up, chosen.steps)
        if processes.device.type == "cuda":
            trainer.watch.exact = False
            found["known prompts, parts not waited for"] = measure(trainer, chosen.warm_up, chosen.steps)
        alone = exchange(trainer) if processes.count > 1 else 0.0
        if processes.first:
            report(found, trainer, alone)


def report(found: dict[str, Measured], trainer: Trainer, alone: float) -> None:
    """Print a table with a column for each time that the steps were measured."""
    run, count = trainer.config.run, trainer.processes.count
    print(f"\nProcesses: {count}, threads of each: {torch.get_num_threads()}; batches of a step: ", end="")
    print(f"{run.batches_per_step}, of at most {run.frames_per_batch} frames each\n")
    print(f"| | {' | '.join(found)} |\n| --- |{' --- |' * len(found)}")
    names = ("seconds a step", "seconds of sound a second", "tuples a second", *PARTS, "the rest")
    for name, *cells in zip(names, *(one.cells() for one in found.values()), strict=True):
        print(f"| {name} | {' | '.join(cells)} |")
    if count > 1:
        print(f"\nSumming the gradients takes {alone:.3f} s by itself. Within a step it is part of `backward`, as is")
        print("waiting for a slower process.")
    sys.stdout.flush()


def main() -> None:
    """Print machine and date, and a Markdown table for each number of processes."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--corpus", type=Path, required=True)
    options.add_argument("--start", type=Path, required=True, help="a checkpoint, or an autoencoder")
    options.add_argument("--recipe", default="nano", help="a shipped recipe by name, or a TOML file")
    options.add_argument("--language-model", help="as of `unison-train run`")
    options.add_argument("--steps", type=int, default=40)
    options.add_argument("--warm-up", type=int, default=4, help="steps before; a recipe that compiles wants more")
    options.add_argument("--processes", type=int, default=1)
    options.add_argument("--threads", type=int, default=0, help="of each process; 0 leaves them to torch and torchrun")
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    chosen = options.parse_args()
    if "WORLD_SIZE" in os.environ:
        work(chosen)
        return
    gpu = f", {torch.cuda.get_device_name(chosen.device)}" if chosen.device.startswith("cuda") else ""
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor()}{gpu}; torch {torch.__version__}; ", end="")
    print(f"recipe {chosen.recipe}, {chosen.steps} steps after {chosen.warm_up}", flush=True)
    for count in sorted({1, chosen.processes}):
        # Without the "--", torchrun takes `--start` for its own.
        runner = ["torch.distributed.run", "--standalone", f"--nproc-per-node={count}", "-m", "--"]
        command = [sys.executable, "-m", *runner, "benchmarks.bench_training", *sys.argv[1:]]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()

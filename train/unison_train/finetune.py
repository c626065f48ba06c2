"""Trains a checkpoint further on a user's clips, with whatever tasks they can serve."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from unison_engine.errors import BadArguments
from unison_train.checkpoint import Checkpoint
from unison_train.config import TrainConfig
from unison_train.corpus.manifest import Clip, read_manifest
from unison_train.distributed import join
from unison_train.fit import assemble
from unison_train.synthesis.served import served_tasks
from unison_train.synthesis.tasks import GENERATION_TASKS

RECIPE = "finetune"
LORA_RATE = 10.0
"""Adapters learn best at about ten times the rate of all weights (Biderman et al., arXiv 2405.09673)."""


def finetune(
    clips: Path,
    start: Path,
    out: Path,
    device: torch.device,
    recipe: str = RECIPE,
    steps: int = 0,
    lora_rank: int = 0,
    minutes: float = math.inf,
) -> None:
    """Train the checkpoint in `start` on the clips of a manifest; an unfinished run in `out` goes on where it was.

    The language model is that of the checkpoint. Tasks that the clips cannot serve lose their share, which is told in
    one line; another tells of lines that are too long to be heard. Unless they are 0, `steps` and `lora_rank` stand for
    those of the recipe; a `lora_rank` given here also raises the recipe's rate, which is meant for all weights, by
    `LORA_RATE`.

    Raises:
        BadArguments: the clips serve no task that generates, `out` is `start`, or the recipe cannot be used.
        ModelMissing: `start` holds no checkpoint.
        UnknownAsset: the manifest or one of its clips does not exist.
    """
    if out.resolve() == start.resolve():
        raise BadArguments(f"{out} is the checkpoint to start from; give another folder for what becomes of it.")
    Checkpoint.read_record(start)
    listed = read_manifest(clips)
    rows = [clip for clip in listed if clip.split == "train"]
    config = TrainConfig.load(recipe)
    tasks = _served(config, listed, clips)
    left_out = [task for task, share in config.tasks.items() if share > 0 and task not in tasks]
    optimiser = config.optimiser
    if lora_rank:
        optimiser = optimiser.model_copy(update={"learning_rate": LORA_RATE * optimiser.learning_rate})
    config = config.model_copy(
        update={
            "lora_rank": lora_rank or config.lora_rank,
            "optimiser": optimiser,
            "data": config.data.model_copy(update={"manifests": (clips.name,)}),
            "run": config.run.model_copy(update={"steps": steps or config.run.steps}),
            "tasks": tasks,
        }
    )
    with join(config.run, device) as processes:
        if processes.first:
            shares = ", ".join(f"{task} {share:.0%}" for task, share in config.shares(config.run.steps).items())
            print(f"{len(rows)} clips: {shares}; they cannot serve {', '.join(left_out) or 'none'}".replace("%", " %"))
            if told := _too_long(rows, config.data.max_seconds):
                print(told)
        assemble(config, clips.parent, start, None, out, processes).run(minutes)


def _served(config: TrainConfig, listed: Sequence[Clip], clips: Path) -> dict[str, float]:
    """The shares of those tasks of a recipe that the training rows of the manifest `clips` can serve."""
    rows = [clip for clip in listed if clip.split == "train"]
    served = served_tasks(rows, config.data.max_seconds, config.synthesis)
    tasks = {task: share for task, share in config.tasks.items() if share > 0 and task in served}
    if any(task in GENERATION_TASKS for task in tasks):
        return tasks
    advice = "give sounds a caption, and speech a transcript with a gender."
    if listed and not rows:
        splits = " and ".join(f"{count} are {split}" for split, count in Counter(clip.split for clip in listed).items())
        advice = f'{splits} by their split; leave it out, or make it "train".'
    elif told := _too_long(rows, config.data.max_seconds):
        advice = f"{told}."
    raise BadArguments(
        f"{clips} has {len(rows)} clips to train on, and they serve no generation task of the recipe; {advice}"
    )


def _too_long(rows: Sequence[Clip], max_seconds: float) -> str:
    """What to tell of lines that are longer than a tuple and therefore never drawn; empty if there are none."""
    lines = [clip.seconds for clip in rows if clip.kind == "speech"]
    long = [seconds for seconds in lines if seconds > max_seconds]
    if not long:
        return ""
    return (
        f"{len(long)} of {len(lines)} clips of speech, of up to {max(long):.1f} s, are longer than max_seconds of the "
        f"recipe ({max_seconds:g} s) and never heard; cut them into shorter lines"
    )

"""Trains a checkpoint further on a user's clips, with whatever tasks they can serve."""

from __future__ import annotations

import math
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
    one line. Unless they are 0, `steps` and `lora_rank` stand for those of the recipe.

    Raises:
        BadArguments: the clips serve no task that generates, `out` is `start`, or the recipe cannot be used.
        ModelMissing: `start` holds no checkpoint.
        UnknownAsset: the manifest or one of its clips does not exist.
    """
    if out.resolve() == start.resolve():
        raise BadArguments(f"{out} is the checkpoint to start from; give another folder for what becomes of it.")
    Checkpoint.read_record(start)
    rows = [clip for clip in read_manifest(clips) if clip.split == "train"]
    config = TrainConfig.load(recipe)
    tasks = _served(config, rows, clips)
    left_out = [task for task, share in config.tasks.items() if share > 0 and task not in tasks]
    config = config.model_copy(
        update={
            "lora_rank": lora_rank or config.lora_rank,
            "data": config.data.model_copy(update={"manifests": (clips.name,)}),
            "run": config.run.model_copy(update={"steps": steps or config.run.steps}),
            "tasks": tasks,
        }
    )
    with join(config.run, device) as processes:
        if processes.first:
            shares = ", ".join(f"{task} {share:.0%}" for task, share in config.shares(config.run.steps).items())
            print(f"{len(rows)} clips: {shares}; they cannot serve {', '.join(left_out) or 'none'}".replace("%", " %"))
        assemble(config, clips.parent, start, None, out, processes).run(minutes)


def _served(config: TrainConfig, rows: list[Clip], clips: Path) -> dict[str, float]:
    """The shares of those tasks of a recipe that the rows of the manifest `clips` can serve."""
    served = served_tasks(rows, config.data.max_seconds, config.synthesis)
    tasks = {task: share for task, share in config.tasks.items() if share > 0 and task in served}
    if not any(task in GENERATION_TASKS for task in tasks):
        raise BadArguments(
            f"{clips} has {len(rows)} clips to train on, and they serve no generation task of the recipe; "
            "give sounds a caption, and speech a transcript with a gender."
        )
    return tasks

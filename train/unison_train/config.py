"""The training recipe: one strict TOML file, every key known."""

from __future__ import annotations

import math
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from unison_engine.errors import BadArguments
from unison_train.corpus.shards import INDEX
from unison_train.model.config import PRESETS
from unison_train.precision import Precision
from unison_train.synthesis.settings import Synthesis
from unison_train.synthesis.tasks import GENERATION_TASKS, PUBLISHED_SHARES, ROOM_TASKS, TASKS


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(_Strict):
    """Where the clips are listed, relative to the corpus folder; the longest tuple in seconds; distinct prompts.

    States of prompts are kept on disk up to `states_gigabytes` for each process; those of more are computed anew.
    Of a corpus in shards (`unison_train.corpus.shards`) its index alone is named: `shards_held` of them are in memory,
    and one of these gives way to another every `steps_per_shard` training steps.
    """

    manifests: tuple[str, ...] = Field(min_length=1)
    max_seconds: float = Field(gt=0)
    prompts_per_task: int = Field(gt=0)
    states_gigabytes: float = Field(default=50.0, ge=0)
    shards_held: int = Field(default=8, ge=1)
    steps_per_shard: int = Field(default=50, ge=1)

    @property
    def sharded(self) -> bool:
        """Whether the corpus lies in shards."""
        return self.manifests == (INDEX,)

    @field_validator("manifests")
    @classmethod
    def _one_index(cls, manifests: tuple[str, ...]) -> tuple[str, ...]:
        if INDEX in manifests and len(manifests) > 1:
            raise ValueError(f"{INDEX} lists all clips of a corpus in shards; name nothing else beside it")
        return manifests


class Optimiser(_Strict):
    """AdamW with warm-up, a constant rate, and a fall to zero, straight or along a cosine, at the end.

    `text_dropout` is the share of tuples whose prompt is hidden; for `even_times` see `draw_times`.
    """

    learning_rate: float = Field(gt=0)
    betas: tuple[float, float]
    weight_decay: float = Field(ge=0)
    warmup_steps: int = Field(ge=1)
    decay: Literal["linear", "cosine"]
    decay_share: float = Field(ge=0, le=1)
    gradient_clip: float = Field(gt=0)
    ema_decay: float = Field(gt=0, lt=1)
    text_dropout: float = Field(ge=0, lt=1)
    even_times: float = Field(default=0.0, ge=0, le=1)

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step out of `steps`; the fall begins after the warm-up, however long it is."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        decay_steps = max(1.0, min(self.decay_share * steps, steps - self.warmup_steps))
        left = min(1.0, (steps - step) / decay_steps)
        if self.decay == "cosine":
            left = 0.5 - 0.5 * math.cos(math.pi * left)
        return self.learning_rate * warm * left


class Run(_Strict):
    """Length, batch size, curriculum, precision, how often to save and how often to listen.

    One step takes `batches_per_step` batches of about `frames_per_batch` latent frames, each of one sub-task. They are
    shared out among the processes, and a process takes its own one after another, so the number of processes decides
    how fast a step is and not what it is.
    """

    steps: int = Field(gt=0)
    frames_per_batch: int = Field(gt=0)
    batches_per_step: int = Field(gt=0)
    generation_share: float = Field(ge=0, le=1)
    seed: int
    precision: Precision
    parallel: Literal["none", "ddp", "fsdp"]
    checkpoint_activations: bool
    compile: bool
    tracker: Literal["none", "tensorboard", "trackio"]
    checkpoint_minutes: float = Field(gt=0)
    samples_minutes: float = Field(gt=0)


class TrainConfig(_Strict):
    """Everything that decides a training run, besides the corpus itself.

    `tasks` gives the share of batches of each sub-task in the joint stage; `"published"` stands for those of UNISON.
    `preset` gives the sizes of a new network, and those that a checkpoint to start from must have; without it, a run
    starts from a checkpoint of any sizes. With a `lora_rank`, low-rank adapters learn in place of the weights, see
    `unison_train.lora`.
    """

    preset: str | None = None
    lora_rank: int = Field(default=0, ge=0)
    data: Data
    optimiser: Optimiser
    run: Run
    tasks: dict[str, Annotated[float, Field(ge=0)]]
    synthesis: Synthesis = Synthesis()

    @field_validator("tasks", mode="before")
    @classmethod
    def _named_shares(cls, tasks: object) -> object:
        return PUBLISHED_SHARES if tasks == "published" else tasks

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, preset: str | None) -> str | None:
        if preset is not None and preset not in PRESETS:
            raise ValueError(f"unknown preset {preset!r}; known are {', '.join(PRESETS)}")
        return preset

    @model_validator(mode="after")
    def _known_tasks(self) -> TrainConfig:
        if unknown := sorted(set(self.tasks) - set(TASKS)):
            raise ValueError(f"unknown tasks {unknown}; known are {', '.join(TASKS)}")
        if dry := sorted(set(self.synthesis.room_tasks) - set(ROOM_TASKS)):
            raise ValueError(f"{dry} in room_tasks are never heard in a room; give some of {', '.join(ROOM_TASKS)}")
        if not any(self.tasks.get(task, 0) > 0 for task in GENERATION_TASKS):
            raise ValueError(f"no generation task has a share; give one of {', '.join(GENERATION_TASKS)}")
        return self

    def shares(self, step: int) -> dict[str, float]:
        """Probability of each sub-task at a step: generation alone first, then all of them."""
        early = step < self.run.generation_share * self.run.steps
        known = {task: share for task, share in self.tasks.items() if not early or task in GENERATION_TASKS}
        total = sum(known.values())
        return {task: share / total for task, share in known.items()}

    @classmethod
    def load(cls, name_or_path: str) -> TrainConfig:
        """Read a shipped recipe by name, or a TOML file.

        Raises:
            BadArguments: no such recipe, not UTF-8, not TOML, an unknown key or a value out of range.
        """
        folder = resources.files("unison_train") / "presets"
        shipped = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
        try:
            if name_or_path in shipped:
                text = (folder / f"{name_or_path}.toml").read_text(encoding="utf-8")
            elif Path(name_or_path).is_file():
                text = Path(name_or_path).read_text(encoding="utf-8-sig")
            else:
                raise BadArguments(f"no recipe {name_or_path!r}; give a TOML file or one of {', '.join(shipped)}.")
            return cls.model_validate(tomllib.loads(text))
        except UnicodeDecodeError as error:
            where = f"{error.reason} at byte {error.start}"
            raise BadArguments(f"the recipe {name_or_path!r} is not UTF-8 ({where}); save it as UTF-8.") from error
        except (tomllib.TOMLDecodeError, ValidationError) as error:
            raise BadArguments(f"the recipe {name_or_path!r} cannot be used: {error}") from error

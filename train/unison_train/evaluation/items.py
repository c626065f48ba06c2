"""The requests that every bundle is given: fixed and written out, 30 or more for each task.

Published numbers are of those of `items.jsonl`. Whoever chooses among bundles or samplers asks for those of
`items_valid.jsonl`, so that the choice does not flatter what is published.

An item is a scene in stems, each with its part in it: `kept` is in the source and in the wanted sound, `old` in the
source alone, `new` in the wanted sound alone. What the model is asked for follows from the stems and the instruction.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from unison_engine.errors import BadArguments

Task = Literal[
    "text_to_audio",
    "text_to_speech",
    "voice_clone",
    "speech_and_sound",
    "timeline",
    "scene_edit",
    "speech_edit",
    "denoise",
]
TASKS: tuple[Task, ...] = get_args(Task)
"""The seven tasks, with `denoise`, which is a `speech_edit` of its own kind, beside them."""
Requests = Literal["test", "valid"]
"""Named after the split of the corpus whose readings they hold."""
FILES: dict[Requests, Path] = {
    "test": Path(__file__).parent / "items.jsonl",
    "valid": Path(__file__).parent / "items_valid.jsonl",
}


def served(task: Task) -> str:
    """The task of the engine that serves such requests: to denoise is an edit of speech."""
    return "speech_edit" if task == "denoise" else task


Part = Literal["kept", "old", "new"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SoundStem(_Strict):
    """A variant of a procedural sound, from `start` on; times in seconds, `gain` in dB over an RMS of 0.1."""

    part: Part
    kind: str
    variant: int
    caption: str
    seconds: float = Field(gt=0)
    start: float = 0.0
    gain: float = 0.0

    @property
    def end(self) -> float:
        """When it is over; times are told in tenths of a second, and a click takes two of them."""
        return self.start + max(self.seconds, 0.2)


class SpeechStem(_Strict):
    """A held-out reading of the corpus, from `start` on; units as in `SoundStem`."""

    part: Part
    speaker: str
    gender: Literal["female", "male"]
    text: str
    start: float = 0.0
    gain: float = 0.0


Stem = SoundStem | SpeechStem


class Item(_Strict):
    """One request.

    Attributes:
        task: one of `TASKS`.
        number: counted from 1 within the task; the seed of its noise.
        seconds: length that is asked for.
        stems: what is in the source and in the wanted sound.
        instruction: of an edit.
    """

    task: Task
    number: int
    seconds: float
    stems: tuple[Stem, ...]
    instruction: str = ""

    @property
    def name(self) -> str:
        """Such as `denoise-07`."""
        return f"{self.task}-{self.number:02}"

    def sounds(self, *parts: Part) -> list[SoundStem]:
        """The sounds with one of these parts."""
        return [stem for stem in self.stems if isinstance(stem, SoundStem) and stem.part in parts]

    def speech(self, part: Part) -> SpeechStem | None:
        """The utterance with this part, if there is one."""
        return next((stem for stem in self.stems if isinstance(stem, SpeechStem) and stem.part == part), None)


def read_items(task: str, count: int = 0, requests: Requests = "test") -> list[Item]:
    """The first `count` items of a task, or all of them if it is 0.

    Raises:
        BadArguments: there is no such task, or `count` is 1 or negative: a floor of shuffled requests takes two.
    """
    if task not in TASKS:
        raise BadArguments(f"{task!r} is not a task that can be evaluated; choose from {', '.join(TASKS)}")
    if count < 0 or count == 1:
        raise BadArguments(f"{count} items are too few to shuffle; ask for at least 2, or for 0, which means all")
    adapter = TypeAdapter(Item)
    rows = [adapter.validate_json(line) for line in FILES[requests].read_text(encoding="utf-8").splitlines()]
    chosen = [item for item in rows if item.task == task]
    return chosen[: count or None]


def fingerprint(requests: Requests = "test") -> str:
    """SHA-256 of the requests; numbers with different ones must not be compared."""
    return hashlib.sha256(FILES[requests].read_bytes()).hexdigest()

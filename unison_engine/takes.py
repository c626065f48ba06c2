"""The take library: a folder of sounds, each with the recipe that made it.

`NAME.wav` is the sound, `NAME.json` all else, and NAME is the take's id. A take exists once its WAV has its
name; the recipe is in place before that, so whatever is listed is whole.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import math
import os
import re
import secrets
import unicodedata
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from unison_engine.audio import Wave
from unison_engine.errors import UnknownAsset
from unison_engine.loudness import integrated_lufs
from unison_engine.tasks import existing_file, is_file

MAX_SLUG = 40


class Recipe(BaseModel):
    """Everything needed to make a sound again.

    Attributes:
        task: name of the task.
        request: its validated request.
        prompt: the text the language model read.
        seed: seed of the noise; likewise `steps` and `guidance`, as they were used.
        steps: evaluations of the sampler.
        guidance: guidance scale.
        bundle: name of the bundle.
        bundle_hash: SHA-256 of its manifest, which holds the hashes of all its files.
        engine: version of the engine.
        created: when the sound was made, UTC.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    request: dict[str, JsonValue]
    prompt: str
    seed: int
    steps: int
    guidance: float
    bundle: str
    bundle_hash: str
    engine: str
    created: datetime


class Take(BaseModel):
    """A finished sound on disk.

    Attributes:
        id: file name without ending; what an edit may name as its source.
        path: absolute path of the WAV.
        seconds: its length.
        rate: Hz.
        channels: of the file.
        lufs: integrated loudness, see `unison_engine.loudness`.
        gain_db: what was applied so that the peaks fit the file; 0 unless the sound passed full scale.
        recipe: what made it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    path: Path = Field(exclude=True)
    seconds: float
    rate: int
    channels: int
    lufs: float
    gain_db: float
    recipe: Recipe


class TakeLibrary:
    """Takes in one folder, which is made if need be."""

    def __init__(self, folder: str | Path) -> None:
        """Use `folder`, and make it if it is not there."""
        self.folder = Path(folder).expanduser().absolute()
        self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, wave: Wave, rate: int, recipe: Recipe, name: str | None = None) -> Take:
        """Write [samples] as 24-bit WAV, and the recipe; whole or not at all.

        `name` is a wish for the file name. Where it is taken, and where there is none, a short id is
        appended: no take is ever overwritten.
        """
        peak = float(np.max(np.abs(wave), initial=0.0))
        gain = 1.0 / peak if peak > 1.0 else 1.0
        level = np.asarray(wave * np.float32(gain))
        take_id = self._reserve(name, recipe)
        take = Take(
            id=take_id,
            path=self.folder / f"{take_id}.wav",
            seconds=len(wave) / rate,
            rate=rate,
            channels=1,
            lufs=integrated_lufs(level, rate),
            gain_db=20 * math.log10(gain),
            recipe=recipe,
        )
        document = take.model_dump_json(indent=2).encode()
        _write_whole(take.path.with_suffix(".json"), lambda file: file.write(document))
        _write_whole(take.path, lambda file: soundfile.write(file, level, rate, subtype="PCM_24", format="WAV"))
        return take

    def get(self, take_id: str) -> Take:
        """Read a take back.

        Raises:
            UnknownAsset: there is no such take.
        """
        path = self.folder / f"{take_id}.wav"
        record = path.with_suffix(".json")
        if path.parent != self.folder or not is_file(path) or not record.is_file():
            raise UnknownAsset(
                f"there is no take {take_id!r} in {str(self.folder)!r}; list the takes to see their ids."
            )
        return Take.model_validate({**json.loads(record.read_bytes()), "path": path})

    def list(self) -> builtins.list[Take]:
        """All takes, oldest first."""
        return sorted((self.get(name) for name in self.ids()), key=lambda take: (take.recipe.created, take.id))

    def ids(self) -> builtins.list[str]:
        """Ids of all takes, in no order."""
        return [path.stem for path in self.folder.glob("*.wav") if path.with_suffix(".json").is_file()]

    def find(self, name: str) -> Path:
        """File of a recording named by the id of a take or by its path.

        Raises:
            UnknownAsset: it is neither.
        """
        own = self.folder / f"{name}.wav"
        return own if own.parent == self.folder and is_file(own) else existing_file(name)

    def _reserve(self, wish: str | None, recipe: Recipe) -> str:
        stem = wish.removesuffix(".wav") if wish else slug(recipe.prompt) or recipe.task
        take_id = stem if wish else f"{stem}-{secrets.token_hex(3)}"
        while True:
            if not (self.folder / f"{take_id}.wav").exists():
                # The empty record holds the name against other processes that save into the same folder.
                with contextlib.suppress(FileExistsError):
                    (self.folder / f"{take_id}.json").open("x").close()
                    return take_id
            take_id = f"{stem}-{secrets.token_hex(3)}"


def slug(text: str) -> str:
    """A file name of at most 40 letters, digits and hyphens from a prompt, without its tags in brackets."""
    plain = unicodedata.normalize("NFKD", re.sub(r"\[[^\]]*\]", " ", text)).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall(r"[a-z0-9]+", plain))
    return words if len(words) <= MAX_SLUG else words[: MAX_SLUG + 1].rpartition("-")[0] or words[:MAX_SLUG]


def _write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

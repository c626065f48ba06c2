"""The manifest of a corpus: one JSON object a line, one line a clip, checked on reading and writing; and its clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from unison_engine.errors import BadArguments, UnknownAsset

Split = Literal["train", "valid", "test"]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Clip(BaseModel):
    """One audio file: a sound (with captions, and a class where known) or speech (with its transcript).

    `path` is relative to the manifest, `seconds` the length of the file, measured where a row leaves it out.
    `caption` is accepted as a short form of `captions` with one entry. Anything not listed here is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1)
    seconds: float = Field(default=0.0, ge=0)
    split: Split = "train"
    licence: str = "unknown"
    source: str = "user"
    captions: tuple[Words, ...] = ()
    label: str | None = None
    transcript: Words | None = None
    speaker: str | None = None
    gender: Literal["female", "male"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, row: Any) -> Any:
        """Turn `caption` into `captions`."""
        if isinstance(row, dict) and "caption" in row:
            if "captions" in row:
                raise ValueError("give caption or captions, not both")
            row = {**row, "captions": (row["caption"],)}
            del row["caption"]
        return row

    @model_validator(mode="after")
    def _one_kind(self) -> Clip:
        """Refuse a row that is neither a sound nor speech, or both."""
        sound = bool(self.captions)
        speech = self.transcript is not None
        if sound == speech:
            raise ValueError("a clip has either captions (a sound) or a transcript (speech)")
        if not speech and (self.speaker is not None or self.gender is not None):
            raise ValueError("speaker and gender belong to speech, which needs a transcript")
        if speech and self.label is not None:
            raise ValueError("a label belongs to a sound, which needs captions")
        return self

    @property
    def kind(self) -> Literal["sound", "speech"]:
        """Whether the clip is a sound or speech."""
        return "sound" if self.transcript is None else "speech"


def read_manifest(path: Path) -> list[Clip]:
    """Read every row of a manifest, in order.

    Raises:
        UnknownAsset: the manifest or a clip does not exist.
        BadArguments: the file is not UTF-8, or a row is malformed or names a clip again; rows are told by their line.
    """
    if not path.is_file():
        raise UnknownAsset(f"manifest {path} does not exist; build the corpus or give another path")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadArguments(f"{path} is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error
    clips = []
    lines: dict[Path, int] = {}
    # Not `splitlines`: JSON may hold other characters that it would take for the end of a line.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        clip = read_row(line, where)
        file = path.parent / clip.path
        if not file.is_file():
            raise UnknownAsset(f"{where}: {clip.path} does not exist beside the manifest")
        if (first := lines.setdefault(file, number)) != number:
            raise BadArguments(f"{where}: {clip.path} is listed in line {first} already; delete one of the two")
        if not clip.seconds:
            clip = clip.model_copy(update={"seconds": _measure(file, where)})
        clips.append(clip)
    return clips


def read_row(line: str | bytes, where: str) -> Clip:
    """The clip that a line of a manifest describes.

    Raises:
        BadArguments: it is malformed; `where` says which one it is.
    """
    try:
        return Clip.model_validate_json(line)
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, one['loc']))} {one['msg']}" for one in error.errors())
        raise BadArguments(f"{where}: {reasons.strip()}; correct the line") from error


def write_manifest(path: Path, clips: Iterable[Clip]) -> None:
    """Write a manifest, replacing an older one at once."""
    part = path.with_name(path.name + ".part")
    part.write_text("".join(row(clip) for clip in clips), encoding="utf-8")
    part.replace(path)


def write_clip(path: Path, wave: NDArray[np.float32], sample_rate: int) -> None:
    """Write a wave [samples] as 16-bit FLAC; the file appears under its name when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    soundfile.write(partial, wave, sample_rate, format="FLAC", subtype="PCM_16")
    partial.replace(path)


def row(clip: Clip) -> str:
    """Return the line of a manifest that describes `clip`, with its line feed."""
    return clip.model_dump_json(exclude_defaults=True) + "\n"


def summarise(clips: Sequence[Clip]) -> dict[str, Any]:
    """Clips and hours of these rows, and clips by licence and by source."""
    return {
        "clips": len(clips),
        "hours": round(sum(clip.seconds for clip in clips) / 3600, 2),
        "clips_by_licence": dict(sorted(Counter(clip.licence for clip in clips).items())),
        "clips_by_source": dict(sorted(Counter(clip.source for clip in clips).items())),
    }


def _measure(path: Path, where: str) -> float:
    try:
        return float(soundfile.info(path).duration)
    except soundfile.LibsndfileError as error:
        raise UnknownAsset(f"{where}: {path} is not readable audio ({error}); convert it to WAV or FLAC") from error

"""Tasks and their requests.

A task is a typed request and a function from request to conditioning. The request is a schema: command line, OSC
arguments and help are made from its fields.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo

from unison_engine.audio import Wave, read_audio
from unison_engine.conditioning import Conditioning
from unison_engine.errors import UnknownAsset
from unison_engine.layout import LatentLayout
from unison_engine.schema import Fixed, IsEvents, IsRecording, IsVoice, Schema, Unit

# What the author of a task needs, from one place.
__all__ = [
    "Fixed",
    "IsEvents",
    "IsVoice",
    "Moment",
    "Recording",
    "Request",
    "Seconds",
    "Task",
    "TaskContext",
    "Text",
    "Unit",
]

MAX_SEED = 2**31 - 1  # OSC carries a seed as int32.
MAX_NAME_BYTES = 100  # A reply over UDP carries the name of a take twice.
MAX_TAG = 100


def is_file(path: Path) -> bool:
    """Whether there is a file, for paths from outside: a name that no file can have is no error but no file."""
    try:
        return path.is_file()
    except ValueError:
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def existing_file(name: str) -> Path:
    """Absolute path of a file given by path.

    Raises:
        UnknownAsset: there is no such file.
    """
    try:
        path = Path(name).expanduser().absolute()
    except RuntimeError:  # Of a user that is not there.
        path = Path(name).absolute()
    try:
        found = is_file(path)
    except OSError as error:
        raise UnknownAsset(f"{name!r} cannot be read ({error.strerror}); give a recording that can.") from None
    if not found:
        raise UnknownAsset(f"there is no file {name!r}; give the path of a recording, or the id of a take.")
    return path


def _find_recording(name: str, info: ValidationInfo) -> str:
    find: Callable[[str], Path] = (info.context or {}).get("find", existing_file)
    return str(find(name))


def _short_name(name: str) -> str:
    if len(name.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        raise ValueError(f"a file name has at most {MAX_NAME_BYTES} bytes of UTF-8")
    return name


Text = Annotated[str, Field(min_length=1, max_length=2000)]
Seconds = Annotated[float, Field(gt=0.0, le=600.0), Unit("seconds")]
Moment = Annotated[float, Field(ge=0.0, le=600.0), Unit("seconds")]
"""A time from the beginning of a sound."""
Recording = Annotated[str, Field(min_length=1), AfterValidator(_find_recording), IsRecording()]
"""Path of a recording, or id of a take; absolute and existing once validated."""
FileName = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f.][^/\\\x00-\x1f]{0,99}$"), AfterValidator(_short_name)]


class Request(Schema):
    """What every task takes besides its own fields."""

    seed: Annotated[int, Field(ge=0, le=MAX_SEED, description="Same seed, same sound; drawn when left out.")] = Field(
        default_factory=lambda: secrets.randbelow(MAX_SEED + 1)
    )
    steps: Annotated[
        int | None, Field(ge=1, le=1000, description="Steps of the sampler; the bundle's own when left out.")
    ] = None
    guidance: Annotated[
        float | None, Field(ge=0.0, le=100.0, description="Guidance scale; the bundle's own when left out.")
    ] = None
    lufs: Annotated[
        float | None,
        Field(ge=-70.0, le=0.0, description="Integrated loudness of the take; less where peaks would pass full scale."),
    ] = None
    play: Annotated[bool, Field(description="Play the sound when it is ready.")] = False
    priority: Annotated[int, Field(ge=-100, le=100, description="Higher goes first in the queue.")] = 0
    out: Annotated[
        FileName | None, Field(description="File name inside the library, instead of one made from the words.")
    ] = None
    tag: Annotated[
        str | None, Field(max_length=MAX_TAG, description="A label of your own, kept with the take and searched for.")
    ] = None

    def varied(self, count: int) -> list[Self]:
        """This request and others like it, so many in all, the seed of each one above that of the one before."""
        seeds = ((self.seed + number) % (MAX_SEED + 1) for number in range(1, count))
        return [self, *(self.model_copy(update={"seed": seed}) for seed in seeds)]


@dataclass(frozen=True)
class TaskContext:
    """What a task may ask of the engine while it builds its conditioning."""

    layout: LatentLayout

    def audio(self, recording: str) -> Wave:
        """Samples of a recording, mono at the layout's rate, at the level they were recorded.

        Raises:
            UnknownAsset: the file is gone or holds no readable audio.
        """
        return read_audio(recording, self.layout.sample_rate)


R = TypeVar("R", bound=Request)


@dataclass(frozen=True)
class Task(Generic[R]):
    """One thing the model can be asked for.

    Attributes:
        name: lower case with underscores; part of the OSC address.
        summary: one line for people.
        request: schema of the request.
        condition: builds what the model sees.
    """

    name: str
    summary: str
    request: type[R]
    condition: Callable[[R, TaskContext], Conditioning]

    def parse(self, arguments: Mapping[str, object], find: Callable[[str], Path] = existing_file) -> R:
        """Validate named arguments; `find` turns the name of a recording into a file.

        Raises:
            BadArguments: a value is missing, unknown, of the wrong type or out of range.
            UnknownAsset: a recording does not exist.
        """
        return self.request.read(self.name, arguments, {"find": find})

"""Tasks and their requests.

A task is a typed request and a function from request to conditioning. The request's fields are declared once,
with `Annotated[type, Field(...), Unit(...), Fixed()]`; command line, OSC arguments and help are made from it.
"""

from __future__ import annotations

import difflib
import secrets
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic.fields import FieldInfo

from unison_engine.audio import Wave, read_audio
from unison_engine.conditioning import Conditioning
from unison_engine.errors import BadArguments, UnknownAsset
from unison_engine.layout import LatentLayout

MAX_SEED = 2**31 - 1  # OSC carries a seed as int32.


@dataclass(frozen=True)
class Unit:
    """Marks the unit of a field, for people and for OSCQuery."""

    name: str


@dataclass(frozen=True)
class Fixed:
    """Marks a field as a fixed OSC argument, in order of declaration; others are name-value pairs."""


@dataclass(frozen=True)
class IsRecording:
    """Marks a field whose text names a recording."""


def existing_file(name: str) -> Path:
    """Absolute path of a file given by path.

    Raises:
        UnknownAsset: there is no such file.
    """
    path = Path(name).expanduser().absolute()
    if not path.is_file():
        raise UnknownAsset(f"there is no file {name!r}; give the path of a recording, or the id of a take.")
    return path


def _find_recording(name: str, info: ValidationInfo) -> str:
    find: Callable[[str], Path] = (info.context or {}).get("find", existing_file)
    return str(find(name))


Text = Annotated[str, Field(min_length=1, max_length=2000)]
Seconds = Annotated[float, Field(gt=0.0, le=600.0), Unit("seconds")]
Moment = Annotated[float, Field(ge=0.0, le=600.0), Unit("seconds")]
"""A time from the beginning of a sound."""
Recording = Annotated[str, Field(min_length=1), AfterValidator(_find_recording), IsRecording()]
"""Path of a recording, or id of a take; absolute and existing once validated."""


class Request(BaseModel):
    """What every task takes besides its own fields. Unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_strip_whitespace=True)

    seed: Annotated[int, Field(ge=0, le=MAX_SEED, description="Same seed, same sound; drawn when left out.")] = Field(
        default_factory=lambda: secrets.randbelow(MAX_SEED + 1)
    )
    steps: Annotated[
        int | None, Field(ge=1, le=1000, description="Steps of the sampler; the bundle's own when left out.")
    ] = None
    guidance: Annotated[
        float | None, Field(ge=0.0, le=100.0, description="Guidance scale; the bundle's own when left out.")
    ] = None
    play: Annotated[bool, Field(description="Play the sound when it is ready.")] = False
    priority: Annotated[int, Field(ge=-100, le=100, description="Higher goes first in the queue.")] = 0
    out: Annotated[
        str | None,
        Field(
            pattern=r"^[^/\\\x00-\x1f.][^/\\\x00-\x1f]{0,99}$",
            description="File name inside the library, instead of one made from the words.",
        ),
    ] = None


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
        try:
            return self.request.model_validate(dict(arguments), context={"find": find})
        except ValidationError as error:
            raise BadArguments(f"{self.name}: {self._explain(error)}") from None

    def _explain(self, error: ValidationError) -> str:
        names = [parameter.name for parameter in parameters(self.request)]
        reasons = []
        for fault in error.errors(include_url=False, include_context=False):
            name = ".".join(str(part) for part in fault["loc"])
            if fault["type"] == "missing":
                reasons.append(f"{name!r} is missing")
            elif fault["type"] == "extra_forbidden":
                near = difflib.get_close_matches(name, names, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                reasons.append(f"{name!r} is not a parameter{hint} The parameters are {', '.join(names)}")
            else:
                reasons.append(f"{name} is {fault['input']!r}: {fault['msg'][:1].lower()}{fault['msg'][1:]}")
        return "; ".join(reasons) + "."


@dataclass(frozen=True)
class Parameter:
    """One field of a request as its users meet it.

    Attributes:
        name: the same on the command line, in OSC pairs and in Python.
        kind: str, int, float or bool.
        description: one line for people.
        unit: empty where there is none.
        fixed: a fixed OSC argument, rather than a name-value pair.
        required: there is no default.
        default: None also stands for "chosen by the engine".
        minimum: least value allowed, if any; likewise `maximum`.
        maximum: greatest value allowed, if any.
        choices: the only values allowed, or empty.
        recording: the text names a recording.
    """

    name: str
    kind: type
    description: str
    unit: str
    fixed: bool
    required: bool
    default: object
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    recording: bool


def parameters(request: type[Request]) -> list[Parameter]:
    """Fields of a request: fixed ones first, then its own, then those every request has."""
    described = [_parameter(name, field) for name, field in request.model_fields.items()]
    return sorted(described, key=lambda p: (not p.fixed, p.name in Request.model_fields))


def _parameter(name: str, field: FieldInfo) -> Parameter:
    annotation, metadata = field.annotation, field.metadata
    if get_origin(annotation) in (Union, types.UnionType):
        inner = FieldInfo.from_annotation(next(k for k in get_args(annotation) if k is not type(None)))
        annotation, metadata = inner.annotation, metadata + inner.metadata
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    kind = str if choices else annotation
    if not (isinstance(kind, type) and issubclass(kind, (str, int, float))):
        raise TypeError(f"field {name!r} is a {annotation}; a request takes str, int, float, bool or a Literal of str")
    low = [limit.ge if isinstance(limit, Ge) else limit.gt for limit in metadata if isinstance(limit, (Ge, Gt))]
    high = [limit.le if isinstance(limit, Le) else limit.lt for limit in metadata if isinstance(limit, (Le, Lt))]
    return Parameter(
        name=name,
        kind=kind,
        description=field.description or "",
        unit=next((mark.name for mark in metadata if isinstance(mark, Unit)), ""),
        fixed=any(isinstance(mark, Fixed) for mark in metadata),
        required=field.is_required(),
        default=None if field.is_required() or field.default_factory else field.default,
        minimum=_number(low),
        maximum=_number(high),
        choices=choices,
        recording=any(isinstance(mark, IsRecording) for mark in metadata),
    )


def _number(limits: list[Any]) -> float | None:
    return float(limits[0]) if limits else None

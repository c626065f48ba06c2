"""Arguments declared once, as fields of a pydantic model: `Annotated[type, Field(...), Unit(...), Fixed()]`.

The command line, OSC arguments, OSCQuery nodes, help and the reference are made from the same declaration.
"""

from __future__ import annotations

import difflib
import functools
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from unison_engine.errors import BadArguments


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


@dataclass(frozen=True)
class IsEvents:
    """Marks a field whose text places sounds in time: `0.0-2.0 footsteps; 2.5-3.5 a door`."""


@dataclass(frozen=True)
class IsVoice:
    """Marks a field that describes who speaks; the name of a voice may stand there, and the line is cloned."""


class Schema(BaseModel):
    """Base of what takes arguments. Unknown names are refused, and so are numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_strip_whitespace=True)

    @classmethod
    def read(cls, owner: str, arguments: Mapping[str, object], context: Mapping[str, object] | None = None) -> Self:
        """Validate arguments by name; `owner` is what they are for, and begins the message of an error.

        Raises:
            BadArguments: a value is missing, unknown, of the wrong type or out of range.
        """
        try:
            return cls.model_validate(dict(arguments), context=dict(context or {}))
        except ValidationError as error:
            raise BadArguments(f"{owner}: {cls._explain(error)}") from None

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        names = [parameter.name for parameter in parameters(cls)]
        reasons = []
        for fault in error.errors(include_url=False, include_context=False):
            name = ".".join(str(part) for part in fault["loc"])
            if fault["type"] == "missing":
                reasons.append(f"{name!r} is missing")
            elif fault["type"] == "extra_forbidden":
                near = difflib.get_close_matches(name, names, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                known = f"The parameters are {', '.join(names)}" if names else "It takes no parameters"
                reasons.append(f"{name!r} is not a parameter{hint} {known}")
            else:
                reasons.append(f"{name} is {fault['input']!r}: {fault['msg'][:1].lower()}{fault['msg'][1:]}")
        return "; ".join(reasons) + "."


@dataclass(frozen=True)
class Parameter:
    """One field of a schema as its users meet it.

    Attributes:
        name: the same on the command line, in OSC pairs and in Python.
        kind: str, int, float or bool, or bytes where a command takes a blob.
        description: one line for people.
        unit: empty where there is none.
        fixed: a fixed OSC argument, rather than a name-value pair.
        required: there is no default.
        default: None also stands for "chosen by the engine".
        minimum: least value allowed, if any; likewise `maximum`.
        maximum: greatest value allowed, if any.
        choices: the only values allowed, or empty.
        recording: the text names a recording.
        events: the text places sounds in time.
        voice: the text tells who speaks.
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
    events: bool
    voice: bool

    @property
    def meaning(self) -> str:
        """What a form should offer in place of a plain field; empty for nothing special."""
        told = {"flag": self.kind is bool, "recording": self.recording, "events": self.events, "voice": self.voice}
        return next((meaning for meaning, true in told.items() if true), "")

    @property
    def tag(self) -> str:
        """OSC type tag; a flag travels as 1 or 0, since small clients know neither T nor F."""
        return {str: "s", float: "f", int: "i", bool: "i", bytes: "b"}[self.kind]


def parameters(schema: type[Schema]) -> tuple[Parameter, ...]:
    """Fields of a schema: fixed ones first, then its own, then those of its bases."""
    return _parameters(schema)


def usage(known: Sequence[Parameter]) -> str:
    """Arguments in one line, such as `s prompt, f seconds, [i seed]`; pairs are in brackets."""
    return ", ".join(f"{p.tag} {p.name}" if p.fixed else f"[{p.tag} {p.name}]" for p in known)


@functools.cache  # Read at every command. Behind a function, since for mypy a `type[Any]` is not hashable.
def _parameters(schema: type[Schema]) -> tuple[Parameter, ...]:
    def distance(name: str) -> int:
        return max(steps for steps, base in enumerate(schema.__mro__) if name in getattr(base, "model_fields", {}))

    described = [_parameter(name, field) for name, field in schema.model_fields.items()]
    return tuple(sorted(described, key=lambda p: (not p.fixed, distance(p.name))))


def _parameter(name: str, field: FieldInfo) -> Parameter:
    annotation, metadata = field.annotation, field.metadata
    if get_origin(annotation) in (Union, types.UnionType):
        inner = FieldInfo.from_annotation(next(k for k in get_args(annotation) if k is not type(None)))
        annotation, metadata = inner.annotation, metadata + inner.metadata
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    kind: Any = str if choices else annotation
    if kind not in (str, int, float, bool, bytes):
        told = "a schema takes str, int, float, bool, bytes or a Literal of str"
        raise TypeError(f"field {name!r} is a {annotation}; {told}")
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
        events=any(isinstance(mark, IsEvents) for mark in metadata),
        voice=any(isinstance(mark, IsVoice) for mark in metadata),
    )


def _number(limits: list[Any]) -> float | None:
    return float(limits[0]) if limits else None

"""What a plugin may bring besides tasks and backends: effects on finished sounds, and OSC commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from unison_engine.audio import Wave
from unison_engine.schema import Schema
from unison_engine.tasks import Request, TaskContext

if TYPE_CHECKING:
    from unison_engine.client import Client


@dataclass(frozen=True)
class Sound:
    """What an effect is told of a sound.

    Attributes:
        task: name of the task that made it.
        request: what was asked for.
        context: the grid it was made on, and a way to read recordings.
    """

    task: str
    request: Request
    context: TaskContext


@dataclass(frozen=True)
class Effect:
    """Changes finished sounds before they are kept; runs where sounds are made.

    Attributes:
        name: kept in the recipe of each sound that it changed.
        summary: one line for people.
        apply: from [samples] float32 mono at the layout's rate to the same; what it leaves alone it returns as it came.
    """

    name: str
    summary: str
    apply: Callable[[Wave, Sound], Wave]


@dataclass(frozen=True)
class EngineAddress:
    """Where the engine that runs a plugin's command listens."""

    url: str
    token: str = ""

    def connect(self) -> Client:
        """A line to the engine, for one thread.

        Raises:
            Unreachable: the engine is gone.
        """
        # Imported here, so that what has no commands needs no network library.
        from unison_engine.client import connect

        return connect(self.url, self.token)


Value = str | int | float
A = TypeVar("A", bound=Schema)


@dataclass(frozen=True)
class PluginCommand(Generic[A]):
    """An OSC command of a plugin. It runs in a process that the commands of the plugin have for themselves.

    Attributes:
        address: its OSC address, outside /unison.
        summary: one line for people.
        arguments: schema of what follows the request number.
        run: does it within ten seconds and returns what the answer holds. A longer piece of work goes on in a thread.
        reply: what the answer holds: `s state, i count`.
    """

    address: str
    summary: str
    arguments: type[A]
    run: Callable[[A, EngineAddress], Sequence[Value]]
    reply: str = ""


AnyPluginCommand = PluginCommand[Any]

"""What one plugin offers, checked when it is loaded rather than when it is first used."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pluggy
from numpy.typing import NDArray

from unison_engine.bundle import Bundle
from unison_engine.errors import BackendFailed, PluginFailed, UnisonError
from unison_engine.plugin_parts import AnyPluginCommand, Effect, PluginCommand
from unison_engine.runtime.backend import Backend, Runner
from unison_engine.schema import Schema, parameters
from unison_engine.tasks import Request, Task

log = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_ADDRESS = re.compile(r"(/[a-z][a-z0-9_]{0,39}){2,4}")
_RESERVED = "json"  # /unison/run/json runs any task.
_TAGS = {"s": str, "i": int, "f": float}
TAKEN_FIELDS = frozenset(
    {
        # Pairs of the host, see `unison_engine.host.delivery`, and what its commands that make sounds are given.
        *("format", "subtype", "rate", "bar", "at", "count", "stream", "then", "task", "job"),
        # Options of `unison run`.
        *("output", "bundle", "backend", "library", "device", "help"),
        # Arguments of `Engine.run` and of a client's `run`.
        *("progress", "when"),
    }
)
"""Fields that no task may take."""


@dataclass
class Offer:
    """What a plugin registered.

    Attributes:
        tasks: by name.
        backends: by name.
        effects: by name.
        commands: by address.
    """

    tasks: dict[str, Task[Any]] = field(default_factory=dict)
    backends: dict[str, Backend] = field(default_factory=dict)
    effects: dict[str, Effect] = field(default_factory=dict)
    commands: dict[str, AnyPluginCommand] = field(default_factory=dict)

    @property
    def told(self) -> tuple[str, ...]:
        """What is offered, for people."""
        kinds: dict[str, Mapping[str, object]] = {
            "task": self.tasks,
            "backend": self.backends,
            "effect": self.effects,
            "command": self.commands,
        }
        return tuple(f"{kind} {name}" for kind, offered in kinds.items() for name in offered)

    def registers(self) -> dict[str, Callable[[Any], None]]:
        """What each hook is called with."""
        return {
            "unison_register_tasks": self._task,
            "unison_register_backends": self._backend,
            "unison_register_effects": self._effect,
            "unison_register_commands": self._command,
        }

    def check_clashes(self, backends: Mapping[str, object], owners: Mapping[str, str]) -> None:
        """See that no other plugin offers the same.

        `owners` are the plugins of all tasks, effects and commands by name: a failure is told, and counted, by it, so
        a task has no name of another plugin's effect either.

        Raises:
            PluginFailed: one does.
        """
        owned = self.tasks.keys() | self.effects.keys() | self.commands.keys()
        if clash := sorted((self.backends.keys() & backends.keys()) | (owned & owners.keys())):
            raise PluginFailed(f"another plugin already registered {', '.join(clash)}; choose other names.")

    def _task(self, task: Task[Any]) -> None:
        _check_kind(task, Task, "task")
        _check_name(task.name, "task", self.tasks)
        if task.name == _RESERVED:
            raise PluginFailed(f"a task cannot have the name {_RESERVED!r}: /unison/run/json runs any task.")
        _check_schema(task.request, Request, f"the task {task.name!r}")
        if taken := sorted(TAKEN_FIELDS & task.request.model_fields.keys()):
            raise PluginFailed(
                f"the task {task.name!r} takes {', '.join(map(repr, taken))}, which the host and the shell take for "
                "themselves; choose another name."
            )
        _check_call(task.condition, 2, f"`condition` of the task {task.name!r}", "(request, context)")
        self.tasks[task.name] = task

    def _backend(self, backend: Backend) -> None:
        for name in ("name", "automatic", "precision", "describe", "load"):
            if not hasattr(backend, name):
                raise PluginFailed(f"a backend {type(backend).__name__} has no {name!r}; see unison_engine.runtime.")
        self.backends[backend.name] = _Fenced(backend)

    def _effect(self, effect: Effect) -> None:
        _check_kind(effect, Effect, "effect")
        _check_name(effect.name, "effect", self.effects)
        _check_call(effect.apply, 2, f"`apply` of the effect {effect.name!r}", "(wave, sound)")
        self.effects[effect.name] = effect

    def _command(self, command: AnyPluginCommand) -> None:
        _check_kind(command, PluginCommand, "command")
        if not _ADDRESS.fullmatch(command.address) or command.address.startswith("/unison/"):
            raise PluginFailed(
                f"{command.address!r} cannot be the address of a command; "
                "write it as /my_plugin/verb, in lower case and outside /unison."
            )
        if command.address in self.commands:
            raise PluginFailed(f"the command {command.address!r} is registered twice.")
        _check_schema(command.arguments, Schema, f"the command {command.address}")
        _check_call(command.run, 2, f"`run` of the command {command.address}", "(arguments, engine)")
        for part in filter(None, command.reply.split(", ")):
            if part.split()[0] not in _TAGS or len(part.split()) != 2:
                raise PluginFailed(f"the reply of {command.address} has {part!r}; write fields as `s state, f level`.")
        self.commands[command.address] = command


class _Fenced:
    """A backend of which whatever it raises is a `BackendFailed`: the next backend takes over, and the user is told."""

    def __init__(self, backend: Backend) -> None:
        self.name, self.automatic, self.precision = backend.name, backend.automatic, backend.precision
        self._backend = backend

    def describe(self) -> str:
        """See `Backend.describe`."""
        with self._told("describe"):
            return self._backend.describe()

    def load(self, bundle: Bundle, graph: str, threads: int) -> Runner:
        """See `Backend.load`."""
        with self._told("load"):
            runner = self._backend.load(bundle, graph, threads)

        def run(**inputs: NDArray[Any]) -> NDArray[Any]:
            with self._told("run"):
                return runner(**inputs)

        return run

    @contextlib.contextmanager
    def _told(self, part: str) -> Iterator[None]:
        try:
            yield
        except UnisonError:
            raise
        except Exception as error:
            log.debug("the backend %r failed in %s", self.name, part, exc_info=error)
            raise BackendFailed(f"{self.name}: {type(error).__name__}: {error}; tell the author of it.") from error


def check_spelling(module: ModuleType, manager: pluggy.PluginManager) -> None:
    """See that every function marked as a hook is one: pluggy itself takes a misspelt one for a hook yet to come.

    Raises:
        PluginFailed: there is no such hook.
    """
    known = [name for name in vars(manager.hook) if name.startswith("unison_")]
    for name, value in vars(module).items():
        if hasattr(value, f"{manager.project_name}_impl") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise PluginFailed(f"there is no hook {name}; {hint}The hooks are {', '.join(sorted(known))}.")


def _check_kind(value: object, kind: type, told: str) -> None:
    if not isinstance(value, kind):
        raise PluginFailed(f"{value!r} was registered as a {told}; give a {kind.__module__}.{kind.__name__}.")


def _check_name(name: object, kind: str, known: Mapping[str, object]) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PluginFailed(f"{name!r} cannot be the name of a {kind}; use a-z, 0-9 and _, beginning with a letter.")
    if name in known:
        raise PluginFailed(f"the {kind} {name!r} is registered twice.")


def _check_schema(schema: object, base: type[Schema], told: str) -> None:
    if not (isinstance(schema, type) and issubclass(schema, base)):
        raise PluginFailed(f"{told} takes {schema!r}; give a subclass of {base.__module__}.{base.__name__}.")
    # A field of a type that neither OSC nor the command line carries fails here.
    blobs = [parameter.name for parameter in parameters(schema) if parameter.kind is bytes]
    if blobs and base is Request:
        raise PluginFailed(f"{told} takes bytes as {blobs[0]!r}, and a recipe holds none; take a Recording, or text.")


def _check_call(function: object, count: int, told: str, form: str) -> None:
    if not callable(function):
        raise PluginFailed(f"{told} is {function!r}; give a function {form}.")
    try:
        signature = inspect.signature(function)
    except ValueError:  # Some that are written in C tell none.
        return
    try:
        signature.bind(*range(count))
    except TypeError as error:
        raise PluginFailed(f"{told} is called as {form}, and it takes {signature}: {error}.") from error

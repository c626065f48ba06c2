"""Finds plugins and keeps their tasks and backends. A plugin that fails is listed with its error; the others work."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

import pluggy

from unison_engine import hooks
from unison_engine.errors import UnknownTask
from unison_engine.runtime import backends as own_backends
from unison_engine.runtime.backend import Backend
from unison_engine.schema import parameters
from unison_engine.tasks import Task


@dataclass(frozen=True)
class Plugin:
    """A plugin as it was found; `error` is empty when it loaded, `hooks` are those it implements."""

    name: str
    version: str
    hooks: tuple[str, ...]
    error: str


@dataclass(frozen=True)
class Registry:
    """All tasks and backends by name, the engine's own backends first, and the plugins they came from."""

    tasks: dict[str, Task[Any]]
    backends: dict[str, Backend]
    plugins: tuple[Plugin, ...]

    def task(self, name: str) -> Task[Any]:
        """Look a task up.

        Raises:
            UnknownTask: no plugin registered it; the message names the nearest and all others.
        """
        if name in self.tasks:
            return self.tasks[name]
        if not self.tasks:
            reasons = "; ".join(f"{plugin.name}: {plugin.error}" for plugin in self.plugins if plugin.error)
            raise UnknownTask(f"no plugin offers any task ({reasons or 'none is installed'}); install unison-plugins.")
        near = difflib.get_close_matches(name, self.tasks, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownTask(f"there is no task {name!r}; {hint}The tasks are {', '.join(sorted(self.tasks))}.")


def load_registry(found: Iterable[EntryPoint] | None = None) -> Registry:
    """Load every plugin that is installed, or those `found`."""
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    own = _register(manager, own_backends, hooks.PROJECT)
    tasks, backends = own.tasks, own.backends
    plugins = []
    for entry in entry_points(group=hooks.PROJECT) if found is None else found:
        version = entry.dist.version if entry.dist else ""
        try:
            offered = _register(manager, entry.load(), entry.name)
            clash = sorted((offered.tasks.keys() & tasks.keys()) | (offered.backends.keys() & backends.keys()))
            if clash:
                raise ValueError(f"another plugin already registered {', '.join(clash)}")
        # A stranger's module may raise anything, SystemExit included; none of it may stop the engine.
        except (Exception, SystemExit) as error:
            plugins.append(Plugin(entry.name, version, (), f"{type(error).__name__}: {error}"))
            continue
        tasks |= offered.tasks
        backends |= offered.backends
        plugins.append(Plugin(entry.name, version, offered.hooks, ""))
    return Registry(tasks, backends, tuple(plugins))


@dataclass(frozen=True)
class _Offer:
    hooks: tuple[str, ...]
    tasks: dict[str, Task[Any]]
    backends: dict[str, Backend]


def _register(manager: pluggy.PluginManager, module: ModuleType, name: str) -> _Offer:
    others = manager.get_plugins()
    manager.register(module, name=name)
    tasks: list[Task[Any]] = []
    backends: list[Backend] = []
    manager.subset_hook_caller("unison_register_tasks", remove_plugins=others)(register=tasks.append)
    manager.subset_hook_caller("unison_register_backends", remove_plugins=others)(register=backends.append)
    for task in tasks:
        parameters(task.request)  # A field of a type that neither OSC nor the command line carries fails here.
    implemented = tuple(caller.name for caller in manager.get_hookcallers(module) or ())
    return _Offer(implemented, {task.name: task for task in tasks}, {backend.name: backend for backend in backends})

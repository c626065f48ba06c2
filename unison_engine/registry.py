"""Finds plugins and keeps their tasks. A plugin that fails is listed with its error; the others work."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from unison_engine import hooks
from unison_engine.errors import UnknownTask
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
    """All tasks by name, and the plugins they came from."""

    tasks: dict[str, Task[Any]]
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
    tasks: dict[str, Task[Any]] = {}
    plugins = []
    for entry in entry_points(group=hooks.PROJECT) if found is None else found:
        version = entry.dist.version if entry.dist else ""
        try:
            implemented, offered = _load(manager, entry)
            clash = sorted(offered.keys() & tasks.keys())
            if clash:
                raise ValueError(f"another plugin already registered {', '.join(clash)}")
        # A stranger's module may raise anything, SystemExit included; none of it may stop the engine.
        except (Exception, SystemExit) as error:
            plugins.append(Plugin(entry.name, version, (), f"{type(error).__name__}: {error}"))
            continue
        tasks |= offered
        plugins.append(Plugin(entry.name, version, implemented, ""))
    return Registry(tasks, tuple(plugins))


def _load(manager: pluggy.PluginManager, entry: EntryPoint) -> tuple[tuple[str, ...], dict[str, Task[Any]]]:
    module = entry.load()
    others = manager.get_plugins()
    manager.register(module, name=entry.name)
    offered: list[Task[Any]] = []
    manager.subset_hook_caller("unison_register_tasks", remove_plugins=others)(register=offered.append)
    for task in offered:
        parameters(task.request)  # A field of a type that neither OSC nor the command line carries fails here.
    implemented = tuple(caller.name for caller in manager.get_hookcallers(module) or ())
    return implemented, {task.name: task for task in offered}

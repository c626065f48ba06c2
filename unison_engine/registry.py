"""Finds plugins and keeps what they bring. A plugin that fails is listed with its error; the others work."""

from __future__ import annotations

import difflib
import importlib
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

import pluggy

from unison_engine import hooks
from unison_engine.errors import PluginFailed, UnisonError, UnknownTask
from unison_engine.offers import Offer, check_spelling
from unison_engine.plugin_parts import AnyPluginCommand, Effect
from unison_engine.runtime import backends as own_backends
from unison_engine.runtime.backend import Backend
from unison_engine.switches import Switches
from unison_engine.tasks import Task

OWN = "unison_plugins"  # The seven tasks, which ship with the engine.

_avoided: dict[str, str] = {}


@dataclass(frozen=True)
class Plugin:
    """A plugin as it was found.

    Attributes:
        name: of its entry point.
        version: of its distribution; empty where it has none.
        module: what the entry point names.
        hooks: those it implements.
        offers: what it brings, such as `task bell_tower`.
        error: why it did not load, in a line; empty when it did.
        traceback: the same in full.
        disabled: why it was not loaded at all; empty when it was.
    """

    name: str
    version: str
    module: str
    hooks: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    error: str = ""
    traceback: str = ""
    disabled: str = ""

    @property
    def state(self) -> str:
        """`ok`, `failed` or `disabled`."""
        return "disabled" if self.disabled else "failed" if self.error else "ok"


@dataclass(frozen=True)
class Registry:
    """All that plugins bring, and the plugins themselves.

    Attributes:
        tasks: by name.
        backends: by name, the engine's own first.
        plugins: as they were found.
        effects: by name, in the order in which they are applied.
        commands: by address.
        owners: the plugin that each task, effect and command came from.
    """

    tasks: dict[str, Task[Any]]
    backends: dict[str, Backend]
    plugins: tuple[Plugin, ...]
    effects: dict[str, Effect] = field(default_factory=dict)
    commands: dict[str, AnyPluginCommand] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)

    def task(self, name: str) -> Task[Any]:
        """Look a task up.

        Raises:
            UnknownTask: no plugin registered it; the message names the nearest and all others, and what is disabled.
        """
        if name in self.tasks:
            return self.tasks[name]
        if not self.tasks:
            reasons = "; ".join(f"{plugin.name}: {plugin.error}" for plugin in self.plugins if plugin.error)
            told = f"no plugin offers any task ({reasons or 'none is installed'}); install unison-plugins."
        else:
            near = difflib.get_close_matches(name, self.tasks, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            told = f"there is no task {name!r}; {hint}The tasks are {', '.join(sorted(self.tasks))}."
        off = [plugin.name for plugin in self.plugins if plugin.disabled]
        raise UnknownTask(told + "".join(f" The plugin {one} is disabled: `unison plugins show {one}`." for one in off))

    def plugin(self, name: str) -> Plugin:
        """Look a plugin up.

        Raises:
            PluginFailed: none of this name is installed.
        """
        known = {plugin.name: plugin for plugin in self.plugins}
        if name not in known:
            raise PluginFailed(f"there is no plugin {name!r}; there are {', '.join(sorted(known)) or 'none'}.")
        return known[name]


@dataclass(frozen=True)
class PluginSource:
    """Where plugins come from; every process of a host loads its registry from the same.

    Attributes:
        found: their entry points; None for all that are installed.
        switches: which are off.
        broken: why plugins are not to be loaded at all, by their name; see `unison_engine.trial`.
    """

    found: tuple[EntryPoint, ...] | None = None
    switches: Switches = field(default_factory=Switches)
    broken: dict[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        """All plugins that are there by now, by the names of their entry points."""
        return [entry.name for entry in (entry_points(group=hooks.PROJECT) if self.found is None else self.found)]

    def load(self, fresh: str = "", entered: Callable[[str], None] = lambda plugin: None) -> Registry:
        """See `load_registry`; the plugin `fresh` is no longer taken for broken."""
        self.broken.pop(fresh, None)
        return load_registry(self.found, self.switches, fresh, self.broken, entered)

    def only(self, plugins: Collection[str]) -> PluginSource:
        """The same source with these plugins and no others."""
        found = entry_points(group=hooks.PROJECT) if self.found is None else self.found
        return replace(self, found=tuple(entry for entry in found if entry.name in plugins))


def avoid(broken: Mapping[str, str]) -> None:
    """Have whatever loads plugins in this process from now on leave these alone: they would end it, or hang it.

    `broken` are reasons by the name of the plugin. It is for code that loads the registry itself, as a synthesizer does
    for its backends; a `PluginSource` says on its own which plugins are broken.
    """
    _avoided.update(broken)


def load_registry(
    found: Iterable[EntryPoint] | None = None,
    switches: Switches | None = None,
    fresh: str = "",
    broken: Mapping[str, str] | None = None,
    entered: Callable[[str], None] = lambda plugin: None,
) -> Registry:
    """Load every plugin that is installed, or those `found`, except for what `switches` say is off, and for `broken`.

    `broken` is by default what `avoid` was told. The modules of the plugin `fresh` are read anew. `entered` is called
    with the name of each plugin before it is loaded, except for our own.

    Raises:
        PluginFailed: what is switched off cannot be read.
    """
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    registry = Registry({}, _offered(manager, own_backends, hooks.PROJECT)[1].backends, ())
    off = (switches or Switches()).off()
    broken = _avoided if broken is None else broken
    plugins = []
    for entry in entry_points(group=hooks.PROJECT) if found is None else found:
        plugin = Plugin(entry.name, _version(entry), entry.value)
        if entry.name in off:
            plugins.append(replace(plugin, disabled=off[entry.name]))
        elif entry.name in broken:
            plugins.append(replace(plugin, error=broken[entry.name], traceback=broken[entry.name]))
        else:
            if entry.name != OWN:
                entered(entry.name)
            plugins.append(_load(manager, registry, entry, plugin, entry.name == fresh))
    return Registry(
        registry.tasks, registry.backends, tuple(plugins), registry.effects, registry.commands, registry.owners
    )


def _load(manager: pluggy.PluginManager, registry: Registry, entry: EntryPoint, plugin: Plugin, fresh: bool) -> Plugin:
    try:
        if fresh:
            _forget(entry.module)
        implemented, offer = _offered(manager, entry.load(), entry.name)
        offer.check_clashes(registry.backends, registry.owners)
    # A stranger's module may raise anything, SystemExit included; none of it may stop the engine.
    except (Exception, SystemExit) as error:
        told = str(error) if isinstance(error, UnisonError) else f"{type(error).__name__}: {error}"
        full = "".join(traceback.format_exception(error))
        return replace(plugin, error=told, traceback=full)
    registry.tasks.update(offer.tasks)
    registry.backends.update(offer.backends)
    registry.effects.update(offer.effects)
    registry.commands.update(offer.commands)
    registry.owners.update(dict.fromkeys((*offer.tasks, *offer.effects, *offer.commands), entry.name))
    return replace(plugin, hooks=implemented, offers=offer.told)


def _offered(manager: pluggy.PluginManager, module: ModuleType, name: str) -> tuple[tuple[str, ...], Offer]:
    others = manager.get_plugins()
    manager.register(module, name=name)
    check_spelling(module, manager)
    offer = Offer()
    for hook, register in offer.registers().items():
        manager.subset_hook_caller(hook, remove_plugins=others)(register=register)
    implemented = tuple(caller.name for caller in manager.get_hookcallers(module) or ())
    return implemented, offer


def _forget(module: str) -> None:
    top = module.partition(".")[0]
    if top == hooks.PROJECT:
        return
    for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def _version(entry: EntryPoint) -> str:
    return entry.dist.version if entry.dist else ""

"""The hooks a plugin may implement. A plugin is a module named by an entry point of group `unison_engine`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pluggy

from unison_engine.plugin_parts import AnyPluginCommand, Effect
from unison_engine.runtime.backend import Backend
from unison_engine.tasks import Task

PROJECT = "unison_engine"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def unison_register_tasks(register: Callable[[Task[Any]], None]) -> None:
    """Call `register(task)` once for every task the plugin brings."""


@hookspec
def unison_register_backends(register: Callable[[Backend], None]) -> None:
    """Call `register(backend)` once for every backend the plugin brings."""


@hookspec
def unison_register_effects(register: Callable[[Effect], None]) -> None:
    """Call `register(effect)` once for every effect the plugin brings; they are applied in that order."""


@hookspec
def unison_register_commands(register: Callable[[AnyPluginCommand], None]) -> None:
    """Call `register(command)` once for every OSC command the plugin brings."""

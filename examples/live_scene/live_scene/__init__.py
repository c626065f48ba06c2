"""An endless ambience whose prompt can be changed while it plays: a task, an effect and four OSC commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from live_scene import commands, segment
from unison_engine.hooks import hookimpl
from unison_engine.plugin_parts import AnyPluginCommand, Effect
from unison_engine.tasks import Task


@hookimpl
def unison_register_tasks(register: Callable[[Task[Any]], None]) -> None:
    """The task that makes one segment."""
    register(segment.TASK)


@hookimpl
def unison_register_effects(register: Callable[[Effect], None]) -> None:
    """The fades between segments."""
    register(segment.FADES)


@hookimpl
def unison_register_commands(register: Callable[[AnyPluginCommand], None]) -> None:
    """Start, prompt, stop, status."""
    for command in commands.COMMANDS:
        register(command)

"""A plugin whose every part fails in the way it is asked to."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from unison_engine.audio import Wave
from unison_engine.conditioning import Conditioning
from unison_engine.errors import BadArguments
from unison_engine.hooks import hookimpl
from unison_engine.plugin_parts import AnyPluginCommand, Effect, EngineAddress, PluginCommand, Sound
from unison_engine.schema import Fixed, Schema
from unison_engine.tasks import Request, Task, TaskContext

Way = Literal["no", "raise", "refuse", "quit", "exit", "crash", "hang", "none"]


def fail(way: str) -> None:
    if way == "raise":
        raise KeyError("lost")
    if way == "refuse":
        raise BadArguments("not today; ask tomorrow.")
    if way == "quit":
        sys.exit("enough")
    if way == "exit":
        os._exit(3)
    if way == "crash":
        ctypes.string_at(0)
    if way == "hang":
        threading.Event().wait()


def _picky(text: str) -> str:
    if text == "odd":
        raise LookupError("odd words are lost")
    return text


class Ways(Request):
    condition: Annotated[Way, Field(description="How the task fails."), Fixed()] = "no"
    effect: Annotated[Way, Field(description="How the effect fails."), Fixed()] = "no"
    text: Annotated[str, Field(description="Anything but odd."), AfterValidator(_picky)] = ""


class Way1(Schema):
    way: Annotated[Way, Field(description="How the command fails."), Fixed()] = "no"


def condition(request: Ways, context: TaskContext) -> Conditioning:
    fail(request.condition)
    return None if request.condition == "none" else Conditioning("[Audio] rain", 0.2)  # type: ignore[return-value]


def halve(wave: Wave, sound: Sound) -> Wave:
    if not isinstance(sound.request, Ways):
        return wave
    fail(sound.request.effect)
    return None if sound.request.effect == "none" else 0.5 * wave  # type: ignore[return-value]


def command(asked: Way1, engine: EngineAddress) -> tuple[str, int]:
    fail(asked.way)
    with engine.connect() as line:
        line.call("/unison/ping")
    return () if asked.way == "none" else (asked.way, os.getpid())  # type: ignore[return-value]


@hookimpl
def unison_register_tasks(register: Callable[[Task[Any]], None]) -> None:
    register(Task("hostile", "Fails as it is asked to.", Ways, condition))


@hookimpl
def unison_register_effects(register: Callable[[Effect], None]) -> None:
    register(Effect("halve", "Half as loud.", halve))


@hookimpl
def unison_register_commands(register: Callable[[AnyPluginCommand], None]) -> None:
    register(PluginCommand("/hostile/do", "Fails as it is asked to.", Way1, command, "s way, i process"))

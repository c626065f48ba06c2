"""The OSC commands. They run in one process of the host's, so the scene is a variable of this module."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from live_scene.scene import Scene, State
from live_scene.segment import LONGEST, SHORTEST
from unison_engine.errors import BadArguments
from unison_engine.plugin_parts import AnyPluginCommand, EngineAddress, PluginCommand
from unison_engine.schema import Fixed, Schema
from unison_engine.tasks import Text

_STATE = "s state, s prompt, i segments, s take, s error"
_scene: Scene | None = None


class Start(Schema):
    """Arguments of /live_scene/start."""

    prompt: Annotated[Text, Field(description="What is heard."), Fixed()]
    seconds: Annotated[
        float,
        Field(ge=SHORTEST, le=LONGEST, description="Length of a segment; a new prompt waits for the next."),
        Fixed(),
    ] = 6.0


class Prompt(Schema):
    """Arguments of /live_scene/prompt."""

    prompt: Annotated[Text, Field(description="What is heard from the next segment on."), Fixed()]


class Nothing(Schema):
    """A command without arguments."""


def _start(asked: Start, engine: EngineAddress) -> tuple[str | int, ...]:
    global _scene
    if _scene is not None and _scene.state is State.PLAYING:
        raise BadArguments(
            "the scene plays already; change it with /live_scene/prompt, or end it with /live_scene/stop."
        )
    _scene = Scene(engine, asked.prompt, asked.seconds)
    return _scene.told()


def _prompt(asked: Prompt, engine: EngineAddress) -> tuple[str | int, ...]:
    playing().prompt = asked.prompt
    return playing().told()


def _stop(asked: Nothing, engine: EngineAddress) -> tuple[str | int, ...]:
    playing().stop()
    return playing(False).told()


def _status(asked: Nothing, engine: EngineAddress) -> tuple[str | int, ...]:
    return _scene.told() if _scene else (State.STOPPED.value, "", 0, "", "")


def playing(must: bool = True) -> Scene:
    """The scene.

    Raises:
        BadArguments: none was started, or it has ended and `must` go on.
    """
    if _scene is None or (must and _scene.state is not State.PLAYING):
        raise BadArguments("no scene plays; begin one with /live_scene/start and a prompt.")
    return _scene


COMMANDS: tuple[AnyPluginCommand, ...] = (
    PluginCommand("/live_scene/start", "Begins an endless ambience.", Start, _start, _STATE),
    PluginCommand("/live_scene/prompt", "Changes what is heard from the next segment on.", Prompt, _prompt, _STATE),
    PluginCommand(
        "/live_scene/stop", "Lets the scene end with the segment that was handed over.", Nothing, _stop, _STATE
    ),
    PluginCommand("/live_scene/status", "How the scene goes.", Nothing, _status, _STATE),
)

"""A plugin that the panel has never heard of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from unison_engine import conditioning
from unison_engine.hooks import hookimpl
from unison_engine.tasks import Fixed, Request, Seconds, Task, Text


class BellTower(Request):
    hour: Annotated[int, Field(ge=1, le=12, description="How often the bell rings."), Fixed()]
    words: Annotated[Text, Field(description="What the bell is like."), Fixed()]
    seconds: Annotated[Seconds, Field(description="Length of the sound.")] = 3.0
    echo: Annotated[bool, Field(description="Whether the square answers.")] = False


TASK = Task(
    "bell_tower",
    "A bell that tells the hour.",
    BellTower,
    lambda request, context: conditioning.text_to_audio(f"{request.words}, {request.hour} times", request.seconds),
)


@hookimpl
def unison_register_tasks(register: Callable[[Task[Any]], None]) -> None:
    register(TASK)

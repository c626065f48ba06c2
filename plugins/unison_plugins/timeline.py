"""Sounds at given times."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from unison_engine import conditioning
from unison_engine.conditioning import Conditioning
from unison_engine.errors import BadArguments
from unison_engine.prompts import Event
from unison_engine.tasks import Fixed, IsEvents, Request, Seconds, Task, TaskContext, Text

_EVENT = re.compile(r"(?P<start>\d+(?:\.\d+)?)\s*-\s*(?P<end>\d+(?:\.\d+)?)\s+(?P<caption>\S.*)", re.DOTALL)


class Timeline(Request):
    """Request of `timeline`."""

    events: Annotated[
        Text,
        Field(description='Start and end in seconds and a caption each: "0.0-2.0 footsteps; 2.5-3.5 a door".'),
        Fixed(),
        IsEvents(),
    ]
    seconds: Annotated[Seconds, Field(description="Length of the sound."), Fixed()] = 10.0


def parse_events(text: str, seconds: float) -> list[Event]:
    """Read events written as `start-end caption; start-end caption`, in order of their start.

    Raises:
        BadArguments: an event is not written that way, ends before it starts, or lies outside 0 to `seconds`.
    """
    events = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        match = _EVENT.fullmatch(part)
        if not match:
            raise BadArguments(f'"{part}" is not an event; write it as "2.5-3.5 a door slams".')
        event = Event(float(match["start"]), float(match["end"]), match["caption"].strip())
        if not event.start < event.end <= seconds:
            raise BadArguments(f'"{part}" must end after it starts and within the {seconds:g} s of the sound.')
        events.append(event)
    if not events:
        raise BadArguments('there are no events; write them as "0.0-2.0 footsteps; 2.5-3.5 a door slams".')
    return sorted(events, key=lambda event: event.start)


def condition(request: Timeline, context: TaskContext) -> Conditioning:
    """The events told in order."""
    return conditioning.timeline(parse_events(request.events, request.seconds), request.seconds)


TASK = Task("timeline", "Sounds at given times.", Timeline, condition)

"""Commands about the transport of a DAW, which sounds can be started by."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from pydantic import Field

from unison_engine.host.calls import Call
from unison_engine.host.commands import AnyCommand, Command, Nothing
from unison_engine.host.context import Host
from unison_engine.host.osc import Message
from unison_engine.host.replies import Reply
from unison_engine.schema import Fixed, Schema, Unit

Bpm = Annotated[float, Field(ge=1.0, le=999.0, description="Tempo, beats a minute."), Unit("bpm")]
BeatsPerBar = Annotated[float, Field(ge=1.0, le=64.0, description="Beats of a bar.")]


class Follow(Schema):
    """Arguments of /unison/transport/follow."""

    source: Annotated[
        Literal["none", "osc", "reaper", "ardour", "jack"],
        Field(description="osc: /unison/transport/set. reaper, ardour: what they send to this port. jack: JACK's."),
        Fixed(),
    ]
    bpm: Annotated[Bpm, Field(description="Tempo until the source tells it.")] = 120.0
    beats_per_bar: Annotated[BeatsPerBar, Field(description="Beats of a bar until the source tells it.")] = 4.0
    rate: Annotated[int, Field(ge=8000, le=384_000, description="Hz of positions that are told in samples.")] = 48_000


class Set(Schema):
    """Arguments of /unison/transport/set."""

    seconds: Annotated[
        float,
        Field(ge=0.0, le=1e6, description="Where the transport is, now or at the bundle's time."),
        Unit("seconds"),
        Fixed(),
    ]
    bpm: Annotated[Bpm, Fixed()] = 120.0
    playing: Annotated[bool, Field(description="Whether it moves."), Fixed()] = True
    bar: Annotated[
        float | None, Field(ge=1.0, description="The bar that it is at; from the tempo alone when left out.")
    ] = None
    beats_per_bar: BeatsPerBar = 4.0


def _follow(host: Host, call: Call, asked: Follow) -> list[Message]:
    def change() -> list[Message]:
        host.player.follow(asked.source, asked.bpm, asked.beats_per_bar, float(asked.rate))
        return [call.done()]

    return host.chores.start(call, change)


def _set(host: Host, call: Call, asked: Set) -> list[Message]:
    at = call.at if call.at is not None else time.time()
    host.player.set_transport(at, asked.seconds, asked.bpm, asked.playing, asked.bar, asked.beats_per_bar)
    return [call.done()]


def _status(host: Host, call: Call, asked: Nothing) -> list[Message]:
    return [call.item(0, *host.player.transport_now())]


COMMANDS: tuple[AnyCommand, ...] = (
    Command("/unison/transport/follow", "Chooses whose transport is followed.", Follow, _follow),
    Command("/unison/transport/set", "Tells where the transport is, as often as you like.", Set, _set, timed=True),
    Command(
        "/unison/transport/status",
        "Where the transport is now.",
        Nothing,
        _status,
        Reply("/unison/item", "s source, i playing, f seconds, f bpm, f bar, f beats_per_bar"),
    ),
)

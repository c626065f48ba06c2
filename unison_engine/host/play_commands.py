"""Commands that are heard: play, stop, seek, gains."""

from __future__ import annotations

import time
from typing import Annotated

from pydantic import Field

from unison_engine.audio.deck import STOP_SECONDS
from unison_engine.audio.playback import Manner, Standing
from unison_engine.audio.sound import read_sound
from unison_engine.host.calls import Call
from unison_engine.host.commands import AnyCommand, Command, Nothing
from unison_engine.host.context import Host
from unison_engine.host.cue import Cue
from unison_engine.host.osc import Message
from unison_engine.host.replies import Reply
from unison_engine.schema import Fixed, Schema, Unit
from unison_engine.tasks import Recording

_Decibels = Annotated[float, Field(ge=-120.0, le=24.0), Unit("decibels")]
_Span = Annotated[float, Field(ge=0.0, le=600.0), Unit("seconds")]
_Number = Annotated[int, Field(ge=1, description="The playback, as /unison/play/start told it."), Fixed()]
_Fade = Annotated[float, Field(ge=0.0, le=60.0, description="How long it fades out."), Unit("seconds"), Fixed()]


class Start(Cue):
    """Arguments of /unison/play/start."""

    asset: Annotated[Recording, Field(description="A take by its id, or a file by its path."), Fixed()]
    gain_db: Annotated[_Decibels, Field(description="Gain of this playback."), Fixed()] = 0.0
    loop: Annotated[bool, Field(description="Go round until it is stopped."), Fixed()] = False
    fade_in: Annotated[_Span, Field(description="Fade from where it is entered.")] = 0.0
    fade_out: Annotated[_Span, Field(description="Fade up to its end.")] = 0.0
    crossfade: Annotated[
        _Span,
        Field(description="End laid over the beginning as it goes round, which makes a round shorter; 0 keeps it."),
    ] = 0.01
    offset: Annotated[_Span, Field(description="Where the sound is entered.")] = 0.0


class Stop(Schema):
    """Arguments of /unison/play/stop."""

    playback: _Number
    fade: _Fade = STOP_SECONDS


class StopAll(Schema):
    """Arguments of /unison/play/stop_all."""

    fade: _Fade = STOP_SECONDS


class Seek(Schema):
    """Arguments of /unison/play/seek."""

    playback: _Number
    position: Annotated[_Span, Field(description="Where it goes on."), Fixed()]


class Gain(Schema):
    """Arguments of /unison/play/gain."""

    playback: _Number
    gain_db: Annotated[_Decibels, Field(description="Gain of this playback."), Fixed()]


class Master(Schema):
    """Arguments of /unison/play/master."""

    gain_db: Annotated[_Decibels, Field(description="Gain of all that is heard."), Fixed()]


def _start(host: Host, call: Call, asked: Start) -> list[Message]:
    manner = Manner(asked.gain_db, asked.fade_in, asked.fade_out, asked.loop, asked.crossfade, asked.offset)
    path = host.library.folder / asked.asset
    name = path.stem if path.parent == host.library.folder else path.name

    def play() -> list[Message]:
        playback = host.player.play(read_sound(path, name), manner, call.at, asked)
        late = [call.late(playback.late)] if playback.late else []
        return [*late, call.done(playback.id, playback.sound.seconds)]

    return host.chores.start(call, play)


def _stop(host: Host, call: Call, asked: Stop) -> list[Message]:
    host.deck.stop(asked.playback, asked.fade)
    return [call.done()]


def _stop_all(host: Host, call: Call, asked: StopAll) -> list[Message]:
    return [call.done(host.deck.stop_all(asked.fade))]


def _seek(host: Host, call: Call, asked: Seek) -> list[Message]:
    host.deck.seek(asked.playback, asked.position)
    return [call.done()]


def _gain(host: Host, call: Call, asked: Gain) -> list[Message]:
    host.deck.set_gain(asked.playback, asked.gain_db)
    return [call.done()]


def _master(host: Host, call: Call, asked: Master) -> list[Message]:
    host.deck.master_db = asked.gain_db
    return [call.done()]


def _list(host: Host, call: Call, asked: Nothing) -> list[Message]:
    return call.items(_described(standing) for standing in host.deck.standings())


def _described(standing: Standing) -> tuple[str | int | float, ...]:
    playback = standing.playback
    ahead = max(0.0, playback.at - time.time()) if playback.at is not None and standing.state == "waiting" else 0.0
    return (
        playback.id,
        playback.sound.name[:100],
        standing.state,
        standing.position,
        playback.sound.seconds,
        playback.gain_db,
        int(playback.manner.loop),
        -1.0 if playback.waits else ahead,
    )


COMMANDS: tuple[AnyCommand, ...] = (
    Command(
        "/unison/play/start",
        "Plays a take or a file, at the time of its bundle if that lies ahead.",
        Start,
        _start,
        Reply(fields="i playback, f seconds"),
        timed=True,
    ),
    Command("/unison/play/stop", "Ends a playback.", Stop, _stop),
    Command("/unison/play/stop_all", "Ends all playbacks.", StopAll, _stop_all, Reply(fields="i count")),
    Command("/unison/play/seek", "Goes on from another place of the sound.", Seek, _seek),
    Command("/unison/play/gain", "Changes the gain of a playback.", Gain, _gain),
    Command("/unison/play/master", "Changes the gain of all that is heard.", Master, _master),
    Command(
        "/unison/play/list",
        "What plays and what waits to; `in_s` is -1 where the time is not known.",
        Nothing,
        _list,
        Reply(
            "/unison/item",
            "i playback, s asset, s state, f position, f seconds, f gain_db, i loop, f in_s",
        ),
    ),
)

"""Commands about sounds that are heard while they are made."""

from __future__ import annotations

from unison_engine.audio.stream import Stream
from unison_engine.host.calls import Call
from unison_engine.host.commands import AnyCommand, Command, Nothing
from unison_engine.host.context import Host
from unison_engine.host.osc import Message
from unison_engine.host.replies import Reply


def _stats(host: Host, call: Call, asked: Nothing) -> list[Message]:
    playbacks = [standing.playback for standing in host.deck.standings()]
    return call.items(
        (
            playback.id,
            playback.sound.name,
            playback.voice.ahead,
            len(playback.voice.samples),
            playback.underruns,
            int(playback.sound.complete),
        )
        for playback in playbacks
        if isinstance(playback.sound, Stream)
    )


COMMANDS: tuple[AnyCommand, ...] = (
    Command(
        "/unison/stream/stats",
        "The sounds that are played while they are made: frames that lie ready, of how many, and how often none did.",
        Nothing,
        _stats,
        Reply("/unison/item", "i playback, s job, i fill, i capacity, i underruns, i complete"),
    ),
)

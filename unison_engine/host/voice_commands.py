"""Commands about named voices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from unison_engine.host import osc
from unison_engine.host.calls import Call
from unison_engine.host.commands import AnyCommand, Command, Nothing
from unison_engine.host.context import Host
from unison_engine.host.osc import Message
from unison_engine.host.replies import Reply
from unison_engine.schema import Fixed, Schema
from unison_engine.tasks import FileName, Recording

VoiceName = Annotated[FileName, Field(description="What tasks call the voice."), Fixed()]


class Create(Schema):
    """Arguments of /unison/voice/create."""

    name: VoiceName
    reference: Annotated[
        Recording, Field(description="A recording of the voice; at most its first 3 s are used."), Fixed()
    ]
    transcript: Annotated[
        str,
        Field(max_length=400, description="The words spoken in it; a made line of up to 3 s knows its own."),
        Fixed(),
    ] = ""


class OneVoice(Schema):
    """Names a voice."""

    name: VoiceName


def _create(host: Host, call: Call, asked: Create) -> list[Message]:
    def keep() -> list[Message]:
        voice = host.shelf.name_voice(asked.name, Path(asked.reference), asked.transcript)
        return [call.done(voice.name, voice.reference)]

    return host.chores.start(call, keep)


def _list(host: Host, call: Call, asked: Nothing) -> list[Message]:
    voices = host.shelf.voices.all().values()
    return call.items((voice.name, voice.reference, osc.shorten(voice.transcript, 400)) for voice in voices)


def _remove(host: Host, call: Call, asked: OneVoice) -> list[Message]:
    host.shelf.voices.remove(asked.name)
    return [call.done()]


COMMANDS: tuple[AnyCommand, ...] = (
    Command(
        "/unison/voice/create",
        "Names a voice, or gives the name to another: a recording with its words.",
        Create,
        _create,
        Reply(fields="s voice, s asset"),
    ),
    Command(
        "/unison/voice/list",
        "The named voices.",
        Nothing,
        _list,
        Reply("/unison/item", "s voice, s asset, s transcript"),
    ),
    Command("/unison/voice/remove", "Forgets a voice; its recording stays.", OneVoice, _remove),
)

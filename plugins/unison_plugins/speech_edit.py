"""Insert, delete or change the speech of a recording, or clean it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from unison_engine import conditioning
from unison_engine.conditioning import Conditioning
from unison_engine.errors import BadArguments
from unison_engine.tasks import Fixed, Moment, Recording, Request, Task, TaskContext, Text
from unison_plugins.sources import edit_source
from unison_plugins.voices import SHORTEST_LINE


class SpeechEdit(Request):
    """Request of `speech_edit`."""

    source: Annotated[Recording, Field(description="The recording to edit; its length stays."), Fixed()]
    instruction: Annotated[
        Text, Field(description='What to do: Change speech to "Good night". Denoise the record.'), Fixed()
    ]
    start: Annotated[Moment, Field(description="When the quoted words begin.")] = 0.0


def condition(request: SpeechEdit, context: TaskContext) -> Conditioning:
    """The whole recording as source, the instruction as prompt.

    Raises:
        BadArguments: it quotes more than the words that are to be spoken, or they would begin behind the end.
    """
    source = edit_source(request.source, context)
    asked = conditioning.speech_edit(source, request.instruction, context.layout, request.start)
    if len(asked.lines) > 1:
        raise BadArguments("only the words that are to be spoken may stand in quotes; write the others without.")
    if asked.lines and asked.seconds - request.start < SHORTEST_LINE:
        raise BadArguments(
            f"the recording lasts {asked.seconds:.2f} s, and a line from {request.start:g} s on has no room in it; "
            f"start it at {max(0.0, asked.seconds - SHORTEST_LINE):.2f} s or earlier."
        )
    return asked


TASK = Task("speech_edit", "Insert, delete or change the speech of a recording, or clean it.", SpeechEdit, condition)

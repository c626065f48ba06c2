"""Insert, delete or change the speech of a recording, or clean it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from unison_engine import conditioning
from unison_engine.conditioning import Conditioning
from unison_engine.tasks import Fixed, Moment, Recording, Request, Task, TaskContext, Text
from unison_plugins.sources import edit_source


class SpeechEdit(Request):
    """Request of `speech_edit`."""

    source: Annotated[Recording, Field(description="The recording to edit; its length stays."), Fixed()]
    instruction: Annotated[
        Text, Field(description='What to do: Change speech to "Good night". Denoise the record.'), Fixed()
    ]
    start: Annotated[Moment, Field(description="When the quoted words begin.")] = 0.0


def condition(request: SpeechEdit, context: TaskContext) -> Conditioning:
    """The whole recording as source, the instruction as prompt."""
    source = edit_source(request.source, context)
    return conditioning.speech_edit(source, request.instruction, context.layout, request.start)


TASK = Task("speech_edit", "Insert, delete or change the speech of a recording, or clean it.", SpeechEdit, condition)

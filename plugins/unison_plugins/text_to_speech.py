"""A line spoken by a described voice."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from unison_engine import conditioning
from unison_engine.conditioning import Conditioning
from unison_engine.tasks import Fixed, IsVoice, Moment, Request, Seconds, Task, TaskContext, Text
from unison_plugins.voices import Voice, spoken_seconds


class TextToSpeech(Request):
    """Request of `text_to_speech`."""

    text: Annotated[Text, Field(description="The words to say."), Fixed()]
    voice: Annotated[Voice, Field(description="Who says them."), Fixed(), IsVoice()] = "female"
    seconds: Annotated[Seconds | None, Field(description="Length; by the length of the text when left out.")] = None
    start: Annotated[Moment, Field(description="When the line begins.")] = 0.0


def condition(request: TextToSpeech, context: TaskContext) -> Conditioning:
    """The words in quotes behind a description of the voice."""
    seconds = spoken_seconds(request.text, request.seconds, context.layout.max_seconds, request.start)
    return conditioning.text_to_speech(request.text, request.voice, seconds, request.start)


TASK = Task("text_to_speech", "A line spoken by a described voice.", TextToSpeech, condition)

"""A sound from a caption."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from unison_engine import conditioning
from unison_engine.conditioning import Conditioning
from unison_engine.tasks import Fixed, Request, Seconds, Task, TaskContext, Text


class TextToAudio(Request):
    """Request of `text_to_audio`."""

    prompt: Annotated[Text, Field(description="What is heard."), Fixed()]
    seconds: Annotated[Seconds, Field(description="Length of the sound."), Fixed()] = 5.0


def condition(request: TextToAudio, context: TaskContext) -> Conditioning:
    """The caption is all the model sees."""
    return conditioning.text_to_audio(request.prompt, request.seconds)


TASK = Task("text_to_audio", "A sound from a caption.", TextToAudio, condition)

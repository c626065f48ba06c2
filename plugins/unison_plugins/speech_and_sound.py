"""A spoken line over a background."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from unison_engine import conditioning
from unison_engine.conditioning import Conditioning
from unison_engine.tasks import Fixed, Moment, Request, Seconds, Task, TaskContext, Text
from unison_plugins.voices import Voice, spoken_seconds


class SpeechAndSound(Request):
    """Request of `speech_and_sound`."""

    text: Annotated[Text, Field(description="The words to say."), Fixed()]
    voice: Annotated[Voice, Field(description="Who says them."), Fixed()]
    background: Annotated[Text, Field(description="What is heard behind the voice."), Fixed()]
    seconds: Annotated[Seconds, Field(description="Length of the sound."), Fixed()] = 5.0
    start: Annotated[Moment, Field(description="When the line begins.")] = 0.0


def condition(request: SpeechAndSound, context: TaskContext) -> Conditioning:
    """The spoken line and the caption in one prompt."""
    seconds = spoken_seconds(request.text, request.seconds, context.layout.max_seconds, request.start)
    return conditioning.speech_and_sound(request.text, request.voice, request.background, seconds, request.start)


TASK = Task("speech_and_sound", "A spoken line over a background.", SpeechAndSound, condition)

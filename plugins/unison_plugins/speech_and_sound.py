"""A spoken line over a background."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from unison_engine import conditioning
from unison_engine.conditioning import Conditioning
from unison_engine.tasks import Fixed, Request, Seconds, Task, TaskContext, Text
from unison_plugins.voices import Voice


class SpeechAndSound(Request):
    """Request of `speech_and_sound`."""

    text: Annotated[Text, Field(description="The words to say."), Fixed()]
    voice: Annotated[Voice, Field(description="Who says them."), Fixed()]
    background: Annotated[Text, Field(description="What is heard behind the voice."), Fixed()]
    seconds: Annotated[Seconds, Field(description="Length of the sound."), Fixed()] = 5.0


def condition(request: SpeechAndSound, context: TaskContext) -> Conditioning:
    """The spoken line and the caption in one prompt."""
    return conditioning.speech_and_sound(request.text, request.voice, request.background, request.seconds)


TASK = Task("speech_and_sound", "A spoken line over a background.", SpeechAndSound, condition)

"""New words in the voice of a recording."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from unison_engine import conditioning
from unison_engine.audio import cut_reference, rms_normalise
from unison_engine.conditioning import REFERENCE_TAIL_SECONDS, Conditioning
from unison_engine.errors import TooLarge
from unison_engine.tasks import Fixed, Recording, Request, Seconds, Task, TaskContext, Text
from unison_plugins.voices import spoken_seconds


class VoiceClone(Request):
    """Request of `voice_clone`."""

    text: Annotated[Text, Field(description="The words to say."), Fixed()]
    reference: Annotated[
        Recording, Field(description="A recording of the voice; at most its first 3 s are used."), Fixed()
    ]
    transcript: Annotated[Text, Field(description="The words that are spoken in those seconds of the recording.")]
    seconds: Annotated[
        Seconds | None,
        Field(description="Length of the new speech; by the length of the text when left out."),
    ] = None


def condition(request: VoiceClone, context: TaskContext) -> Conditioning:
    """The recording stands before the new words; the engine cuts it from the result."""
    layout = context.layout
    reference = rms_normalise(cut_reference(context.audio(request.reference), layout.sample_rate))
    room = layout.max_seconds - len(reference) / layout.sample_rate - REFERENCE_TAIL_SECONDS
    seconds = spoken_seconds(request.text, request.seconds, room)
    if seconds > room:
        raise TooLarge(
            f"{seconds:g} s of new speech and {layout.max_seconds - room:.2f} s of reference are over "
            f"the {layout.max_seconds:g} s this model makes; ask for at most {room:.2f} s of it."
        )
    return conditioning.voice_clone(request.text, request.transcript, reference, seconds, layout)


TASK = Task("voice_clone", "New words in the voice of a recording.", VoiceClone, condition)

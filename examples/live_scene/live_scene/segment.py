"""One segment of the scene: it continues the last one, and both fade into each other.

Each segment ends in a fade of `FADE_SECONDS`, over which the next one fades in. What the next one continues is the
part before that fade, given to the model as a reference in the way a voice is (`voice_clone`). Both then continue the
same sound from the same moment, but not the same way, so the fades keep the power, not the amplitude.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from unison_engine import prompts
from unison_engine.audio import Wave, rms_normalise
from unison_engine.conditioning import Conditioning, Mask
from unison_engine.plugin_parts import Effect, Sound
from unison_engine.tasks import Fixed, Recording, Request, Task, TaskContext, Text

FADE_SECONDS = 1.0
REFERENCE_SECONDS = 2.0
SHORTEST, LONGEST = 4.0, 8.0


class Segment(Request):
    """Request of `live_scene_segment`."""

    prompt: Annotated[Text, Field(description="What is heard."), Fixed()]
    seconds: Annotated[float, Field(ge=SHORTEST, le=LONGEST, description="Length with both fades."), Fixed()] = 6.0
    previous: Annotated[Recording | None, Field(description="The segment before; none for the first.")] = None


def condition(request: Segment, context: TaskContext) -> Conditioning:
    """The end of the segment before, up to its fade, stands in front as a reference; the engine cuts it off again."""
    prompt = prompts.audio(request.prompt)
    if request.previous is None:
        return Conditioning(prompt, request.seconds)
    rate = context.layout.sample_rate
    end = -round(FADE_SECONDS * rate)
    tail = context.audio(request.previous)[end - round(REFERENCE_SECONDS * rate) : end]
    return Conditioning(prompt, len(tail) / rate + request.seconds, rms_normalise(tail), Mask.REFERENCE)


def fade(wave: Wave, sound: Sound) -> Wave:
    """Give a segment the level of all segments, and its fades; leave other sounds alone."""
    if not isinstance(sound.request, Segment):
        return wave
    wave = rms_normalise(wave).copy()
    ramp = equal_power(round(FADE_SECONDS * sound.context.layout.sample_rate))
    wave[: len(ramp)] *= ramp
    wave[-len(ramp) :] *= ramp[::-1]
    return wave


def equal_power(samples: int) -> Wave:
    """A rise from 0 to 1 whose square and that of its mirror image add up to 1."""
    return np.sin(0.5 * np.pi * (np.arange(samples) + 0.5) / samples).astype(np.float32)


TASK = Task("live_scene_segment", "One segment of an endless ambience.", Segment, condition)
FADES = Effect("live_scene_fades", "Level and equal-power fades of a segment of the scene.", fade)

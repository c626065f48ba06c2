"""A task is nothing but this: a prompt, a source recording, a mask over it, and a length.

Every task of training and of serving is built by the functions below, so the two cannot drift apart.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unison_engine import prompts
from unison_engine.audio import sounding
from unison_engine.layout import LatentLayout
from unison_engine.prompts import Event
from unison_engine.pronunciation import reading_seconds

REFERENCE_TAIL_SECONDS = 0.1
# Silence that speech leaves before its first sound and after its last one.
LEAD_SECONDS, TAIL_SECONDS = 0.04, 0.3


class Mask(enum.IntEnum):
    """What a frame of the source means to the network (UNISON, arXiv 2605.31530)."""

    GENERATE = 0
    EDIT = 1
    REFERENCE = 2


@dataclass(frozen=True)
class Line:
    """Words spoken from `start` to `end`, in seconds from the beginning of the sound."""

    text: str
    start: float
    end: float

    @classmethod
    def natural(cls, text: str, start: float, limit: float) -> Line:
        """At the pace of a calm reader, or as much faster as `limit` asks for."""
        seconds = reading_seconds(text)
        return cls(text, start, max(start + 0.1 * seconds, min(start + seconds, limit)))


@dataclass(frozen=True)
class Conditioning:
    """Everything the model sees of a request.

    Attributes:
        prompt: tagged text, see `unison_engine.prompts`.
        lines: what is spoken, and when; the same words as in the prompt.
        seconds: length of the sound on the model's grid; for a cloned voice the reference is part of it.
        source: [samples] float32 mono at the layout's sample rate, RMS-normalised; None stands for zeros.
        mask: GENERATE with no source, EDIT over the whole clip, REFERENCE over the source and GENERATE after it.
    """

    prompt: str
    seconds: float
    source: NDArray[np.float32] | None = None
    mask: Mask = Mask.GENERATE
    lines: tuple[Line, ...] = ()

    @property
    def reference_samples(self) -> int:
        """Samples of the reference that a cloned line follows; 0 where there is none."""
        return len(self.source) if self.mask is Mask.REFERENCE and self.source is not None else 0


def mask_frames(mask: Mask, frames: int, source_samples: int, samples: int) -> NDArray[np.float32]:
    """Mask value of every latent frame, [frames].

    A reference frame is one whose nearest sample, floor(j * samples / frames), lies in the source.
    """
    if mask is not Mask.REFERENCE:
        return np.full(frames, float(mask), dtype=np.float32)
    nearest = np.arange(frames) * samples // frames
    return np.where(nearest < source_samples, np.float32(mask), np.float32(0.0))


def text_to_audio(caption: str, seconds: float) -> Conditioning:
    """A sound from a caption."""
    return Conditioning(prompts.audio(caption), seconds)


def text_to_speech(text: str, gender: str, seconds: float, start: float = 0.0) -> Conditioning:
    """A line spoken from `start` on, in seconds; `gender` is "female" or "male"."""
    return Conditioning(prompts.speech(text, gender), seconds, lines=(_line(text, start, seconds),))


def speech_and_sound(text: str, gender: str, background: str, seconds: float, start: float = 0.0) -> Conditioning:
    """A line spoken from `start` on, in seconds, over a background."""
    lines = (_line(text, start, seconds),)
    return Conditioning(prompts.speech_over(text, gender, background), seconds, lines=lines)


def timeline(events: Sequence[Event], seconds: float) -> Conditioning:
    """Events at given times."""
    return Conditioning(prompts.timeline(events), seconds)


def voice_clone(
    text: str, transcript: str, reference: NDArray[np.float32], seconds: float, layout: LatentLayout
) -> Conditioning:
    """New words in the voice of `reference` ([samples], RMS-normalised), whose words are `transcript`.

    `seconds` is the length of the new speech; a short silence parts it from the reference.
    """
    tail = np.zeros(round(REFERENCE_TAIL_SECONDS * layout.sample_rate), dtype=np.float32)
    source = np.concatenate([reference, tail])
    begins = len(source) / layout.sample_rate
    first, end = sounding(reference, layout.sample_rate)
    said = Line(transcript, first / layout.sample_rate, end / layout.sample_rate)
    lines = (said, _line(text, begins, begins + seconds))
    return Conditioning(prompts.cloned_speech(transcript, text), begins + seconds, source, Mask.REFERENCE, lines)


def scene_edit(source: NDArray[np.float32], instruction: str, layout: LatentLayout) -> Conditioning:
    """Add, remove or replace a sound of `source` ([samples], RMS-normalised); the length stays."""
    return Conditioning(prompts.edit_scene(instruction), len(source) / layout.sample_rate, source, Mask.EDIT)


def speech_edit(
    source: NDArray[np.float32], instruction: str, layout: LatentLayout, start: float = 0.0
) -> Conditioning:
    """Insert, delete or change the speech of `source` ([samples], RMS-normalised), or clean it; the length stays.

    Words that the instruction quotes are spoken from `start` on, in seconds.
    """
    prompt, seconds = prompts.edit_speech(instruction), len(source) / layout.sample_rate
    quoted = [prompt[first:last] for first, last in prompts.spoken_spans(prompt)]
    lines = tuple(_line(text, start, seconds) for text in quoted)
    return Conditioning(prompt, seconds, source, Mask.EDIT, lines)


def _line(text: str, start: float, end: float) -> Line:
    """A line inside a stretch of sound that leaves room around it."""
    return Line.natural(text, start + LEAD_SECONDS, end - TAIL_SECONDS)

"""A training tuple on paper: which clips, where, how loud, in which room."""

from __future__ import annotations

from dataclasses import dataclass

from unison_engine.conditioning import Line, Mask


@dataclass(frozen=True)
class Placement:
    """One clip in a mix: `length` samples from `offset` of the clip, put at `start`.

    `gain` is linear and relative to an active part of RMS 0.1. The end is faded over `fade` samples and the beginning
    over at most 3 ms of them, so that attacks stay sharp; a clip that ends too early starts over.
    """

    clip: int
    offset: int
    start: int
    length: int
    gain: float
    fade: int = 0


@dataclass(frozen=True)
class Room:
    """A synthetic room: reverberation time in seconds, direct sound over tail in dB, seed of its reflections."""

    seconds: float
    direct_db: float
    seed: int


@dataclass(frozen=True)
class Recipe:
    """One training tuple before it is rendered.

    Attributes:
        prompt: what is asked for.
        samples: length of the tuple.
        target: what is heard in the target.
        source: what is heard in the source of an edit; a placement that is in both is the same sound in both.
        mask: what the source means.
        reference: samples at the front that are voice reference, its closing silence included.
        room: where everything is heard.
        gain: linear gain of the whole.
        lines: what is spoken in the target, and when; the same words as in the prompt.
    """

    prompt: str
    samples: int
    target: tuple[Placement, ...]
    source: tuple[Placement, ...] = ()
    mask: Mask = Mask.GENERATE
    reference: int = 0
    room: Room | None = None
    gain: float = 1.0
    lines: tuple[Line, ...] = ()


def decibels(gain: float) -> float:
    """Linear gain of a level difference in dB."""
    return float(10.0 ** (gain / 20.0))

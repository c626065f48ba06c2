"""The draws that recipes share: which sound, which line, where it lies, how loud, in which room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from unison_engine.conditioning import Line
from unison_engine.errors import BadArguments
from unison_train.synthesis.bank import ClipBank
from unison_train.synthesis.recipe import Placement, Room, decibels
from unison_train.synthesis.settings import Range, Synthesis

Rng = np.random.Generator
T = TypeVar("T")

TRIES = 16
_EDGE_SECONDS = 0.02
# An excerpt must have a tenth of the power that the clip has where it sounds.
_AUDIBLE = 0.1
# A sound that is asked for with a length may be so much shorter, or lose its end if it is so much longer.
_SHORTER, _LONGER = 0.9, 1.2
# A background sounds for so long, if with pauses: steps, alarms and crickets are backgrounds too.
_LASTING_SECONDS = 2.5


def choose(items: Sequence[T], rng: Rng) -> T:
    """Any of several, all as likely."""
    return items[int(rng.integers(len(items)))]


class Pieces:
    """Draws parts of recipes from a bank; lengths and places in samples.

    Args:
        bank: the clips.
        settings: levels, lengths and shares.
        max_seconds: the longest tuple.
        silent: whether the language model reads prompts without the words that are spoken.
    """

    def __init__(self, bank: ClipBank, settings: Synthesis, max_seconds: float, silent: bool) -> None:
        self.bank = bank
        self.silent = silent
        self.settings = settings
        self.rate = bank.sample_rate
        self.limit = round(max_seconds * bank.sample_rate)
        self.edge = round(_EDGE_SECONDS * bank.sample_rate)

    # Words

    def talk(self, words: Rng, sound: Rng) -> Rng:
        """The generator that spoken words are drawn with: that of the prompt, if the language model reads them."""
        return sound if self.silent else words

    def caption(self, rng: Rng, *others: str, voiceless: bool = False) -> str:
        """A caption of the bank; where possible one that shares no clip or label with the `others`."""
        captions = self._need(self.bank.voiceless if voiceless else self.bank.captions, "a sound with a caption")
        return self._unlike(captions, rng, others)

    def event(self, rng: Rng, *others: str) -> str:
        """The caption of what comes into a scene or leaves it: often of a brief sound, and at times of any."""
        if self.bank.brief and rng.random() < self.settings.brief_share:
            caption = self._unlike(self.bank.brief, rng, others)
            if not any(self._alike(caption, other) for other in others):
                return caption
        return self.caption(rng, *others)

    def background(self, rng: Rng, *others: str) -> str:
        """The caption of a sound without voices, unlike the `others`, more often than not of a steady one."""
        caption = self.caption(rng, *others, voiceless=True)
        if self.bank.steady(self.bank.by_caption[caption][0]):
            return caption
        return self.caption(rng, *others, voiceless=True)

    def line(self, rng: Rng) -> tuple[str, str]:
        """Gender and words of a line that fits into a tuple."""
        lines = self._need(self.bank.lines, "speech with transcript and gender")
        for _ in range(TRIES):
            line = choose(lines, rng)
            if self._fits(line):
                return line
        fitting = [line for line in lines if self._fits(line)]
        return choose(self._need(fitting, f"line of at most {self.limit / self.rate:g} s (max_seconds)"), rng)

    def speaker(self, rng: Rng, utterances: int = 1) -> str:
        """A speaker with at least this many utterances, if there is one."""
        speakers = self._need(self.bank.speakers, "speech with transcript and speaker")
        for _ in range(TRIES):
            speaker = choose(speakers, rng)
            if len(self.bank.by_speaker[speaker]) >= utterances:
                break
        return speaker

    def two_lines(self, rng: Rng) -> tuple[int, int]:
        """Two utterances of one speaker that fit into a tuple, with different words if possible."""
        for _ in range(TRIES):
            spoken = self.bank.by_speaker[self.speaker(rng, utterances=2)]
            first, second = choose(spoken, rng), choose(spoken, rng)
            fits = max(self.bank.samples(first), self.bank.samples(second)) <= self.limit
            if fits and self.text(first) != self.text(second):
                break
        return first, second

    def text(self, clip: int) -> str:
        """Words of an utterance."""
        return self.bank.clips[clip].transcript or ""

    def said(self, placed: Placement) -> Line:
        """The words of an utterance, from its first sound to its last."""
        first, end = self.bank.spoken(placed.clip)
        return Line(self.text(placed.clip), (placed.start + first) / self.rate, (placed.start + end) / self.rate)

    # Sounds

    def sound(self, caption: str, rng: Rng) -> int:
        """A clip that the caption describes."""
        return choose(self.bank.by_caption[caption], rng)

    def lasting(self, caption: str, samples: int, rng: Rng) -> int:
        """A clip that the caption describes and that sounds for about so long, or can be cut so; else the longest."""
        clips = self.bank.by_caption[caption]
        active = {clip: end - start for clip in clips for start, end in (self.bank.active(clip),)}
        fitting = [
            clip
            for clip, length in active.items()
            if length >= _SHORTER * samples and (self.bank.steady(clip) or length <= _LONGER * samples)
        ]
        return choose(fitting, rng) if fitting else max(clips, key=active.__getitem__)

    def utterance(self, line: tuple[str, str], rng: Rng) -> int:
        """A clip in which the line is spoken."""
        return choose(self.bank.by_line[line], rng)

    def gain(self, snr_db: Range, rng: Rng) -> float:
        """A linear gain."""
        return decibels(rng.uniform(*snr_db))

    def room(self, task: str, rng: Rng) -> Room | None:
        """A room for a share of the tuples of those sub-tasks that the settings name."""
        settings = self.settings
        wanted = rng.random() < settings.room_share
        room = Room(
            float(rng.uniform(*settings.room_seconds)),
            float(rng.uniform(*settings.room_direct_db)),
            int(rng.integers(2**31)),
        )
        return room if wanted and task in settings.room_tasks else None

    # Places

    def window(self, samples: int, rng: Rng) -> int:
        """Length of a tuple that holds `samples` of sound and some silence after it."""
        least, most = 0.1 * self.rate, 1.2 * self.rate
        if rng.random() < self.settings.long_share:
            most = max(most, self.limit - samples)
        return min(samples + round(rng.uniform(least, most)), self.limit)

    def scene_samples(self, rng: Rng, at_least: int = 0) -> int:
        """Length of a scene."""
        drawn = round(rng.uniform(*self.settings.scene_seconds) * self.rate)
        return min(max(drawn, at_least), self.limit)

    def whole(self, clip: int, start: int = 0, gain: float = 1.0) -> Placement:
        """A clip from its first sample to its last."""
        return Placement(clip, 0, start, min(self.bank.samples(clip), self.limit - start), gain)

    def within(self, clip: int, samples: int, gain: float, rng: Rng) -> Placement:
        """A sound anywhere in a mix of `samples`, whole if it fits, otherwise an audible excerpt that fills the mix."""
        start, end = self.bank.active(clip)
        length = end - start
        if length > samples:
            return Placement(clip, self.excerpt(clip, samples, rng), 0, samples, gain, self.edge)
        return Placement(clip, start, int(rng.integers(samples - length + 1)), length, gain, self.edge)

    def excerpt(self, clip: int, samples: int, rng: Rng) -> int:
        """Where an audible excerpt of `samples` starts, inside the active part of a clip that is longer."""
        start, end = self.bank.active(clip)
        loudest, best = -1.0, start
        for _ in range(TRIES):
            offset = int(rng.integers(start, max(start, end - samples) + 1))
            loudness = self.bank.loudness(clip, offset, samples)
            if loudness > loudest:
                loudest, best = loudness, offset
            if loudness >= _AUDIBLE:
                break
        return best

    def filling(self, clip: int, samples: int, gain: float, rng: Rng) -> Placement:
        """A sound from first to last sample of a mix; it starts over where it is too short."""
        if self.bank.samples(clip) > samples:
            return Placement(clip, self.excerpt(clip, samples, rng), 0, samples, gain, self.edge)
        return Placement(clip, 0, 0, samples, gain, self.edge)

    def layer(self, clip: int, samples: int, gain: float, rng: Rng) -> Placement:
        """A steady sound from first to last sample, any other somewhere in a mix of `samples`."""
        if self.bank.steady(clip):
            return self.filling(clip, samples, gain, rng)
        return self.within(clip, samples, gain, rng)

    def bed(self, samples: int, gain: float, rng: Rng, *others: str) -> Placement:
        """A background without voices, unlike the `others`: of several draws the first that lasts long enough."""
        found = -1
        for _ in range(TRIES):
            clip = self.sound(self.caption(rng, *others, voiceless=True), rng)
            if found < 0 or self._rank(clip, samples) > self._rank(found, samples):
                found = clip
            if self._rank(found, samples) == (True, samples):
                break
        return self.filling(found, samples, gain, rng)

    def scene(self, samples: int, rng: Rng, *others: str) -> tuple[Placement, ...]:
        """A background, for a share of the scenes with a second sound; neither is like the `others`."""
        bed = self.bed(samples, 1.0, rng, *others)
        if rng.random() >= self.settings.layered_share:
            return (bed,)
        caption = self.caption(rng, *others, *self.bank.clips[bed.clip].captions[:1], voiceless=True)
        second = self.layer(self.sound(caption, rng), samples, self.gain(self.settings.edit_snr_db, rng), rng)
        return bed, second

    def overheard(self, scene: tuple[Placement, ...], samples: int, rng: Rng) -> tuple[Placement, ...]:
        """A scene of `samples` in which, for a share of them, somebody speaks."""
        if not self.bank.lines or rng.random() >= self.settings.overheard_share:
            return scene
        clip = self.utterance(self.line(rng), rng)
        spare = samples - self.bank.samples(clip)
        if spare < 0:
            return scene
        gain = power_sum(scene) * self.gain(self.settings.speech_snr_db, rng)
        return (*scene, self.whole(clip, int(rng.integers(spare + 1)), gain))

    def spoken(self, clip: int, rng: Rng) -> tuple[Placement, int]:
        """A line that starts early or anywhere, and the length of the tuple around it."""
        samples = self.bank.samples(clip)
        late = rng.random() < self.settings.late_share
        spare = max(0, min(round(self.settings.lead_in_seconds * self.rate), self.limit - samples))
        start = int(rng.integers(spare + 1)) if late else 0
        return self.whole(clip, start), self.after(start + samples, rng)

    def after(self, end: int, rng: Rng) -> int:
        """Length of a tuple in which the last word ends at `end`; there is little to learn from longer silence."""
        return min(end + round(rng.uniform(0.1, 0.8) * self.rate), self.limit)

    def _rank(self, clip: int, samples: int) -> tuple[bool, int]:
        start, end = self.bank.active(clip)
        return end - start >= _LASTING_SECONDS * self.rate, min(self.bank.samples(clip), samples)

    def _unlike(self, captions: Sequence[str], rng: Rng, others: Sequence[str]) -> str:
        for _ in range(TRIES):
            caption = choose(captions, rng)
            if not any(self._alike(caption, other) for other in others):
                break
        return caption

    def _alike(self, caption: str, other: str) -> bool:
        first, second = (self.bank.clips[self.bank.by_caption[name][0]] for name in (caption, other))
        same_label = first.label is not None and first.label == second.label
        return caption == other or same_label or not set(first.captions).isdisjoint(second.captions)

    def _fits(self, line: tuple[str, str]) -> bool:
        return min(map(self.bank.samples, self.bank.by_line[line])) <= self.limit

    def _need(self, items: Sequence[T], what: str) -> Sequence[T]:
        if not items:
            raise BadArguments(f"the corpus holds no {what}; add some, or give the tasks that need it a share of 0.")
        return items


def power_sum(placements: Sequence[Placement]) -> float:
    """Linear gain of several sounds together, as their powers add."""
    return math.hypot(*(placement.gain for placement in placements))

"""What to mix for one training tuple, drawn without touching audio.

Every draw takes two generators. `words` fixes the prompt, `sound` everything that the prompt does not say (which
clip, where, how loud). Seeding `words` with a small number gives a finite set of prompts, whose language-model states
can be cached, while the sound under them never repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from unison_engine import prompts
from unison_engine.conditioning import REFERENCE_TAIL_SECONDS, Line, Mask
from unison_engine.prompts import Event
from unison_train.synthesis import instructions
from unison_train.synthesis.bank import ClipBank

GENERATION_TASKS = ("t2a_single", "t2a_mix", "t2a_timeline", "tts", "zeroshotts", "speech_audio_mix")
EDIT_TASKS = (
    "edit_add",
    "edit_remove",
    "edit_remove_add",
    "edit_speech_insert",
    "edit_speech_content",
    "speech_delete",
    "denoise",
)
TASKS = GENERATION_TASKS + EDIT_TASKS

Rng = np.random.Generator
T = TypeVar("T")


@dataclass(frozen=True)
class Placement:
    """One clip in a mix: `length` samples from `offset` of the clip, put at `start`, with a linear `gain`.

    Both edges are faded over `fade` samples; a clip that ends too early starts over.
    """

    clip: int
    offset: int
    start: int
    length: int
    gain: float
    fade: int = 0


@dataclass(frozen=True)
class Recipe:
    """One training tuple before it is rendered; `samples` is its length, `reference` that of a voice reference.

    `lines` tells what is spoken in the target, and when.
    """

    prompt: str
    samples: int
    target: tuple[Placement, ...]
    source: tuple[Placement, ...] = ()
    mask: Mask = Mask.GENERATE
    reference: int = 0
    lines: tuple[Line, ...] = ()


def decibels(gain: float) -> float:
    """Linear gain of a level difference in dB."""
    return float(10.0 ** (gain / 20.0))


class Composer:
    """Draws recipes of each sub-task of UNISON (arXiv 2605.31530) from a bank of clips."""

    def __init__(self, bank: ClipBank, max_seconds: float) -> None:
        self.bank = bank
        self.rate = bank.sample_rate
        self.limit = round(max_seconds * bank.sample_rate)
        draws = (self.sound, self.sounds_mixed, self.timeline, self.speech, self.cloned_speech, self.speech_over_sound)
        edits = (
            self.add,
            self.remove,
            self.replace,
            self.insert_speech,
            self.rewrite_speech,
            self.delete_speech,
            self.denoise,
        )
        self._draws: dict[str, Callable[[Rng, Rng], Recipe]] = dict(zip(TASKS, draws + edits, strict=True))

    def draw(self, task: str, words: Rng, sound: Rng) -> Recipe:
        """A recipe of the named sub-task."""
        return self._draws[task](words, sound)

    # Generation

    def sound(self, words: Rng, sound: Rng) -> Recipe:
        """t2a_single: one sound and its caption."""
        caption = self._caption(words)
        clip = self._sound(caption, sound)
        samples = self._window(self.bank.samples(clip), sound)
        return Recipe(prompts.audio(caption), samples, (self._fill(clip, samples, 1.0, sound),))

    def sounds_mixed(self, words: Rng, sound: Rng) -> Recipe:
        """t2a_mix: two sounds at once."""
        first, second = self._caption(words), self._caption(words)
        joiner = (" and ", " with ", ", then also ")[int(words.integers(3))]
        samples = round(sound.uniform(2.0, 5.0) * self.rate)
        layers = (
            self._fill(self._sound(first, sound), samples, 1.0, sound),
            self._fill(self._sound(second, sound), samples, decibels(sound.uniform(-3, 3)), sound),
        )
        return Recipe(prompts.audio(first + joiner + second), samples, layers)

    def timeline(self, words: Rng, sound: Rng) -> Recipe:
        """t2a_timeline: up to four sounds at stated times."""
        seconds = float(words.integers(3, 11))
        events: list[Event] = []
        placements: list[Placement] = []
        at = round(float(words.uniform(0.0, 1.0)), 1)
        while at < seconds - 0.6 and len(events) < 4:
            caption = self._caption(words)
            natural = min(self.bank.samples(clip) for clip in self.bank.by_caption[caption]) / self.rate
            length = round(min(max(0.4, float(words.uniform(0.5, 1.0)) * natural), seconds - at, 4.0), 1)
            events.append(Event(at, round(at + length, 1), caption))
            clip = self._sound(caption, sound)
            placements.append(self._place(clip, at, length, decibels(sound.uniform(-3, 3)), sound))
            at = round(at + length + float(words.choice([0.5, words.uniform(0.2, 1.5)])), 1)
        return Recipe(prompts.timeline(events), round(seconds * self.rate), tuple(placements))

    def speech(self, words: Rng, sound: Rng) -> Recipe:
        """tts: one utterance."""
        gender, text = self._line(words)
        clip = self._utterance(gender, text, sound)
        samples = self._window(self.bank.samples(clip), sound)
        placed = self._whole(clip, 0, 1.0)
        return Recipe(prompts.speech(text, gender), samples, (placed,), lines=(self._said(placed),))

    def cloned_speech(self, words: Rng, sound: Rng) -> Recipe:
        """zeroshotts: an utterance behind another one of the same speaker."""
        speaker = _choose(self.bank.speakers, words)
        said, new = _two(self.bank.by_speaker[speaker], words)
        tail = round(REFERENCE_TAIL_SECONDS * self.rate)
        reference = self.bank.samples(said) + tail
        samples = self._window(reference + self.bank.samples(new), sound)
        first, second = self._whole(said, 0, 1.0), self._whole(new, reference, 1.0)
        return Recipe(
            prompts.cloned_speech(self._text(said), self._text(new)),
            samples,
            (first, second),
            (first,),
            Mask.REFERENCE,
            reference,
            (self._said(first), self._said(second)),
        )

    def speech_over_sound(self, words: Rng, sound: Rng) -> Recipe:
        """speech_audio_mix: an utterance over a background."""
        (gender, text), background = self._line(words), self._caption(words)
        speech, samples = self._spoken(self._utterance(gender, text, sound), sound)
        bed = self._fill(self._sound(background, sound), samples, decibels(sound.uniform(-8, 0)), sound)
        lines = (self._said(speech),)
        return Recipe(prompts.speech_over(text, gender, background), samples, (speech, bed), lines=lines)

    # Scene edits

    def add(self, words: Rng, sound: Rng) -> Recipe:
        """edit_add: a scene becomes the scene with one more sound."""
        scene, event, caption = self._scene(words, sound)
        instruction = _word(instructions.ADD, words).format(x=caption)
        return self._edit(prompts.edit_scene(instruction), (scene,), (scene, event))

    def remove(self, words: Rng, sound: Rng) -> Recipe:
        """edit_remove: the other way round."""
        scene, event, caption = self._scene(words, sound)
        instruction = _word(instructions.REMOVE, words).format(x=caption)
        return self._edit(prompts.edit_scene(instruction), (scene, event), (scene,))

    def replace(self, words: Rng, sound: Rng) -> Recipe:
        """edit_remove_add: one sound of a scene gives way to another."""
        scene, old, old_caption = self._scene(words, sound)
        new_caption = self._caption(words)
        new = self._fill(self._sound(new_caption, sound), scene.length, decibels(sound.uniform(-3, 3)), sound)
        instruction = _word(instructions.REPLACE, words).format(x=old_caption, y=new_caption)
        return self._edit(prompts.edit_scene(instruction), (scene, old), (scene, new))

    # Speech edits

    def insert_speech(self, words: Rng, sound: Rng) -> Recipe:
        """edit_speech_insert: a background becomes the background with speech."""
        gender, text = self._line(words)
        speech, samples = self._spoken(self._utterance(gender, text, sound), sound)
        bed = self._bed(samples, sound)
        instruction = _word(instructions.INSERT_SPEECH, words).format(gender=gender, text=text)
        return self._edit(prompts.edit_speech(instruction), (bed,), (bed, speech), (self._said(speech),))

    def delete_speech(self, words: Rng, sound: Rng) -> Recipe:
        """speech_delete: the other way round."""
        gender, text = self._line(sound)
        speech, samples = self._spoken(self._utterance(gender, text, sound), sound)
        bed = self._bed(samples, sound)
        return self._edit(prompts.edit_speech(_word(instructions.DELETE_SPEECH, words)), (bed, speech), (bed,))

    def rewrite_speech(self, words: Rng, sound: Rng) -> Recipe:
        """edit_speech_content: the same speaker over the same background says something else."""
        old, new = _two(self.bank.by_speaker[_choose(self.bank.speakers, words)], words)
        samples = self._window(max(self.bank.samples(old), self.bank.samples(new)), sound)
        bed = self._bed(samples, sound)
        instruction = _word(instructions.REWRITE_SPEECH, words).format(text=self._text(new))
        said = self._whole(new, 0, 1.0)
        source, target = (bed, self._whole(old, 0, 1.0)), (bed, said)
        return self._edit(prompts.edit_speech(instruction), source, target, (self._said(said),))

    def denoise(self, words: Rng, sound: Rng) -> Recipe:
        """denoise: speech in noise becomes the speech alone."""
        gender, text = self._line(sound)
        speech, samples = self._spoken(self._utterance(gender, text, sound), sound)
        noise = self._fill(self._sound(self._caption(sound), sound), samples, decibels(sound.uniform(-15, 0)), sound)
        return self._edit(prompts.edit_speech(_word(instructions.DENOISE, words)), (speech, noise), (speech,))

    # Pieces

    def _edit(
        self,
        prompt: str,
        source: tuple[Placement, ...],
        target: tuple[Placement, ...],
        lines: tuple[Line, ...] = (),
    ) -> Recipe:
        samples = max(placement.start + placement.length for placement in source)
        return Recipe(prompt, samples, target, source, Mask.EDIT, lines=lines)

    def _said(self, placed: Placement) -> Line:
        """The words of an utterance, from its first sound to its last."""
        first, end = self.bank.spoken[placed.clip]
        return Line(self._text(placed.clip), (placed.start + first) / self.rate, (placed.start + end) / self.rate)

    def _caption(self, rng: Rng) -> str:
        return _choose(self.bank.captions, rng)

    def _line(self, rng: Rng) -> tuple[str, str]:
        return _choose(self.bank.lines, rng)

    def _text(self, clip: int) -> str:
        return self.bank.clips[clip].transcript or ""

    def _sound(self, caption: str, rng: Rng) -> int:
        return _choose(self.bank.by_caption[caption], rng)

    def _utterance(self, gender: str, text: str, rng: Rng) -> int:
        return _choose(self.bank.by_line[gender, text], rng)

    def _window(self, samples: int, rng: Rng) -> int:
        """Length of a clip that holds `samples` of sound and some silence after it."""
        return min(samples + round(rng.uniform(0.1, 1.2) * self.rate), self.limit)

    def _spoken(self, clip: int, rng: Rng) -> tuple[Placement, int]:
        samples = self._window(self.bank.samples(clip), rng)
        return self._whole(clip, 0, 1.0), samples

    def _whole(self, clip: int, start: int, gain: float) -> Placement:
        return Placement(clip, 0, start, min(self.bank.samples(clip), self.limit - start), gain)

    def _fill(self, clip: int, samples: int, gain: float, rng: Rng) -> Placement:
        """As much of a clip as fits; a shorter one starts anywhere that leaves it whole, most often at the front."""
        spare = samples - self.bank.samples(clip)
        if spare < 0:
            offset = int(rng.integers(0, -spare + 1))
            return Placement(clip, offset, 0, samples, gain, round(0.02 * self.rate))
        return Placement(clip, 0, 0, self.bank.samples(clip), gain)

    def _place(self, clip: int, at: float, seconds: float, gain: float, rng: Rng) -> Placement:
        length = min(round(seconds * self.rate), self.bank.samples(clip))
        return Placement(clip, 0, round(at * self.rate), length, gain, round(0.03 * self.rate))

    def _scene(self, words: Rng, sound: Rng) -> tuple[Placement, Placement, str]:
        """A scene, and an event of which only the words are fixed."""
        caption = self._caption(words)
        clip = self._sound(caption, sound)
        samples = max(self.bank.samples(clip), round(sound.uniform(1.5, 5.0) * self.rate))
        samples = min(samples, self.limit)
        scene = self._bed(samples, sound)
        event = self._fill(clip, scene.length, decibels(sound.uniform(-3, 3)), sound)
        return scene, event, caption

    def _bed(self, samples: int, rng: Rng) -> Placement:
        """A background that fills all `samples`: of several sounds drawn, the longest."""
        clips = [self._sound(self._caption(rng), rng) for _ in range(6)]
        clip = max(clips, key=self.bank.samples)
        offset = int(rng.integers(0, max(1, self.bank.samples(clip) - samples)))
        return Placement(clip, offset, 0, samples, decibels(rng.uniform(-8, 0)), round(0.02 * self.rate))


def _choose(items: Sequence[T], rng: Rng) -> T:
    return items[int(rng.integers(len(items)))]


def _two(items: Sequence[int], rng: Rng) -> tuple[int, int]:
    first, second = rng.choice(len(items), size=2, replace=False)
    return items[int(first)], items[int(second)]


def _word(wordings: Sequence[str], rng: Rng) -> str:
    return _choose(wordings, rng)

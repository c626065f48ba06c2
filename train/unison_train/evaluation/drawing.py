"""How requests were drawn: `python -m unison_train.evaluation.drawing CORPUS test|valid`, from a whole nano corpus.

Signal-to-noise ratios are those at which UNISON was tested (arXiv 2605.31530): -3 to 3 dB in edits of sounds, 0 dB for
speech over a background, 10 dB for speech in a scene.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unison_engine import prompts
from unison_engine.audio import sounding
from unison_engine.conditioning import LEAD_SECONDS, TAIL_SECONDS
from unison_engine.pronunciation import Lexicon, natural_seconds
from unison_train.corpus.foley.catalogue import JUDGED, Sound
from unison_train.corpus.manifest import Clip, read_manifest
from unison_train.evaluation.items import FILES, Item, Part, Requests, SoundStem, SpeechStem, Stem
from unison_train.evaluation.judges.tagger import RATE
from unison_train.evaluation.judges.tagger_training import variant
from unison_train.synthesis import instructions
from unison_train.synthesis.pieces import choose

COUNT = 30
# Two of each gender whom no training clip holds, in such an order that a neighbour is as often of the other gender.
CLONED = ("af_sarah", "bf_lily", "am_puck", "bm_fable")
_REFERENCE_SECONDS = (1.2, 3.0)
_LONGEST_LINE = 5.0


class Source(NamedTuple):
    """Where the randomness of a set of requests comes from.

    Attributes:
        seed: of the draws.
        variants: of sounds; the corpus counts its own from 0, the tagger from 10,000.
        readings: numbers of the readings of a voice; readings of the test split come first.
    """

    seed: int
    variants: range
    readings: range


SOURCES: dict[Requests, Source] = {
    "test": Source(44, range(1000, 5000), range(1, 22)),
    "valid": Source(47, range(5000, 10_000), range(31, 41)),
}


class Drawer:
    """Draws items from a corpus; every draw takes a new variant of a sound."""

    def __init__(self, corpus: Path, requests: Requests) -> None:
        source = SOURCES[requests]
        self.rng = np.random.default_rng(source.seed)
        self.readings: dict[str, dict[str, Clip]] = defaultdict(dict)
        for clip in sorted(read_manifest(corpus / "speech.jsonl"), key=lambda clip: clip.path):
            spoken = self.readings[clip.speaker or ""]
            fits = clip.split == requests and clip.seconds <= _LONGEST_LINE
            if fits and int(Path(clip.path).stem) in source.readings:
                spoken[clip.transcript or ""] = clip
        self.beds = [sound for sound in JUDGED if sound.shortest >= 3.0]
        self.events = [sound for sound in JUDGED if sound.shortest < 3.0]
        self._variants = iter(source.variants)

    def items(self) -> Iterator[Item]:
        """Every item of every task."""
        for kind in self.rng.permutation(len(JUDGED)):
            yield self.text_to_audio(JUDGED[kind])
        for draw in (
            self.text_to_speech,
            self.voice_clone,
            self.speech_and_sound,
            self.timeline,
            self.scene_edit,
            self.speech_edit,
            self.denoise,
        ):
            for number in range(COUNT):
                yield draw(number)

    def text_to_audio(self, sound: Sound) -> Item:
        """One sound and its caption."""
        stem = self.sound(sound, "new", seconds=4.0 if sound in self.beds else None)
        return Item(task="text_to_audio", number=0, seconds=round(stem.seconds + 0.5, 2), stems=(stem,))

    def text_to_speech(self, number: int) -> Item:
        """A sentence that one of the voices of training reads, women and men in turn."""
        clip = self.line(number, tuple(name for name in self.readings if name not in CLONED))
        return Item(task="text_to_speech", number=0, seconds=_spoken(clip), stems=(_speech(clip, "new"),))

    def voice_clone(self, number: int) -> Item:
        """Two lines of a voice that training never heard."""
        spoken = list(self.readings[CLONED[number % len(CLONED)]].values())
        short = [clip for clip in spoken if _REFERENCE_SECONDS[0] <= clip.seconds <= _REFERENCE_SECONDS[1]]
        reference = choose(short, self.rng)
        clip = choose([clip for clip in spoken if clip is not reference], self.rng)
        stems = (_speech(reference, "old"), _speech(clip, "new"))
        return Item(task="voice_clone", number=0, seconds=_spoken(clip), stems=stems)

    def speech_and_sound(self, number: int) -> Item:
        """A line over a background as loud."""
        clip = self.line(number)
        seconds = round(0.5 + max(clip.seconds, _spoken(clip)) + 0.5, 1)
        stems = (_speech(clip, "new", 0.5), self.sound(choose(self.beds, self.rng), "new", seconds=seconds))
        return Item(task="speech_and_sound", number=0, seconds=seconds, stems=stems)

    def timeline(self, number: int) -> Item:
        """Three different sounds one after another."""
        stems, at = [], float(self.rng.uniform(0.2, 1.0))
        for index in self.rng.choice(len(JUDGED), 3, replace=False):
            sound = JUDGED[index]
            lasting = round(float(self.rng.uniform(1.5, 2.2)), 1) if sound in self.beds else None
            stems.append(self.sound(sound, "new", round(at, 1), lasting))
            at = stems[-1].end + float(self.rng.uniform(0.5, 1.0))
        return Item(task="timeline", number=0, seconds=round(min(at, 10.0), 1), stems=tuple(stems))

    def scene_edit(self, number: int) -> Item:
        """A sound of a scene of five seconds is added, removed or replaced."""
        bed, (first, second) = choose(self.beds, self.rng), self.rng.choice(len(self.events), 2, replace=False)
        at, loud = round(float(self.rng.uniform(0.8, 1.8)), 1), round(float(self.rng.uniform(-3, 3)), 1)
        kept = self.sound(bed, "kept", seconds=5.0)
        old = self.sound(self.events[first], "old", at, gain=loud)
        new = self.sound(self.events[second], "new", at, gain=loud)
        wordings, stems = (
            (instructions.ADD, (kept, new)),
            (instructions.REMOVE, (kept, old)),
            (instructions.REPLACE, (kept, old, new)),
        )[number % 3]
        asked = old.caption if number % 3 else new.caption
        text = choose(wordings, self.rng).format(x=asked, y=new.caption)
        return Item(task="scene_edit", number=0, seconds=5.0, stems=stems, instruction=text)

    def speech_edit(self, number: int) -> Item:
        """A line in a scene is inserted, rewritten or deleted."""
        old = self.line(number // 3)
        new = choose([clip for clip in self.readings[old.speaker or ""].values() if clip is not old], self.rng)
        line = prompts.quote(new.transcript or "")
        wordings, clips = (
            (instructions.INSERT_SPEECH, {"new": new}),
            (instructions.REWRITE_SPEECH, {"old": old, "new": new}),
            (instructions.DELETE_SPEECH, {"old": old}),
        )[number % 3]
        text = choose(wordings, self.rng).format(gender=new.gender, line=line)
        seconds = round(1.0 + max(max(clip.seconds, _spoken(clip)) for clip in clips.values()) + 0.8, 1)
        said: list[Stem] = [_speech(clip, "new" if part == "new" else "old", 1.0) for part, clip in clips.items()]
        bed = self.sound(choose(self.beds, self.rng), "kept", seconds=seconds, gain=-10.0)
        return Item(task="speech_edit", number=0, seconds=seconds, stems=(bed, *said), instruction=text)

    def denoise(self, number: int) -> Item:
        """A line in noise of 10 to 0 dB below it."""
        clip = self.line(number)
        seconds = round(clip.seconds + 0.6, 1)
        loud = -round(float(self.rng.uniform(0, 10)), 1)
        noise = self.sound(choose(self.beds, self.rng), "old", seconds=seconds, gain=loud)
        stems = (_speech(clip, "kept", 0.3), noise)
        return Item(
            task="denoise",
            number=0,
            seconds=seconds,
            stems=stems,
            instruction=choose(instructions.DENOISE, self.rng),
        )

    def line(self, number: int, speakers: Sequence[str] = ()) -> Clip:
        """A reading, of a woman for even numbers and of a man for odd ones, with other words than its neighbours."""
        gender = ("female", "male")[number % 2]
        spoken = [clip for name in speakers or self.readings for clip in self.readings[name].values()]
        clips = [clip for clip in spoken if clip.gender == gender]
        texts = sorted({clip.transcript or "" for clip in clips})
        text = texts[(number // 2 + number % 2 * len(texts) // 2) % len(texts)]
        return choose([clip for clip in clips if clip.transcript == text], self.rng)

    def sound(
        self, sound: Sound, part: Part, start: float = 0.0, seconds: float | None = None, gain: float = 0.0
    ) -> SoundStem:
        """A new variant of a sound; its own length if none is given."""
        number = next(self._variants)
        if seconds is None:
            first, end = sounding(variant(sound, number), RATE)
            seconds = round((end - first) / RATE, 2)
        caption = choose(sound.captions, self.rng)
        return SoundStem(
            part=part, kind=sound.label, variant=number, caption=caption, seconds=seconds, start=start, gain=gain
        )


def _speech(clip: Clip, part: Part, start: float = 0.0) -> SpeechStem:
    assert clip.speaker and clip.gender and clip.transcript
    return SpeechStem(part=part, speaker=clip.speaker, gender=clip.gender, text=clip.transcript, start=start)


def _spoken(clip: Clip) -> float:
    """Seconds that the engine gives a line of which no length is asked for."""
    spoken = natural_seconds(Lexicon.english().pronounce(clip.transcript or ""))
    return round(LEAD_SECONDS + spoken + TAIL_SECONDS, 2)


def main(corpus: Path, requests: Requests) -> None:
    """Draw all items, number those of each task, and write them to their file, replaced when they are whole."""
    counted: dict[str, int] = defaultdict(int)
    rows = []
    for item in Drawer(corpus, requests).items():
        counted[item.task] += 1
        numbered = item.model_copy(update={"number": counted[item.task]})
        rows.append(numbered.model_dump_json(exclude_defaults=True) + "\n")
    file = FILES[requests]
    part = file.with_name(file.name + ".part")
    part.write_text("".join(rows), encoding="utf-8")
    part.replace(file)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in FILES:
        sys.exit("usage: python -m unison_train.evaluation.drawing CORPUS test|valid")
    main(Path(sys.argv[1]), sys.argv[2])

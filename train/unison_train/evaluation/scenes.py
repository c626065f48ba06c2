"""Items as waves: what the model is given, and what it is wanted to make of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unison_engine import conditioning
from unison_engine.audio import Wave, cut_reference, read_audio, rms_normalise, sounding
from unison_engine.conditioning import Conditioning
from unison_engine.errors import UnknownAsset
from unison_engine.layout import LatentLayout
from unison_engine.prompts import Event
from unison_train.corpus.foley.catalogue import JUDGED
from unison_train.corpus.manifest import read_manifest
from unison_train.evaluation.items import FILES, Item, Part, SoundStem, Stem
from unison_train.evaluation.judges.tagger_training import variant

_PEAK = 0.99
_SOUNDS = {sound.label: sound for sound in JUDGED}


@dataclass(frozen=True)
class Scene:
    """An item rendered at the sample rate of a model.

    Attributes:
        item: what is asked for.
        rate: Hz.
        conditioning: what the model sees.
        target: the wanted sound, [samples].
        source: the recording that is edited or whose voice is cloned, [samples].
        changed: from when to when, in seconds, source and target differ, or the engine lets a line last.
    """

    item: Item
    rate: int
    conditioning: Conditioning
    target: Wave
    source: Wave | None
    changed: tuple[tuple[float, float], ...]


class Stage:
    """Renders items at the layout of a model, with the readings of a corpus.

    Raises:
        UnknownAsset: the corpus is not there.
    """

    def __init__(self, corpus: Path, layout: LatentLayout) -> None:
        self._layout, self._corpus = layout, corpus
        clips = read_manifest(corpus / "speech.jsonl")
        self._readings = {(clip.speaker, clip.transcript): clip.path for clip in clips if clip.split in FILES}
        self._used: dict[str, str] = {}

    @property
    def readings(self) -> str:
        """SHA-256 of the readings used so far, at the layout's rate; every machine makes its own."""
        return hashlib.sha256(json.dumps(self._used, sort_keys=True).encode()).hexdigest()

    def scene(self, item: Item) -> Scene:
        """Render an item.

        Raises:
            UnknownAsset: the corpus lacks a reading.
        """
        stems = {stem: self._wave(stem) for stem in item.stems}
        seconds = [item.seconds, *(stem.start + len(wave) / self._layout.sample_rate for stem, wave in stems.items())]
        changed = tuple(
            (stem.start, stem.start + len(wave) / self._layout.sample_rate)
            for stem, wave in stems.items()
            if stem.part != "kept"
        )
        if item.task == "voice_clone":
            source, target = stems.values()
            source = rms_normalise(cut_reference(source, self._layout.sample_rate))
            return self._of(item, target, source, changed)
        if item.instruction:
            source, target = (self._mix(stems, item.seconds, parts) for parts in (("kept", "old"), ("kept", "new")))
            level = rms_normalise(source)
            scale = np.float32(np.abs(level).max() / np.abs(source).max())
            return self._of(item, target * scale, level, changed)
        target = self._mix(stems, max(seconds), ("new",))
        return self._of(item, target * np.float32(min(1.0, _PEAK / np.abs(target).max())), None, changed)

    def _of(self, item: Item, target: Wave, source: Wave | None, changed: tuple[tuple[float, float], ...]) -> Scene:
        asked = _conditioning(item, source, self._layout)
        if item.instruction:
            # The engine may give the line more time than the reading took: that is no change outside of the edit.
            changed += tuple((line.start, line.end) for line in asked.lines)
        return Scene(item, self._layout.sample_rate, asked, target, source, changed)

    def _mix(self, stems: dict[Stem, Wave], seconds: float, parts: tuple[Part, ...]) -> Wave:
        mixed = np.zeros(round(seconds * self._layout.sample_rate), np.float32)
        for stem, wave in stems.items():
            if stem.part in parts:
                start = round(stem.start * self._layout.sample_rate)
                heard = wave[: len(mixed) - start]
                mixed[start : start + len(heard)] += heard
        return mixed

    def _wave(self, stem: Stem) -> Wave:
        """A stem at its gain, from its first sound to its last."""
        rate = self._layout.sample_rate
        if isinstance(stem, SoundStem):
            sound = _SOUNDS[stem.kind]
            wave = variant(sound, stem.variant, stem.seconds if sound.shortest >= 3.0 else None, rate)
        else:
            path = self._readings.get((stem.speaker, stem.text))
            if path is None:
                raise UnknownAsset(
                    f"{self._corpus} has no reading of {stem.text!r} by {stem.speaker}; build the corpus to its end: "
                    "unison-train corpus build DIR"
                )
            wave = read_audio(self._corpus / path, rate)
            self._used[f"{stem.speaker}: {stem.text}"] = hashlib.sha256(wave.tobytes()).hexdigest()
        first, end = sounding(wave, rate)
        return rms_normalise(wave[first:end]) * np.float32(10 ** (stem.gain / 20))


def _conditioning(item: Item, source: Wave | None, layout: LatentLayout) -> Conditioning:
    """What a request of the task shows the model, by the functions that serve one."""
    old, new = item.speech("old"), item.speech("new")
    captions = [stem.caption for stem in item.sounds("new")]
    match item.task:
        case "text_to_audio":
            return conditioning.text_to_audio(captions[0], item.seconds)
        case "timeline":
            events = [Event(stem.start, min(stem.end, item.seconds), stem.caption) for stem in item.sounds("new")]
            return conditioning.timeline(events, item.seconds)
        case "text_to_speech":
            assert new is not None
            return conditioning.text_to_speech(new.text, new.gender, item.seconds)
        case "speech_and_sound":
            assert new is not None
            return conditioning.speech_and_sound(new.text, new.gender, captions[0], item.seconds, new.start)
        case "voice_clone":
            assert new is not None and old is not None and source is not None
            return conditioning.voice_clone(new.text, old.text, source, item.seconds, layout)
        case "scene_edit":
            assert source is not None
            return conditioning.scene_edit(source, item.instruction, layout)
        case "speech_edit" | "denoise":
            assert source is not None
            start = new.start if new is not None else 0.0
            return conditioning.speech_edit(source, item.instruction, layout, start)

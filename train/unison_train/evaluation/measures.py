"""What is measured in each task: one function a task, from a scene and a wave to the scores of that clip.

A floor, the model and a ceiling all go through the same function, so no number is measured in two ways.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unison_engine.audio import Wave, resample
from unison_engine.pronunciation import words
from unison_train.corpus.speech import is_held_out
from unison_train.evaluation.items import Item, SoundStem, SpeechStem, Task
from unison_train.evaluation.judges.panel import RATE, Panel
from unison_train.evaluation.judges.tagger import HEARD, KINDS, segments, strength
from unison_train.evaluation.judges.voices import similarity
from unison_train.evaluation.metrics import (
    Score,
    distance,
    energy_onsets,
    event_f1,
    onset_error,
    si_sdr,
    word_errors,
    words_understood,
)
from unison_train.evaluation.scenes import Scene

Scores = dict[str, Score]


@dataclass(frozen=True)
class Measure:
    """How a number is told: its title, its unit, and which way is better."""

    title: str
    unit: Literal["%", "dB", "ms", ""]
    better: Literal["higher", "lower"]


MEASURES = {
    "event": Measure("right kind of sound", "%", "higher"),
    "wer_base": Measure("word error rate, Whisper base", "%", "lower"),
    "wer_tiny": Measure("word error rate, Whisper tiny.en", "%", "lower"),
    "held_out": Measure("held-out words understood", "%", "higher"),
    "gender": Measure("right gender", "%", "higher"),
    "similarity": Measure("likeness of the voice", "", "higher"),
    "quality": Measure("DNSMOS", "", "higher"),
    "background": Measure("background heard", "%", "higher"),
    "event_f1": Measure("event F1 at 250 ms", "%", "higher"),
    "onset": Measure("onset error", "ms", "lower"),
    "distance": Measure("distance from the wanted sound", "dB", "lower"),
    "kept": Measure("distance outside the edit", "dB", "lower"),
    "added": Measure("added sound heard", "%", "higher"),
    "removed": Measure("removed sound gone", "%", "higher"),
    "deleted": Measure("speech deleted", "%", "higher"),
    "si_sdr": Measure("SI-SDR", "dB", "higher"),
}

FLOORS: dict[Task, str] = {
    "text_to_audio": "what the model made for another request",
    "text_to_speech": "what the model made for another request; for DNSMOS, white noise; for gender, a coin",
    "voice_clone": "a recording of another line by another person of the same gender, or of the other gender where the "
    "requests hold no such person; for DNSMOS, white noise",
    "speech_and_sound": "what the model made for another request",
    "timeline": "what the model made for another request",
    "scene_edit": "the source as it is; outside the edit, what the model made for another request",
    "speech_edit": "the source as it is; outside the edit, what the model made for another request",
    "denoise": "the source as it is",
}
"""What the floor of a task is."""


def cluster(item: Item, measure: str) -> str:
    """What a request's score of a measure hangs on; requests that have it in common are not independent.

    The voice for likeness; the sentence for all else that is measured of speech; the request itself for sounds.
    """
    line = item.speech("new") or item.speech("kept") or item.speech("old")
    if line is None or measure == "background":
        return item.name
    return line.speaker if measure == "similarity" else line.text


def judge(scene: Scene, wave: Wave, panel: Panel) -> Scores:
    """Scores of a wave [samples] at the scene's rate, as an answer to the scene's request."""
    return _JUDGES[scene.item.task](scene, wave, panel)


def _text_to_audio(scene: Scene, wave: Wave, panel: Panel) -> Scores:
    (asked,) = scene.item.sounds("new")
    heard = KINDS[int(strength(panel.tags(_heard(wave, scene))).argmax())]
    return {"event": Score(heard == asked.kind)}


def _text_to_speech(scene: Scene, wave: Wave, panel: Panel) -> Scores:
    asked, heard = _new_line(scene), _heard(wave, scene)
    right = panel.gender(heard) == asked.gender
    return {**_spoken(asked.text, heard, panel), "gender": Score(right), "quality": Score(panel.quality(heard))}


def _voice_clone(scene: Scene, wave: Wave, panel: Panel) -> Scores:
    assert scene.source is not None
    heard, reference = _heard(wave, scene), _heard(scene.source, scene)
    alike = similarity(panel.voice(heard), panel.voice(reference))
    said = _spoken(_new_line(scene).text, heard, panel)
    return {"similarity": Score(alike), **said, "quality": Score(panel.quality(heard))}


def _speech_and_sound(scene: Scene, wave: Wave, panel: Panel) -> Scores:
    heard = _heard(wave, scene)
    (background,) = scene.item.sounds("new")
    there = _is_heard(background, panel.tags(heard))
    return {**_spoken(_new_line(scene).text, heard, panel), "background": Score(there)}


def _timeline(scene: Scene, wave: Wave, panel: Panel) -> Scores:
    heard = _heard(wave, scene)
    asked = [(stem.kind, stem.start) for stem in scene.item.sounds("new")]
    late = onset_error(energy_onsets(heard, RATE), [at for _, at in asked])
    return {
        "event_f1": event_f1(segments(panel.tags(heard)), asked),
        "onset": Score(1000 * late.amount, late.weight),
    }


def _scene_edit(scene: Scene, wave: Wave, panel: Panel) -> Scores:
    tags = panel.tags(_heard(wave, scene))
    # Nothing tells when a sound that takes no other's place is to begin: at another time than here it is as right.
    timed = bool(scene.item.sounds("old")) or not scene.item.sounds("new")
    scores = _distances(scene, wave) if timed else {}
    for stem in scene.item.sounds("new"):
        scores["added"] = Score(_is_heard(stem, tags))
    for stem in scene.item.sounds("old"):
        scores["removed"] = Score(not _is_heard(stem, tags))
    return scores


def _speech_edit(scene: Scene, wave: Wave, panel: Panel) -> Scores:
    heard, new = _heard(wave, scene), scene.item.speech("new")
    scores = _distances(scene, wave)
    if new is not None:
        return {**_spoken(new.text, heard, panel), **scores}
    assert scene.source is not None
    before = panel.spoken_seconds(_heard(scene.source, scene))
    left = min(before, panel.spoken_seconds(heard))
    return {"deleted": Score(before - left, before), **scores}


def _denoise(scene: Scene, wave: Wave, panel: Panel) -> Scores:
    heard, asked = _heard(wave, scene), scene.item.speech("kept")
    assert asked is not None
    samples = min(len(wave), len(scene.target))
    return {
        "quality": Score(panel.quality(heard)),
        "si_sdr": Score(si_sdr(wave[:samples], scene.target[:samples])),
        "distance": distance(wave, scene.target, scene.rate),
        **_spoken(asked.text, heard, panel),
    }


_JUDGES: dict[Task, Callable[[Scene, Wave, Panel], Scores]] = {
    "text_to_audio": _text_to_audio,
    "text_to_speech": _text_to_speech,
    "voice_clone": _voice_clone,
    "speech_and_sound": _speech_and_sound,
    "timeline": _timeline,
    "scene_edit": _scene_edit,
    "speech_edit": _speech_edit,
    "denoise": _denoise,
}


def _heard(wave: Wave, scene: Scene) -> Wave:
    return resample(wave, scene.rate, RATE)


def _new_line(scene: Scene) -> SpeechStem:
    line = scene.item.speech("new")
    assert line is not None
    return line


def _spoken(text: str, heard: Wave, panel: Panel) -> Scores:
    """Word error rates, and the words of the text that no training clip holds."""
    written = panel.words(heard)
    unheard = [word for word in words(text) if is_held_out(word)]
    return {
        "wer_base": word_errors(text, written["base"]),
        "wer_tiny": word_errors(text, written["tiny.en"]),
        "held_out": words_understood(text, unheard, written["base"]),
    }


def _is_heard(stem: SoundStem, tags: NDArray[np.float32]) -> bool:
    return bool(strength(tags)[KINDS.index(stem.kind)] >= HEARD)


def _distances(scene: Scene, wave: Wave) -> Scores:
    return {
        "distance": distance(wave, scene.target, scene.rate),
        "kept": distance(wave, scene.target, scene.rate, scene.changed),
    }

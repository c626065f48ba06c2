from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from unison_engine.conditioning import Mask
from unison_engine.errors import BadArguments, TooLarge, UnisonError
from unison_engine.layout import LatentLayout
from unison_engine.prompts import Event
from unison_engine.registry import load_registry
from unison_engine.tasks import TaskContext
from unison_plugins.timeline import parse_events

LAYOUT = LatentLayout(sample_rate=24_000, hop=960, channels=32, max_seconds=10.0)


def recording(folder: Path, seconds: float, rate: int = 48_000) -> str:
    path = folder / f"{seconds:g}.wav"
    wave = 0.3 * np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate)
    soundfile.write(path, wave, rate)
    return str(path)


def rms(wave: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(wave.astype(np.float64) ** 2)))


def test_the_seven_tasks_are_registered() -> None:
    registry = load_registry()
    assert {
        *("text_to_audio", "text_to_speech", "voice_clone", "speech_and_sound"),
        *("scene_edit", "speech_edit", "timeline"),
    } <= registry.tasks.keys()
    assert not [plugin for plugin in registry.plugins if plugin.error]


@pytest.mark.parametrize(
    ("task", "arguments", "prompt", "seconds"),
    [
        ("text_to_audio", {"prompt": "rain", "seconds": 2}, "[Audio] rain", 2.0),
        ("text_to_speech", {"text": "Go.", "seconds": 2}, '[Speech] A female voice saying "Go."', 2.0),
        (
            "text_to_speech",
            {"text": "Go now.", "voice": "male"},
            '[Speech] A male voice saying "Go now."',
            0.04 + (0.047 + 0.156 + 0.049 + 0.047 + 0.159) + 0.3,  # Silence, G OW1, between words, N AW1, silence.
        ),
        ("text_to_speech", {"text": "go " * 90}, f'[Speech] A female voice saying "{("go " * 90).strip()}"', 10.0),
        (
            "speech_and_sound",
            {"text": "Go.", "voice": "male", "background": "rain", "seconds": 3},
            '[Speech] A male voice saying "Go." [Audio] rain',
            3.0,
        ),
        (
            "timeline",
            {"events": "2.5-3.5 a door slams; 0-2 footsteps", "seconds": 4},
            "[Audio] From 0.0s to 2.0s, footsteps. From 2.5s to 3.5s, a door slams.",
            4.0,
        ),
    ],
)
def test_words_alone(task: str, arguments: dict[str, object], prompt: str, seconds: float) -> None:
    chosen = load_registry().task(task)
    conditioning = chosen.condition(chosen.parse(arguments), TaskContext(LAYOUT))
    assert (conditioning.prompt, conditioning.source, conditioning.mask) == (prompt, None, Mask.GENERATE)
    assert conditioning.seconds == pytest.approx(seconds)


@pytest.mark.parametrize(("task", "tag"), [("scene_edit", "[Edit] [Audio]"), ("speech_edit", "[Edit] [Speech]")])
def test_edits_keep_the_length_of_their_source(tmp_path: Path, task: str, tag: str) -> None:
    chosen = load_registry().task(task)
    request = chosen.parse({"source": recording(tmp_path, 2.5), "instruction": "Add rain."})
    conditioning = chosen.condition(request, TaskContext(LAYOUT))
    assert conditioning.prompt == f"{tag} Add rain." and conditioning.mask is Mask.EDIT
    assert conditioning.seconds == 2.5 and conditioning.source is not None
    assert len(conditioning.source) == 60_000 and rms(conditioning.source) == pytest.approx(0.1, rel=1e-3)
    with pytest.raises(TooLarge, match=r"lasts 10\.50 s .* at most 10 s"):
        long = chosen.parse({"source": recording(tmp_path, 10.5), "instruction": "Add rain."})
        chosen.condition(long, TaskContext(LAYOUT))


def test_a_cloned_voice_starts_from_the_cut_reference(tmp_path: Path) -> None:
    chosen = load_registry().task("voice_clone")
    arguments = {"text": "Good night.", "reference": recording(tmp_path, 5.0), "transcript": "Hello there!"}
    conditioning = chosen.condition(chosen.parse({**arguments, "seconds": 2.0}), TaskContext(LAYOUT))
    assert conditioning.prompt == "[Speech with voice] Hello there, Good night."
    assert conditioning.mask is Mask.REFERENCE and conditioning.source is not None
    assert len(conditioning.source) == round(3.1 * 24_000) and conditioning.seconds == pytest.approx(5.1)
    assert rms(conditioning.source[: 3 * 24_000]) == pytest.approx(0.1, rel=1e-3)
    with pytest.raises(TooLarge, match=r"at most 6\.90 s"):
        chosen.condition(chosen.parse({**arguments, "seconds": 7.0}), TaskContext(LAYOUT))
    del arguments["transcript"]
    with pytest.raises(BadArguments, match="'transcript' is missing"):
        chosen.parse(arguments)


def test_events() -> None:
    assert parse_events(" 1 - 2.5  a dog; 0.0-2.0 rain, hail ;", 4.0) == [
        Event(0.0, 2.0, "rain, hail"),
        Event(1.0, 2.5, "a dog"),
    ]


@pytest.mark.parametrize("text", ["rain", "2-1 rain", "1-5 rain", "1-2", ";", "-1-2 rain", "1-1 rain"])
def test_bad_events(text: str) -> None:
    with pytest.raises(UnisonError, match='"'):
        parse_events(text, 4.0)


@pytest.mark.parametrize(
    ("task", "arguments", "seconds"),
    [
        ("text_to_speech", {"text": "Go."}, 4.0 + 0.04 + 0.047 + 0.156 + 0.3),
        ("speech_and_sound", {"text": "Go.", "voice": "male", "background": "rain", "seconds": 6}, 6.0),
    ],
)
def test_a_line_begins_when_it_is_asked_to(task: str, arguments: dict[str, object], seconds: float) -> None:
    chosen = load_registry().task(task)
    made = chosen.condition(chosen.parse({**arguments, "start": 4.0}), TaskContext(LAYOUT))
    assert [line.start for line in made.lines] == [4.04]
    assert made.seconds == pytest.approx(seconds)
    with pytest.raises(BadArguments, match=r"from 4 s on has no room in 4\.2 s of sound; start it at 3\.7 s"):
        chosen.condition(chosen.parse({**arguments, "start": 4.0, "seconds": 4.2}), TaskContext(LAYOUT))


def test_new_words_of_an_edit_begin_when_they_are_asked_to(tmp_path: Path) -> None:
    chosen = load_registry().task("speech_edit")
    asked = {"source": recording(tmp_path, 5.0), "instruction": 'Insert speech "Go."', "start": 2.0}
    made = chosen.condition(chosen.parse(asked), TaskContext(LAYOUT))
    assert [line.start for line in made.lines] == [2.04]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"instruction": 'Change "Go." to "Stop."'}, "only the words that are to be spoken"),
        ({"start": 9.0}, r"lasts 5\.00 s, and a line from 9 s on has no room in it; start it at 4\.50 s"),
    ],
)
def test_words_that_an_edit_cannot_hold_are_refused(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    chosen = load_registry().task("speech_edit")
    asked = {"source": recording(tmp_path, 5.0), "instruction": 'Insert speech "Go."', **changes}
    with pytest.raises(BadArguments, match=told):
        chosen.condition(chosen.parse(asked), TaskContext(LAYOUT))
    silent = {**asked, "instruction": "Delete the speech."}
    assert chosen.condition(chosen.parse(silent), TaskContext(LAYOUT)).lines == ()

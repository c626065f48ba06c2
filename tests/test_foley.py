from __future__ import annotations

import numpy as np
import pytest

from unison_train.corpus.foley.catalogue import CATALOGUE, JUDGED, PEAK, Sound
from unison_train.corpus.foley.dsp import RATE
from unison_train.evaluation.items import FILES, TASKS, Requests, SoundStem, read_items


@pytest.mark.parametrize("sound", CATALOGUE, ids=lambda sound: sound.label)
def test_every_sound_has_its_length_its_level_and_quiet_ends(sound: Sound) -> None:
    wave = sound.render(np.random.default_rng(1))
    assert wave.dtype == np.float32 and np.all(np.isfinite(wave))
    assert sound.shortest <= len(wave) / RATE <= sound.longest + 0.01
    assert np.abs(wave).max() == pytest.approx(PEAK, abs=1e-5)
    assert abs(wave[-1]) < 1e-6
    assert abs(float(wave.mean())) < 0.1


@pytest.mark.parametrize("sound", CATALOGUE, ids=lambda sound: sound.label)
def test_the_seed_decides_and_variants_differ(sound: Sound) -> None:
    first, again, other = (sound.render(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    length = min(len(first), len(other))
    assert not np.allclose(first[:length], other[:length], atol=1e-3)


def test_no_caption_names_two_sounds() -> None:
    captions = [caption for sound in CATALOGUE for caption in sound.captions]
    assert len(captions) == len(set(captions))


def test_no_two_sounds_have_a_label() -> None:
    assert len({sound.label for sound in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("requests", FILES)
def test_requests_ask_for_judged_kinds_alone(requests: Requests) -> None:
    items = [item for task in TASKS for item in read_items(task, requests=requests)]
    asked = {stem.kind for item in items for stem in item.stems if isinstance(stem, SoundStem)}
    assert asked <= {sound.label for sound in JUDGED}
    assert CATALOGUE[: len(JUDGED)] == JUDGED


def test_sounds_differ_in_what_is_heard() -> None:
    """The spectral centroid of light rain, a hum and a siren, in Hz."""

    def centroid(label: str) -> float:
        (sound,) = (one for one in CATALOGUE if one.label == label)
        power = np.abs(np.fft.rfft(sound.render(np.random.default_rng(3)))) ** 2
        return float((power * np.fft.rfftfreq(2 * len(power) - 2, 1 / RATE)).sum() / power.sum())

    assert centroid("hum") < 500 < centroid("siren") < 2_500 < centroid("light rain")

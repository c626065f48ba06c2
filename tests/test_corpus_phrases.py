from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from unison_train.corpus.phrases import VOCABULARY, phrases, words
from unison_train.corpus.speech import HELD_OUT, JOE, KOKORO, plan


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    return phrases(np.random.default_rng(7), 4000)


def test_sentences_are_distinct_short_and_plain(sentences: list[str]) -> None:
    assert len(set(sentences)) == len(sentences) == 4000
    for sentence in sentences:
        assert re.fullmatch(r"[a-z]+(,? [a-z]+)*\.", sentence), sentence
        assert 3 <= len(words(sentence)) <= 8, sentence


def test_every_word_of_the_closed_vocabulary_is_frequent(sentences: list[str]) -> None:
    counts = Counter(word for sentence in sentences for word in words(sentence))
    assert counts.keys() == VOCABULARY
    assert 200 <= len(VOCABULARY) <= 225
    assert min(counts.values()) >= 40, counts.most_common()[-5:]


def test_prefixes_are_balanced_too(sentences: list[str]) -> None:
    counts = Counter(word for sentence in sentences[:1000] for word in words(sentence))
    assert min(counts[word] for word in VOCABULARY) >= 9


def test_the_generator_decides_the_sentences() -> None:
    first = phrases(np.random.default_rng(1), 50)
    assert first == phrases(np.random.default_rng(1), 50)
    assert first != phrases(np.random.default_rng(2), 50)


def test_held_out_sentences_and_speakers_stay_out_of_training() -> None:
    readings = plan(sentences_per_voice=20)
    training = [one for one in readings if one.split == "train"]
    trained = {one.text for one in training}
    held_out = {one.text for one in readings if one.split != "train"}
    assert len(trained) == len(training) == 20 * sum(voice.share for voice in (JOE, *KOKORO))
    assert len(held_out) == HELD_OUT
    assert not trained & held_out
    unheard = {one.voice.name for one in readings} - {one.voice.name for one in training}
    assert unheard == {"af_sarah", "am_puck"}
    assert len({one.path for one in readings}) == len(readings)
    splits = {one.text: one.split for one in readings}
    assert all(splits[one.text] == one.split for one in readings)


def test_an_interrupted_plan_is_balanced_over_voices() -> None:
    readings = plan(sentences_per_voice=60)
    kokoro = [one.voice.name for one in readings if one.voice is not JOE]
    assert readings[0].voice is readings[-1].voice is JOE
    half = Counter(kokoro[: len(kokoro) // 2])
    assert half.keys() == {voice.name for voice in KOKORO}
    assert min(half[voice.name] for voice in KOKORO if voice.share) >= 25

from __future__ import annotations

import numpy as np
import pytest

from tests.soundfont import soundfont
from unison_engine.errors import UnknownAsset
from unison_train.corpus.foley.catalogue import CATALOGUE
from unison_train.corpus.foley.dsp import RATE
from unison_train.corpus.instruments.catalogue import DRUMS, INSTRUMENTS, Instrument
from unison_train.corpus.instruments.midi import Note, midi_file
from unison_train.corpus.instruments.render import LONGEST, PEAK, render, score
from unison_train.corpus.sounds import RECORDINGS

VARIANTS = 12
BY_LABEL = {instrument.label: instrument for instrument in INSTRUMENTS}


def test_a_score_is_a_midi_file_of_one_track() -> None:
    track = bytes.fromhex("00 ff5103 0f4240  00 c0 28  00 90 45 64  83 74 80 45 00  83 74 b0 78 00  00 ff2f00")
    header = bytes.fromhex("4d546864 00000006 0000 0001 03e8 4d54726b") + len(track).to_bytes(4, "big")
    assert midi_file([Note(0.0, 0.5, 69, 100)], [1.0], 40) == header + track


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.label)
def test_every_phrase_can_be_played_and_its_number_decides_it(instrument: Instrument) -> None:
    phrases = [score(instrument, variant) for variant in range(VARIANTS)]
    assert phrases == [score(instrument, variant) for variant in range(VARIANTS)]
    for notes in phrases:
        assert notes and all(note.start >= 0 and note.seconds > 0 for note in notes)
        assert all(0 <= note.key <= 127 and 1 <= note.velocity <= 127 for note in notes)
        assert max(note.end for note in notes) <= LONGEST
    assert all(first != second for k, first in enumerate(phrases) for second in phrases[:k])


def test_variants_are_cut_apart_where_they_begin_and_end() -> None:
    """Each wave holds its own notes: the first one's pitch, in Hz, from its first moment on."""
    violin = BY_LABEL["violin"]
    waves = render(violin, soundfont(), VARIANTS)
    assert len(waves) == VARIANTS
    for variant, wave in enumerate(waves):
        first = min(score(violin, variant), key=lambda note: note.start)
        heard = wave[: round(first.seconds * RATE)]
        spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), 8 * RATE))
        assert np.argmax(spectrum) / 8 == pytest.approx(440 * 2 ** ((first.key - 69) / 12), rel=0.02)


@pytest.mark.parametrize("instrument", (BY_LABEL["piano"], BY_LABEL["drum roll"]), ids=lambda one: one.label)
def test_renders_are_bounded_and_repeatable(instrument: Instrument) -> None:
    waves = render(instrument, soundfont(), 3)
    for wave, again in zip(waves, render(instrument, soundfont(), 3), strict=True):
        assert wave.dtype == np.float32 and np.array_equal(wave, again)
        assert 1.0 <= len(wave) / RATE <= LONGEST
        assert np.abs(wave).max() == pytest.approx(PEAK, abs=1e-5)
        assert abs(wave[-1]) < 1e-6 and abs(float(wave.mean())) < 0.01


def test_a_silent_variant_is_an_error_that_names_it() -> None:
    with pytest.raises(UnknownAsset, match=r"variant 0 of 'violin' \(program 40, keys \[\d+\]\) is silent"):
        render(BY_LABEL["violin"], soundfont(level=0.0), 1)


def test_a_caption_belongs_to_one_label() -> None:
    """In all three tables: two sounds that are worded alike must not be told apart by their labels."""
    labelled = [(sound.label, sound.captions) for sound in CATALOGUE]
    labelled += RECORDINGS.values()
    labelled += [(one.label, phrase.captions) for one in INSTRUMENTS for phrase in one.phrases]
    owner: dict[str, str] = {}
    for label, captions in labelled:
        for caption in captions:
            assert owner.setdefault(caption, label) == label, caption


def test_labels_of_instruments_differ() -> None:
    assert len(BY_LABEL) == len(INSTRUMENTS)
    assert all(instrument.drums for instrument in DRUMS)

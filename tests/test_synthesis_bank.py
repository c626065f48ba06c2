from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tests.bank import BURST, CROWD, RATE, TONES, make_bank, write_clips
from unison_engine.audio import cut_reference, read_audio, rms_normalise
from unison_engine.errors import BadArguments
from unison_train.corpus.manifest import Clip
from unison_train.synthesis.bank import ClipBank

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> ClipBank:
    return make_bank(tmp_path_factory.mktemp("clips"))


def test_waves_are_kept_in_sixteen_bits_of_one_tensor(bank: ClipBank, tmp_path: Path) -> None:
    write_clips(tmp_path)
    memory = {bank.pcm(clip).untyped_storage().data_ptr() for clip in range(len(bank.clips))}
    assert len(memory) == 1 and bank.pcm(0).dtype == torch.int16
    taken = bank.pcm(0).untyped_storage().nbytes()
    assert taken == pytest.approx(2 * RATE * sum(clip.seconds for clip in bank.clips), rel=0.02)
    for index, clip in enumerate(bank.clips):
        wanted = rms_normalise(read_audio(tmp_path / clip.path, RATE))
        assert bank.samples(index) == len(wanted)
        np.testing.assert_allclose(bank.wave(index).numpy(), wanted, atol=1e-4 * np.abs(wanted).max())


def test_what_sounds_steadily_can_be_told_from_what_does_not(bank: ClipBank) -> None:
    steady = {clip.captions[0] for index, clip in enumerate(bank.clips) if clip.captions and bank.steady(index)}
    assert steady == {"rain", "wind", "a stream", CROWD}
    burst = bank.by_caption[BURST][0]
    assert bank.loudness(burst, RATE // 2, RATE // 2) == pytest.approx(1, rel=0.01)
    assert bank.loudness(burst, 2 * RATE, RATE) == 0
    assert bank.brief == sorted(["a bell", "a click", BURST])


def test_indexes_are_sorted_and_point_at_their_clips(bank: ClipBank) -> None:
    assert bank.captions == sorted(bank.captions) and set(TONES) < set(bank.captions)
    assert bank.speakers == ["ann", "bob"] and len(bank.lines) == 8
    for (gender, text), (clip,) in bank.by_line.items():
        assert (bank.clips[clip].gender, bank.clips[clip].transcript) == (gender, text)
    assert bank.summary()["clips"] == len(bank.clips) and bank.summary()["clips_by_licence"] == {"CC0-1.0": 16}


def test_a_reference_is_cut_as_the_engine_cuts_it(tmp_path: Path) -> None:
    wave = np.random.default_rng(1).standard_normal(4 * RATE) * 0.1
    wave[round(2.7 * RATE) : round(2.8 * RATE)] = 0
    soundfile.write(tmp_path / "a.wav", wave, RATE)
    row = Clip(path="a.wav", seconds=4, transcript="hello", speaker="ann", gender="female")
    bank = ClipBank(tmp_path, [row], RATE, CPU)
    cut = len(cut_reference(rms_normalise(read_audio(tmp_path / "a.wav", RATE)), RATE))
    assert bank.reference(0) == cut and 2.7 * RATE < cut < 2.8 * RATE


def test_digital_silence_is_never_drawn(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    bank = ClipBank(tmp_path, [Clip(path="a.wav", seconds=1, captions=("nothing",))], RATE, CPU)
    assert bank.captions == [] and bank.wave(0).eq(0).all()


def test_a_row_that_is_too_short_for_its_file_is_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.ones(RATE) * 0.1, RATE)
    with pytest.raises(BadArguments, match=r"a\.wav lasts 1\.000 s, but its row says 0\.5 s"):
        ClipBank(tmp_path, [Clip(path="a.wav", seconds=0.5, captions=("x",))], RATE, CPU)

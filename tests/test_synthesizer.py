from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tests.conftest import LAYOUT
from unison_engine import conditioning
from unison_engine.bundle import find_bundle
from unison_engine.errors import BadArguments, Cancelled, TooLarge
from unison_engine.prompts import Event, timeline
from unison_engine.runtime.sampler import Sampling
from unison_engine.runtime.synthesis import PEAK, Progress, Synthesizer
from unison_engine.runtime.text import PromptTokenizer, TextClock

BELL = conditioning.text_to_audio("a bell rings", 1.23)


@pytest.fixture(scope="module")
def synthesizer(bundle: Path) -> Synthesizer:
    return Synthesizer.open(bundle, threads=1, backend="onnxruntime")


def test_a_sound_has_the_length_asked_for_and_fits_full_scale(synthesizer: Synthesizer) -> None:
    wave = synthesizer.run(BELL, seed=1)
    assert wave.shape == (round(1.23 * 24_000),)
    assert wave.dtype == np.float32
    assert 0.0 < np.abs(wave).max() <= PEAK + 1e-6


def test_the_seed_decides(synthesizer: Synthesizer) -> None:
    assert np.array_equal(synthesizer.run(BELL, seed=1), synthesizer.run(BELL, seed=1))
    assert not np.array_equal(synthesizer.run(BELL, seed=1), synthesizer.run(BELL, seed=2))


def test_pieces_on_the_way_change_nothing(synthesizer: Synthesizer) -> None:
    pieces: list[NDArray[np.float32]] = []
    wave = synthesizer.run(BELL, seed=1, listener=lambda: pieces.append)
    assert np.array_equal(wave, synthesizer.run(BELL, seed=1))
    heard = np.concatenate(pieces)
    scale = min(1.0, PEAK / float(np.abs(heard).max()))
    assert heard.shape == wave.shape and np.allclose(scale * heard, wave, atol=1e-4)


def test_the_words_the_steps_and_the_guidance_count(synthesizer: Synthesizer) -> None:
    usual = synthesizer.run(BELL, seed=1)
    for other in (
        synthesizer.run(conditioning.text_to_audio("heavy rain", 1.23), seed=1),
        synthesizer.run(BELL, seed=1, sampling=Sampling(steps=3, guidance=2.0)),
        synthesizer.run(BELL, seed=1, sampling=Sampling(steps=6, guidance=1.0)),
    ):
        assert np.abs(other - usual).max() > 1e-4


def test_guidance_inside_an_interval_of_time(synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated: list[int] = []
    step = synthesizer.step

    def counted(**inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        evaluated.append(inputs["text_mask"].shape[1])
        return step(**inputs)

    monkeypatch.setitem(vars(synthesizer), "step", counted)
    usual = Sampling(steps=6, guidance=2.0)
    always = synthesizer.sample(BELL, seed=1, sampling=usual)
    never = synthesizer.sample(BELL, seed=1, sampling=usual.model_copy(update={"guided": (2.0, 3.0)}))
    evaluated.clear()
    early = synthesizer.sample(BELL, seed=1, sampling=usual.model_copy(update={"guided": (0.5, 1.0)}))
    assert evaluated == [2, 2, 2, 1, 1, 1]  # at 1, 0.8, 0.6, 0.4, 0.2, 0.001
    plain = synthesizer.sample(BELL, seed=1, sampling=Sampling(steps=6, guidance=1.0))
    np.testing.assert_array_equal(never, plain)
    for other in (always, plain):
        assert np.abs(early - other).max() > 1e-3


def test_a_reference_is_silent_behind_its_end(synthesizer: Synthesizer) -> None:
    reference = np.full(4_800, 0.1, np.float32)
    clone = conditioning.voice_clone("hello.", "go.", reference, 1.0, LAYOUT)
    assert clone.source is not None
    frames = LAYOUT.frames(LAYOUT.samples(clone.seconds))
    mask = conditioning.mask_frames(clone.mask, frames, len(clone.source), LAYOUT.samples(clone.seconds))
    latent = synthesizer.source_latent(clone, frames, mask)
    assert np.all(latent[..., mask == 0] == 0) and np.all(np.abs(latent[..., mask == 2]).max(axis=1) > 0)


def test_progress_is_told_and_may_end_the_run(synthesizer: Synthesizer) -> None:
    told: list[Progress] = []
    synthesizer.run(BELL, seed=1, sampling=Sampling(steps=4, guidance=2.0), progress=told.append)
    assert [one.stage for one in told] == ["text", "source", *["sampling"] * 4, "decoding"]
    assert [one.step for one in told if one.stage == "sampling"] == [1, 2, 3, 4]

    def give_up(progress: Progress) -> None:
        if progress.step == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        synthesizer.run(BELL, seed=1, progress=give_up)


def test_a_prompt_read_before_is_not_read_again(synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    before = synthesizer.text("[Audio] wind")
    monkeypatch.setitem(vars(synthesizer), "language_model", None)
    np.testing.assert_array_equal(synthesizer.text("[Audio] wind").tokens, before.tokens)
    with pytest.raises(TypeError):
        synthesizer.text("[Audio] a storm")


def test_what_the_model_does_not_take_is_told(synthesizer: Synthesizer) -> None:
    with pytest.raises(TooLarge, match=r"10.5 s is longer than the 10 s"):
        synthesizer.run(conditioning.text_to_audio("wind", 10.5), seed=1)
    with pytest.raises(TooLarge, match=r"tokens, the model reads at most 128"):
        synthesizer.run(conditioning.text_to_audio("wind and " * 90, 1.0), seed=1)
    with pytest.raises(BadArguments, match="steps is 0"):
        synthesizer.run(BELL, seed=1, sampling=Sampling(steps=0, guidance=2.0))


def test_spoken_characters_have_their_time() -> None:
    file = find_bundle("nano") / "tokenizer.json"
    tokenize = PromptTokenizer(Tokenizer.from_file(str(file)), TextClock(offset=1.0, frames_per_character=2.0))
    found = tokenize('[Speech] A male voice saying "go now"')
    spoken = found.positions[found.positions >= 0]
    # "go" has its middle at character 1, " now" at 4; everything else is unspoken.
    np.testing.assert_allclose(spoken, [1 + 2 * 1.0, 1 + 2 * 4.0], atol=1.1)
    assert np.all(found.positions[found.positions < 0] == -8)
    assert len(found.positions) == found.kept == len(found.ids) - len(tokenize.prefix)


def test_what_tells_of_an_event_stands_at_its_time() -> None:
    file = find_bundle("nano") / "tokenizer.json"
    tokenize = PromptTokenizer(Tokenizer.from_file(str(file)), None, event_rate=25.0)
    told = timeline([Event(1.0, 2.0, "a bell rings"), Event(1.5, 4.0, "rain falls, 2.5 drops a second")])
    found = tokenize(told).positions
    placed = found[found >= 0]
    # Both events are spread from their start to their end, one behind the other.
    second = int(np.flatnonzero(np.diff(placed) < 0)[0]) + 1
    for part, start, end in ((placed[:second], 25.0, 50.0), (placed[second:], 37.5, 100.0)):
        assert part[0] == start and part[-1] == end
        np.testing.assert_allclose(np.diff(part), np.diff(part)[0], atol=1e-4)
    assert np.all(found[found < 0] == -8)
    assert np.all(PromptTokenizer(Tokenizer.from_file(str(file)), None)(told).positions == -8)
    assert np.all(tokenize("[Audio] a bell rings").positions == -8)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from unison_engine.conditioning import Mask
from unison_engine.layout import LatentLayout
from unison_train.config import TrainConfig
from unison_train.corpus.manifest import Clip
from unison_train.synthesis.bank import ClipBank
from unison_train.synthesis.recipes import EDIT_TASKS, TASKS, Composer, Placement, Recipe
from unison_train.synthesis.render import PEAK, render
from unison_train.tuples import TupleStream

RATE = 24_000
LAYOUT = LatentLayout(sample_rate=RATE, hop=960, channels=32, max_seconds=10.0)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> ClipBank:
    """Tones of distinct pitch: three utterances of each of two voices, and four sounds, one of them short."""
    folder = tmp_path_factory.mktemp("clips")
    clips = []
    for index in range(6):
        voice, gender = (("ann", "female"), ("bob", "male"))[index % 2]
        clips.append(_tone(folder, index, 1.0 + 0.2 * index, transcript=f"line {index}", speaker=voice, gender=gender))
    for index, caption in enumerate(["rain", "wind", "a bell", "a click"], start=6):
        clips.append(_tone(folder, index, 0.3 if caption == "a click" else 3.0, captions=(caption,)))
    return ClipBank(folder, clips, RATE, torch.device("cpu"))


def _tone(folder: Path, index: int, seconds: float, **fields: object) -> Clip:
    time = np.arange(round(seconds * RATE)) / RATE
    soundfile.write(folder / f"{index}.wav", 0.3 * np.sin(2 * np.pi * (200 + 100 * index) * time), RATE)
    return Clip.model_validate({"path": f"{index}.wav", "seconds": seconds, **fields})


@pytest.mark.parametrize("task", TASKS)
def test_every_task_renders(task: str, bank: ClipBank) -> None:
    composer = Composer(bank, LAYOUT.max_seconds)
    sound = np.random.default_rng(3)
    recipes = [composer.draw(task, np.random.default_rng(seed), sound) for seed in range(12)]
    batch = render(recipes, bank, LAYOUT)
    frames = batch.valid.shape[1]
    assert batch.target.shape == (12, frames * LAYOUT.hop) and batch.mask.shape == (12, 1, frames)
    assert batch.target.isfinite().all() and batch.target.abs().amax(1).gt(0.01).all()
    assert (batch.source is not None) == (task in EDIT_TASKS or task == "zeroshotts")
    for recipe, valid in zip(recipes, batch.valid, strict=True):
        assert int(valid.sum()) == LAYOUT.frames(recipe.samples) <= 250
    if task in EDIT_TASKS:
        assert batch.source is not None and not torch.equal(batch.source, batch.target)
        assert (batch.mask.squeeze(1)[batch.valid] == Mask.EDIT).all()
        assert all(prompt.startswith("[Edit] [") for prompt in batch.prompts)


def test_same_words_same_prompt_other_sound(bank: ClipBank) -> None:
    composer = Composer(bank, LAYOUT.max_seconds)
    drawn = [composer.draw("t2a_mix", np.random.default_rng(5), np.random.default_rng(sound)) for sound in range(8)]
    assert len({recipe.prompt for recipe in drawn}) == 1 and len({recipe.target for recipe in drawn}) == 8


def test_kept_stem_is_the_same_in_source_and_target(bank: ClipBank) -> None:
    scene, event = Placement(6, 0, 0, 2 * RATE, 0.5), Placement(8, 0, 0, RATE, 1.0)
    batch = render([Recipe("", 2 * RATE, (scene, event), (scene,), Mask.EDIT)], bank, LAYOUT)
    assert batch.source is not None
    assert batch.source.square().mean().sqrt().item() == pytest.approx(0.1, rel=1e-3)
    torch.testing.assert_close(batch.source[:, RATE + 100 :], batch.target[:, RATE + 100 :])
    gain = 0.1 / (0.5 * 0.1)  # the source is one tone of RMS 0.05, brought to 0.1
    torch.testing.assert_close(
        batch.target[0, :RATE] - batch.source[0, :RATE], gain * bank.wave(8)[:RATE], atol=1e-4, rtol=1e-3
    )


def test_reference_is_source_and_target(bank: ClipBank) -> None:
    recipe = Composer(bank, 10.0).draw("zeroshotts", np.random.default_rng(1), np.random.default_rng(2))
    batch = render([recipe], bank, LAYOUT)
    assert batch.source is not None
    torch.testing.assert_close(batch.source[0, : recipe.reference], batch.target[0, : recipe.reference])
    assert batch.source[0, recipe.reference :].eq(0).all() and batch.target[0, recipe.reference :].ne(0).any()
    marked = int((batch.mask == Mask.REFERENCE).sum())
    assert marked == -(-recipe.reference * batch.mask.shape[2] // recipe.samples)
    said, new = (placement.clip for placement in recipe.target)
    assert bank.clips[said].speaker == bank.clips[new].speaker and said != new


def test_generation_is_levelled_below_the_peak(bank: ClipBank) -> None:
    composer = Composer(bank, 10.0)
    recipes = [composer.sound(np.random.default_rng(i), np.random.default_rng(i)) for i in range(20)]
    waves = render(recipes, bank, LAYOUT).target
    assert waves.abs().max() <= PEAK + 1e-5


def test_events_lie_at_the_times_in_the_prompt(bank: ClipBank) -> None:
    composer = Composer(bank, 10.0)
    for seed in range(20):
        recipe = composer.timeline(np.random.default_rng(seed), np.random.default_rng(seed))
        for placement in recipe.target:
            assert f"From {placement.start / RATE:.1f}s to" in recipe.prompt
            assert placement.start + placement.length <= recipe.samples


def test_stream_is_seeded_resumable_and_within_budget(bank: ClipBank) -> None:
    config = TrainConfig.load("nano")
    first, second = (TupleStream(bank, LAYOUT, config) for _ in range(2))
    for step in range(4):
        task, batch = first.batch(step)
        again, same = second.batch(step)
        assert task == again and batch.prompts == same.prompts and torch.equal(batch.target, same.target)
        assert batch.mask.shape[0] * batch.mask.shape[2] <= config.run.frames_per_batch
    second.rng.bit_generator.state = first.rng.bit_generator.state
    assert first.batch(9)[1].prompts == second.batch(9)[1].prompts


def test_curriculum_starts_with_generation() -> None:
    config = TrainConfig.load("nano")
    early, late = config.shares(0), config.shares(config.run.steps - 1)
    assert not set(early) & set(EDIT_TASKS) and set(late) == set(config.tasks)
    assert sum(early.values()) == pytest.approx(1) and sum(late.values()) == pytest.approx(1)

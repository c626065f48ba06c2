from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unison_engine.conditioning import Conditioning
from unison_engine.engine import Engine, Progress, render
from unison_engine.errors import (
    BadArguments,
    Cancelled,
    ModelMissing,
    PluginFailed,
    TooLarge,
    UnknownAsset,
    UnknownTask,
)
from unison_engine.registry import load_registry
from unison_engine.takes import Take, TakeLibrary
from unison_engine.tasks import Request, Task, TaskContext
from unison_engine.testing import IDENTITY, NoiseSynthesizer


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(NoiseSynthesizer(), load_registry(), TakeLibrary(tmp_path))


def test_a_run_gives_a_take_with_its_recipe(engine: Engine) -> None:
    take = engine.run("text_to_audio", prompt="rain", seconds=1.5, seed=7, steps=3)
    assert soundfile.info(take.path).frames == 72_000 and take.seconds == 1.5
    recipe = take.recipe
    assert (recipe.task, recipe.prompt, recipe.seed) == ("text_to_audio", "[Audio] rain", 7)
    assert (recipe.steps, recipe.guidance, recipe.bundle) == (3, 3.0, "noise")
    assert recipe.request["prompt"] == "rain" and engine.library.list() == [take]


def samples(take: Take) -> bytes:
    """The audio data of a take's file, byte for byte."""
    content = take.path.read_bytes()
    return content[content.index(b"data") + 8 :]


def test_a_take_is_made_again_bit_for_bit(engine: Engine) -> None:
    first = engine.run("text_to_audio", prompt="rain", seconds=1.0, guidance=2.1, play=True, out="rain")
    same = engine.again("rain")
    assert same.id.startswith("rain-") and samples(same) == samples(first)
    assert same.recipe.parent == "rain" and same.recipe.arguments() == first.recipe.arguments()
    changed = engine.again("rain", prompt="hail", seed=3)
    assert (changed.recipe.prompt, changed.recipe.seed, changed.recipe.guidance) == ("[Audio] hail", 3, 2.1)
    assert samples(changed) != samples(first)


def test_an_edit_is_made_again_where_its_library_was_moved(engine: Engine, tmp_path: Path) -> None:
    source = engine.run("text_to_audio", prompt="door", seconds=1.0)
    edit = engine.run("scene_edit", source=source.id, instruction="Add rain.", seed=4)
    assert edit.recipe.parent == edit.recipe.request["source"] == source.id
    moved = TakeLibrary(tmp_path / "takes").folder.rename(tmp_path / "moved")
    for take in (source, edit):
        take.path.rename(moved / take.path.name)
    there = Engine(engine.synthesizer, engine.registry, TakeLibrary(moved))
    assert samples(there.again(edit.id)) == samples(there.library.get(edit.id))
    there.library.remove(source.id)
    with pytest.raises(UnknownAsset, match=source.id):
        there.again(edit.id)


def test_variations_have_seeds_of_their_own_and_one_parent(engine: Engine) -> None:
    first = engine.run("text_to_audio", prompt="rain", seconds=1.0, steps=3)
    made = engine.vary(first.id, 3, guidance=1.0)
    assert len({take.recipe.seed for take in (first, *made)}) == len({samples(take) for take in made}) + 1 == 4
    assert {(t.recipe.parent, t.recipe.steps, t.recipe.guidance) for t in made} == {(first.id, 3, 1.0)}
    assert [depth for depth, _ in engine.library.tree()] == [0, 1, 1, 1]


def test_another_bundle_does_not_claim_to_make_the_same(engine: Engine) -> None:
    first = engine.run("text_to_audio", prompt="rain", seconds=1.0)
    other = NoiseSynthesizer(bundle=dataclasses.replace(IDENTITY, hash="1" * 64))
    later = Engine(other, engine.registry, engine.library)
    with pytest.raises(ModelMissing, match=r"hash 000000000000.*hash 111111111111.*vary"):
        later.again(first.id)
    assert later.vary(first.id)[0].recipe.bundle_hash == "1" * 64


def test_the_reference_is_cut_from_a_cloned_line(engine: Engine, tmp_path: Path) -> None:
    reference = tmp_path / "voice.wav"
    soundfile.write(reference, np.full(24_000, 0.25), 24_000)
    take = engine.run("voice_clone", text="Go.", reference=str(reference), transcript="Stop.", seconds=2.0, seed=1)
    # 1 s of reference and 0.1 s of silence are 26 400 samples: 27.5 frames of 960, rounded to the even 28.
    assert soundfile.info(take.path).frames == 2 * (24_000 + 2_400 + 48_000 - 28 * 960)
    samples = soundfile.read(take.path)[0]
    assert abs(samples[0]) < 1e-4 and np.max(np.abs(samples)) < 0.2


def test_progress_reaches_the_caller_who_may_give_up(engine: Engine) -> None:
    seen: list[int] = []

    def give_up(progress: Progress) -> None:
        seen.append(progress.step)
        if progress.step == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        engine.run("text_to_audio", progress=give_up, prompt="rain")
    assert seen == [0, 1, 2] and engine.library.list() == []


def test_errors_name_what_to_mend(engine: Engine) -> None:
    with pytest.raises(UnknownTask, match="text_to_audio"):
        engine.run("text_to_odio", prompt="rain")
    with pytest.raises(BadArguments, match="'prompt' is missing"):
        engine.run("text_to_audio")
    with pytest.raises(TooLarge, match="10 s"):
        engine.run("text_to_audio", prompt="rain", seconds=11)


def test_a_fault_of_a_task_is_the_plugins() -> None:
    def condition(request: Request, context: TaskContext) -> Conditioning:
        raise KeyError("lost")

    with pytest.raises(PluginFailed, match=r"'bad' failed with KeyError.*'lost'"):
        render(Task("bad", "Fails.", Request, condition), Request(), NoiseSynthesizer())

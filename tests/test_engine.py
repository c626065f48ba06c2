from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile

from tests.noise_synthesizer import NoiseSynthesizer
from unison_engine.conditioning import Conditioning
from unison_engine.engine import Engine, Progress, render
from unison_engine.errors import BadArguments, Cancelled, PluginFailed, TooLarge, UnknownTask
from unison_engine.registry import load_registry
from unison_engine.takes import TakeLibrary
from unison_engine.tasks import Request, Task, TaskContext


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


def test_a_recipe_makes_the_same_sound_again(engine: Engine) -> None:
    first = engine.run("text_to_audio", prompt="rain", seconds=1.0)
    again = engine.run(first.recipe.task, **cast("dict[str, Any]", first.recipe.request))
    other = engine.run("text_to_audio", prompt="rain", seconds=1.0)
    assert np.array_equal(soundfile.read(first.path)[0], soundfile.read(again.path)[0])
    assert not np.array_equal(soundfile.read(first.path)[0], soundfile.read(other.path)[0])


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

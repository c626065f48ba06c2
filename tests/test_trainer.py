from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from tests.conftest import AUTOENCODER, LAYOUT, NETWORK
from tests.corpus import write_corpus
from unison_engine.errors import BadArguments, ModelMissing, UnknownAsset
from unison_train.autoencoder.model import Autoencoder
from unison_train.checkpoint import Checkpoint
from unison_train.config import TrainConfig
from unison_train.fit import load_bank
from unison_train.synthesis.bank import ClipBank
from unison_train.synthesis.recipes import EDIT_TASKS, TASKS
from unison_train.text import LanguageModel, StateCache
from unison_train.trainer import Trainer
from unison_train.tuples import TupleStream

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> ClipBank:
    return load_bank(write_corpus(tmp_path_factory.mktemp("corpus")), LAYOUT.sample_rate, CPU)


@pytest.fixture(scope="module")
def states(language_model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> StateCache:
    return StateCache(language_model, tmp_path_factory.mktemp("states"), LAYOUT.frame_rate)


def config(steps: int, **run: Any) -> TrainConfig:
    shipped = TrainConfig.load("nano").model_dump()
    shipped["run"] |= {"steps": steps, "frames_per_batch": 300, "precision": "fp32", **run}
    shipped["data"] |= {"prompts_per_task": 4}
    shipped["optimiser"] |= {"warmup_steps": 5}
    return TrainConfig.model_validate(shipped)


def trainer(bank: ClipBank, states: StateCache, out: Path, settings: TrainConfig) -> Trainer:
    torch.manual_seed(1)
    checkpoint = Checkpoint.new(NETWORK, LAYOUT, Autoencoder(AUTOENCODER), torch.Generator().manual_seed(2))
    return Trainer(checkpoint, settings, TupleStream(bank, LAYOUT, settings), states, out)


def test_a_run_that_was_killed_goes_on_to_the_bit(bank: ClipBank, states: StateCache, tmp_path: Path) -> None:
    whole = trainer(bank, states, tmp_path / "whole", config(8))
    whole.run()

    class Killed(BaseException):
        pass

    cut = trainer(bank, states, tmp_path / "cut", config(8, checkpoint_minutes=1e-9))
    step = cut.step

    def die_in_the_fifth(batch: Any) -> tuple[float, float]:
        if cut.progress.step == 4:
            raise Killed
        return step(batch)

    cut.step = die_in_the_fifth  # type: ignore[method-assign]
    with pytest.raises(Killed):
        cut.run()
    resumed = trainer(bank, states, tmp_path / "cut", config(8))
    resumed.run()
    assert resumed.progress.step == 8 and resumed.progress.tuples == whole.progress.tuples
    for name, value in whole.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], value), name
    for name in ("model.safetensors", "autoencoder.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_training_lowers_the_loss(bank: ClipBank, states: StateCache, tmp_path: Path) -> None:
    run = trainer(bank, states, tmp_path, config(60))
    run.run()
    losses = [json.loads(line)["loss"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert sum(losses[-15:]) < 0.9 * sum(losses[:15])


def test_the_checkpoint_is_the_average_and_tells_how_it_was_made(
    bank: ClipBank, states: StateCache, tmp_path: Path
) -> None:
    run = trainer(bank, states, tmp_path, config(3))
    run.run()
    saved = Checkpoint.load(tmp_path)
    assert saved.config == NETWORK and saved.layout == LAYOUT
    assert saved.record["training"]["steps"] == 3
    assert saved.record["training"]["recipe"]["run"]["seed"] == 7
    live = run.checkpoint.dit.state_dict()
    assert any(not torch.equal(value, live[name]) for name, value in saved.dit.state_dict().items())
    with pytest.raises(ModelMissing, match="unison-train run"):
        Checkpoint.load(tmp_path / "states")


@pytest.mark.parametrize("task", TASKS)
def test_every_task_gives_a_batch_that_trains(bank: ClipBank, states: StateCache, tmp_path: Path, task: str) -> None:
    settings = config(4, generation_share=0.0).model_copy(update={"tasks": {"tts": 0.0, task: 1.0}})
    stream = TupleStream(bank, LAYOUT, settings)
    drawn, batch = stream.batch(3)
    assert drawn == task
    assert batch.mask.shape[0] * batch.mask.shape[2] <= 300
    run = trainer(bank, states, tmp_path, settings)
    loss = run.loss(batch)
    assert 0.5 < float(loss.detach()) < 10
    loss.backward()


def test_every_task_is_made_to_be_heard(bank: ClipBank, states: StateCache, tmp_path: Path) -> None:
    run = trainer(bank, states, tmp_path, config(2))
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.write_samples()
    for name, value in run.network.state_dict().items():
        assert torch.equal(value, before[name]), name
    folder = tmp_path / "samples" / "000000"
    for task in TASKS:
        made, target = (soundfile.read(folder / f"{task}.{kind}.wav")[0] for kind in ("made", "target"))
        assert len(made) == len(target) and np.abs(target).max() > 0.05
        assert (folder / f"{task}.source.wav").is_file() == (task in EDIT_TASKS or task == "zeroshotts")
        assert (folder / f"{task}.txt").read_text().startswith("[")


def test_generation_comes_first(bank: ClipBank) -> None:
    settings = config(100)
    early, late = settings.shares(0), settings.shares(99)
    assert "edit_add" not in early and "edit_add" in late
    assert abs(sum(early.values()) - 1) < 1e-9 and abs(sum(late.values()) - 1) < 1e-9


@pytest.mark.parametrize(
    ("line", "changed", "told"),
    [
        ('preset = "nano"', 'preset = "nano"\nsurprise = 1', "surprise"),
        ("steps = 8600", "steps = 0", "greater than 0"),
        ("tts = 0.44", "sing = 0.44", "unknown tasks"),
        ("[tasks]", "[tasks]\nedit_add = 1.0\n[other]", "other"),
        ('preset = "nano"', "preset", "cannot be used"),
    ],
)
def test_a_recipe_is_strict(tmp_path: Path, line: str, changed: str, told: str) -> None:
    shipped = (resources.files("unison_train") / "presets" / "nano.toml").read_text()
    assert line in shipped
    (tmp_path / "mine.toml").write_text(shipped.replace(line, changed))
    with pytest.raises(BadArguments, match=told):
        TrainConfig.load(str(tmp_path / "mine.toml"))
    with pytest.raises(BadArguments, match=r"no recipe 'mega'.*nano"):
        TrainConfig.load("mega")


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    settings = TrainConfig.load("nano").optimiser
    rates = [settings.rate(step, 6000) for step in range(6001)]
    assert rates[0] == pytest.approx(settings.learning_rate / settings.warmup_steps)
    assert rates[2000] == max(rates) == settings.learning_rate
    assert rates[6000] == 0 and rates[5250] == pytest.approx(settings.learning_rate / 2)


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownAsset, match=r"speech\.jsonl does not exist"):
        load_bank([tmp_path / "speech.jsonl"], 24_000, CPU)

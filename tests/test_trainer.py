from __future__ import annotations

import dataclasses
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from tests.conftest import LAYOUT, NETWORK
from tests.corpus import write_corpus
from tests.training_run import CPU, corpus_bank, recipe, trainer
from unison_engine.errors import BadArguments, ModelMissing, UnknownAsset
from unison_train.checkpoint import Checkpoint
from unison_train.config import TrainConfig
from unison_train.fit import load_bank
from unison_train.synthesis.bank import ClipBank
from unison_train.synthesis.recipes import EDIT_TASKS, TASKS
from unison_train.text import LanguageModel, StateCache
from unison_train.trackers import NoTracker


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> ClipBank:
    return corpus_bank(write_corpus(tmp_path_factory.mktemp("corpus"))[0].parent)


@pytest.fixture(scope="module")
def states(language_model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> StateCache:
    return StateCache(language_model, tmp_path_factory.mktemp("states"), LAYOUT.frame_rate)


def test_training_lowers_the_loss(bank: ClipBank, tmp_path: Path) -> None:
    run = trainer(bank, tmp_path, recipe(steps=60))
    losses = [run.step()["loss"] for _ in range(60)]
    assert sum(losses[-15:]) < 0.9 * sum(losses[:15])


def test_a_row_of_the_log_tells_where_the_run_stands(bank: ClipBank, tmp_path: Path) -> None:
    trainer(bank, tmp_path, recipe(steps=4, batches_per_step=2)).run()
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == [1, 2, 3, 4]
    for row in log:
        assert 0 < row["synthesis_share"] < 1 and row["tuples_per_second"] > 0
        assert min(row["losses"].values()) <= row["loss"] <= max(row["losses"].values())
    assert log[3]["sound"] > log[0]["sound"] > 0 and log[3]["seconds"] > log[0]["seconds"]
    assert "text_gap" in log[3] and "text_gap" not in log[2]
    assert log[3]["held_out"].keys() == {task for task, share in recipe(steps=4).tasks.items() if share}
    assert "held_out" not in log[2]


def test_the_loss_of_held_out_clips_is_of_the_same_tuples_each_time(bank: ClipBank, tmp_path: Path) -> None:
    run = trainer(bank, tmp_path, recipe(steps=30))
    before = run._held_out_losses()
    assert run._held_out_losses() == before
    for _ in range(30):
        run.step()
    after = run._held_out_losses()
    assert after.keys() == before.keys() and all(after[task] < before[task] for task in before)


def test_the_text_gap_is_what_a_wrong_prompt_costs(bank: ClipBank, tmp_path: Path) -> None:
    run = trainer(bank, tmp_path, recipe(steps=4))
    batch = run.held_out.batch(0)[1]
    assert run.objective.text_gap(batch, 7) == 0, "an untrained network gives nothing for any prompt"
    with torch.no_grad():
        for parameter in run.network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    gap = run.objective.text_gap(batch, 7)
    assert gap != 0 and gap == run.objective.text_gap(batch, 7)
    alike = dataclasses.replace(batch, prompts=batch.prompts[:1] * len(batch.prompts))
    assert run.objective.text_gap(alike, 7) == 0


def test_a_run_stops_when_its_time_is_up_and_goes_on_from_there(bank: ClipBank, tmp_path: Path) -> None:
    first = trainer(bank, tmp_path, recipe(steps=3))
    first.run(minutes=0)
    assert first.progress.step == 1 and not (tmp_path / "samples").exists()
    trainer(bank, tmp_path, recipe(steps=3)).run()
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3
    assert len(list((tmp_path / "samples" / "000003").glob("*.png"))) == 3


def test_a_run_of_other_clips_or_tuples_is_not_gone_on_with(bank: ClipBank, tmp_path: Path) -> None:
    trainer(bank, tmp_path, recipe(steps=1)).run()
    other = trainer(bank, tmp_path, recipe(steps=2, seed=8))
    with pytest.raises(BadArguments, match="a run with other seed; go on with"):
        other.run()
    more = trainer(bank, tmp_path, recipe(steps=2))
    more.checkpoint.record["data"] = {"clips": 1}
    with pytest.raises(BadArguments, match="other clips"):
        more.run()
    longer = trainer(bank, tmp_path, recipe(steps=2))
    longer.run()
    assert longer.progress.step == 2


def test_the_checkpoint_is_the_average_and_tells_how_it_was_made(bank: ClipBank, tmp_path: Path) -> None:
    run = trainer(bank, tmp_path, recipe(steps=3))
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
    settings = recipe(steps=4, generation_share=0.0).model_copy(update={"tasks": {"tts": 0.0, task: 1.0}})
    run = trainer(bank, tmp_path, settings, states)
    drawn, batch = run.stream.batch(3)
    assert drawn == task
    assert len(batch.prompts) == 1 or batch.mask.shape[0] * batch.mask.shape[2] <= 200
    loss = run.objective.training(batch, 0.1, run.generator)
    assert 0.5 < float(loss.detach()) / int(batch.valid.sum()) < 10
    loss.backward()


def test_every_task_is_made_to_be_heard(bank: ClipBank, tmp_path: Path) -> None:
    run = trainer(bank, tmp_path, recipe(steps=2).model_copy(update={"tasks": dict.fromkeys(TASKS, 1.0)}))
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.write_samples(NoTracker())
    for name, value in run.network.state_dict().items():
        assert torch.equal(value, before[name]), name
    folder = tmp_path / "samples" / "000000"
    for task in TASKS:
        made, target = (soundfile.read(folder / f"{task}.{kind}.wav")[0] for kind in ("made", "target"))
        assert len(made) == len(target) and np.abs(target).max() > 0.05
        assert (folder / f"{task}.source.wav").is_file() == (task in EDIT_TASKS or task == "zeroshotts")
        assert (folder / f"{task}.txt").read_text().startswith("[")
        picture = np.asarray(Image.open(folder / f"{task}.png"))
        assert picture.max() == 255 and picture.shape[0] == 96 * len(list(folder.glob(f"{task}.*.wav")))


def test_generation_comes_first(bank: ClipBank) -> None:
    settings = recipe(steps=100)
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
    published = TrainConfig.load("d20s0-44k").optimiser
    rates = [published.rate(step, 100_000) for step in range(0, 100_001, 100)]
    assert max(rates) == rates[20] == published.learning_rate and rates[1000] == 0
    assert rates[510] == pytest.approx(published.learning_rate / 2), "half way between warm-up and end"
    assert rates[265] == pytest.approx(published.learning_rate * (0.5 + 0.125**0.5)), "a quarter of the way"


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownAsset, match=r"speech\.jsonl does not exist"):
        load_bank([tmp_path / "speech.jsonl"], 24_000, CPU)

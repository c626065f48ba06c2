from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.test_distributed import agree, same_files
from tests.training_run import corpus_bank, finish, launch, recipe, train_as_one_of_two, trainer
from unison_engine.errors import BadArguments
from unison_train.checkpoint import Checkpoint
from unison_train.lora import SCALE, TARGETS
from unison_train.model.denoiser import Denoiser
from unison_train.synthesis.bank import ClipBank

RANK = 3


@pytest.fixture(scope="module")
def bank(corpus: Path) -> ClipBank:
    return corpus_bank(corpus)


def weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    state = Denoiser(checkpoint.dit, checkpoint.fusion).state_dict()
    return {name.replace(".base_layer", ""): value.clone() for name, value in state.items() if ".lora_" not in name}


def test_adapters_change_nothing_until_they_have_learned(bank: ClipBank, tmp_path: Path) -> None:
    run = trainer(bank, tmp_path, recipe(lora_rank=RANK, steps=2))
    run.save()
    saved = Checkpoint.load(tmp_path)
    for name, value in weights(run.checkpoint).items():
        assert torch.equal(weights(saved)[name], value), name


def test_only_adapters_learn_and_are_saved_as_plain_weights(bank: ClipBank, tmp_path: Path) -> None:
    run = trainer(bank, tmp_path, recipe(lora_rank=RANK, steps=4))
    before = weights(run.checkpoint)
    run.run()
    for name, value in weights(run.checkpoint).items():
        assert torch.equal(value, before[name]), name
    with run._averaged():
        adapters = {name: value.clone() for name, value in run.network.state_dict().items() if ".lora_" in name}
    saved = load_file(tmp_path / "model.safetensors")
    assert saved.keys() == before.keys()
    adapted = [name for name in saved if re.fullmatch(TARGETS, name.removesuffix(".weight"))]
    assert len(adapted) == 8 * len(run.checkpoint.dit.blocks)
    for name, value in saved.items():
        expected = before[name]
        if name in adapted:
            layer = name.removesuffix(".weight")
            up, down = (adapters[f"{layer}.lora_{side}.default.weight"] for side in "BA")
            assert len(down) == RANK and up.abs().max() > 0
            expected = expected + SCALE * up @ down
            assert not torch.equal(value, before[name])
        torch.testing.assert_close(value, expected, rtol=0, atol=1e-7)


def test_merged_weights_do_what_weights_and_adapters_do(bank: ClipBank, tmp_path: Path) -> None:
    run = trainer(bank, tmp_path, recipe(lora_rank=RANK, steps=8))
    batch = run.stream.batch(0)[1]

    def loss() -> float:
        return float(run.objective.training(batch, 0.0, torch.Generator().manual_seed(5)).detach())

    untrained = loss()
    run.run()
    with run._averaged():
        beside = loss()
    run.objective.network = Denoiser(*(getattr(Checkpoint.load(tmp_path), part) for part in ("dit", "fusion")))
    assert loss() == pytest.approx(beside, rel=1e-5)
    assert abs(beside - untrained) > 1e-3 * untrained


def test_adapters_go_on_to_the_bit(bank: ClipBank, tmp_path: Path) -> None:
    settings = recipe(lora_rank=RANK, steps=5)
    trainer(bank, tmp_path / "whole", settings).run()
    cut = trainer(bank, tmp_path / "cut", settings)
    cut.run(minutes=0)
    assert 0 < cut.progress.step < 5
    trainer(bank, tmp_path / "cut", settings).run()
    same_files(tmp_path / "cut", tmp_path / "whole")


def test_a_run_goes_on_with_the_rank_that_it_began_with(bank: ClipBank, tmp_path: Path) -> None:
    trainer(bank, tmp_path, recipe(lora_rank=RANK, steps=5)).run(minutes=0)
    for rank in (0, RANK + 1):
        with pytest.raises(BadArguments, match="a run of other parameters; go on with the lora_rank"):
            trainer(bank, tmp_path, recipe(lora_rank=rank, steps=5)).run()


def test_two_processes_adapt_as_one_does(corpus: Path, bank: ClipBank, tmp_path: Path) -> None:
    run = {"lora_rank": RANK, "steps": 3, "batches_per_step": 2, "parallel": "ddp"}
    trainer(bank, tmp_path / "one", recipe(**run)).run()
    train_as_one_of_two(corpus, bank, tmp_path / "two", run)
    agree(tmp_path / "two", tmp_path / "one")


@pytest.mark.slow
def test_sharded_processes_adapt_as_one_does(corpus: Path, bank: ClipBank, tmp_path: Path) -> None:
    run = {"lora_rank": RANK, "steps": 3, "batches_per_step": 4, "checkpoint_activations": True}
    with launch(corpus, tmp_path / "two", {**run, "parallel": "fsdp"}, 2) as process:
        trainer(bank, tmp_path / "one", recipe(**run)).run()
        finish(process)
    agree(tmp_path / "two", tmp_path / "one")

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training_run import (
    CPU,
    PATIENCE,
    corpus_bank,
    finish,
    launch,
    recipe,
    train_as_one_of_two,
    trainer,
)
from unison_engine.errors import BadArguments
from unison_train.distributed import Processes, join


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in another order differ in the last bit, and the processes that are started here have one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def kill_after(process: subprocess.Popen[str], out: Path, steps: int) -> None:
    """Kill -9 of the whole process group as soon as the log tells of so many steps."""
    deadline = time.monotonic() + PATIENCE
    log = out / "log.jsonl"
    while not (log.is_file() and log.read_text().count("\n") >= steps):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"{log} has not {steps} rows after {PATIENCE} s"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE)


def same_files(one: Path, other: Path) -> None:
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    for first, second in zip(leaves(one), leaves(other), strict=True):
        assert torch.equal(first, second)


def leaves(out: Path) -> list[torch.Tensor]:
    """Weights, their average and the optimiser's moments, in a fixed order."""
    state = torch.load(out / "state.pt", weights_only=True)
    moments = state["optimiser"]["state"]
    found = [state[part][name] for part in ("network", "average") for name in sorted(state["network"])]
    return found + [moments[name][part] for name in sorted(moments) for part in ("exp_avg", "exp_avg_sq", "step")]


def test_a_run_that_was_killed_goes_on_to_the_bit(corpus: Path, tmp_path: Path) -> None:
    # A state is saved after every step, so that the kill may well fall into a save.
    run = {"steps": 30, "checkpoint_minutes": 1e-9, "batches_per_step": 2}
    with launch(corpus, tmp_path / "cut", run) as process:
        kill_after(process, tmp_path / "cut", 3)
    assert len(rows(tmp_path / "cut")) < 30
    bank = corpus_bank(corpus)
    trainer(bank, tmp_path / "whole", recipe(**{**run, "checkpoint_minutes": 60})).run()
    trainer(bank, tmp_path / "cut", recipe(**run)).run()
    same_files(tmp_path / "cut", tmp_path / "whole")
    assert [row["step"] for row in rows(tmp_path / "cut")] == list(range(1, 31))
    assert [row["loss"] for row in rows(tmp_path / "cut")] == [row["loss"] for row in rows(tmp_path / "whole")]


def test_two_processes_do_what_one_does(corpus: Path, tmp_path: Path) -> None:
    run = {"steps": 3, "batches_per_step": 2, "parallel": "ddp"}
    bank = corpus_bank(corpus)
    trainer(bank, tmp_path / "one", recipe(**run)).run()
    train_as_one_of_two(corpus, bank, tmp_path / "two", run)
    agree(tmp_path / "two", tmp_path / "one")


def agree(several: Path, one: Path) -> None:
    for row, alone in zip(rows(several), rows(one), strict=True):
        assert row["losses"] == pytest.approx(alone["losses"], rel=1e-5)
        assert row["gradient_norm"] == pytest.approx(alone["gradient_norm"], rel=1e-4)
        assert row["sound"] == alone["sound"]
    assert rows(several)[-1]["text_gap"] == pytest.approx(rows(one)[-1]["text_gap"], abs=1e-4)
    assert rows(several)[-1]["held_out"] == pytest.approx(rows(one)[-1]["held_out"], rel=1e-4)
    for value, expected in zip(leaves(several), leaves(one), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_sharded_processes_do_what_one_does(corpus: Path, tmp_path: Path) -> None:
    run = {"steps": 3, "batches_per_step": 4}
    sharded = {**run, "parallel": "fsdp", "checkpoint_activations": True}
    with launch(corpus, tmp_path / "two", sharded, 2) as process:
        trainer(corpus_bank(corpus), tmp_path / "one", recipe(**run)).run()
        finish(process)
    agree(tmp_path / "two", tmp_path / "one")


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_killed_processes_go_on_to_the_bit(corpus: Path, tmp_path: Path, parallel: str) -> None:
    run = {"steps": 30, "checkpoint_minutes": 1e-9, "batches_per_step": 2, "parallel": parallel}
    with launch(corpus, tmp_path / "whole", run, 2) as process:
        finish(process)
    with launch(corpus, tmp_path / "cut", run, 2) as process:
        kill_after(process, tmp_path / "cut", 3)
    assert len(rows(tmp_path / "cut")) < 30
    with launch(corpus, tmp_path / "cut", run, 2) as process:
        finish(process)
    same_files(tmp_path / "cut", tmp_path / "whole")


def test_batches_one_after_another_do_what_one_large_batch_does(corpus: Path, tmp_path: Path) -> None:
    """The mean is over all valid frames; a mean of the batches' means would be another number."""
    run = trainer(corpus_bank(corpus), tmp_path, recipe(steps=3, batches_per_step=3))
    drawn = [run._draw(0, index)[1] for index in range(3)]
    assert len({int(batch.valid.sum()) for batch in drawn}) > 1
    total = torch.zeros(())
    for index, batch in enumerate(drawn):
        run._draw(0, index)
        total = total + run.objective.training(batch, run.config.optimiser.text_dropout, run.generator)
    mean = total / sum(int(batch.valid.sum()) for batch in drawn)
    expected = torch.autograd.grad(mean, list(run.network.parameters()))
    row = run.step()
    assert row["loss"] == pytest.approx(mean.item(), rel=1e-5)
    norm = torch.stack([gradient.norm() for gradient in expected]).norm()
    assert row["gradient_norm"] == pytest.approx(norm.item(), rel=1e-4)
    clip = min(1.0, run.config.optimiser.gradient_clip / norm.item())
    for parameter, gradient in zip(run.network.parameters(), expected, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, gradient * clip, rtol=1e-3, atol=1e-7)


def test_recomputed_activations_change_nothing(corpus: Path, tmp_path: Path) -> None:
    bank = corpus_bank(corpus)
    kept = trainer(bank, tmp_path, recipe(steps=3))
    again = trainer(bank, tmp_path, recipe(steps=3, checkpoint_activations=True))
    for _ in range(2):
        assert kept.step()["gradient_norm"] == again.step()["gradient_norm"]
    for value, other in zip(kept.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(value, other)


@pytest.mark.slow
def test_a_compiled_network_trains_the_same_way(corpus: Path, tmp_path: Path) -> None:
    bank = corpus_bank(corpus)
    plain, compiled = (trainer(bank, tmp_path, recipe(steps=9, compile=compile)) for compile in (False, True))
    for _ in range(3):
        expected = plain.step()
        row = compiled.step()
        assert row["loss"] == pytest.approx(expected["loss"], rel=1e-4)
        assert row["gradient_norm"] == pytest.approx(expected["gradient_norm"], rel=1e-3)
    compiled.save()
    assert list(compiled.network.state_dict()) == list(plain.network.state_dict())


def test_processes_that_cannot_share_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadArguments, match="batches_per_step is 3, which 2 processes do not divide"):
        Processes(CPU, 0, 2).share(3)
    assert [list(Processes(CPU, rank, 2).share(4)) for rank in (0, 1)] == [[0, 2], [1, 3]]
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadArguments, match="there are 2 processes"), join(recipe(parallel="none").run, CPU):
        pass

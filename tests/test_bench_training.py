"""What `benchmarks/bench_training.py` counts, on the smallest network."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.bench_training import PARTS, Measured, measure, report
from tests.corpus import write_corpus
from tests.training_run import corpus_bank, recipe, trainer
from unison_train.trainer import Trainer


@pytest.fixture
def run(tmp_path: Path) -> Trainer:
    return trainer(corpus_bank(write_corpus(tmp_path / "corpus")[0].parent), tmp_path / "run", recipe(steps=9))


def test_the_same_steps_draw_the_same_batches(run: Trainer) -> None:
    first, again, later = (measure(run, number, 3) for number in (2, 2, 5))
    assert again.sound == pytest.approx(first.sound) and again.tuples == first.tuples
    assert later.sound != pytest.approx(first.sound)


def test_every_part_is_counted_anew_and_they_fit_into_the_step(run: Trainer) -> None:
    measure(run, 0, 3)
    found = measure(run, 3, 1)
    assert min(found.parts.values()) > 0
    assert sum(found.parts.values()) <= found.seconds


def test_the_table_tells_throughput_and_shares(run: Trainer, capsys: pytest.CaptureFixture[str]) -> None:
    report({"known prompts": Measured(4, 8.0, 80.0, 40, dict.fromkeys(PARTS, 1.0))}, run, 0.0)
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    values = dict(row for row in rows if len(row) == 2)
    assert values["seconds a step"] == "2.000"
    assert values["seconds of sound a second"] == "10.0" and values["tuples a second"] == "5.0"
    assert {values[part] for part in PARTS} == {"12.5 %"} and values["the rest"] == "25.0 %"

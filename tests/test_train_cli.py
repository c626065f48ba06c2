"""What `unison-train` refuses before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from unison_engine.errors import BadArguments
from unison_train.cli import app

RUN = ["run", "--corpus", "corpus", "--start", "start", "--out", "out"]
FINETUNE = ["finetune", "--clips", "clips.jsonl", "--start", "start", "--out", "out"]


@pytest.mark.parametrize(
    "command",
    [
        ["corpus", "build", "out", "--workers", "0"],
        ["corpus", "build", "out", "--sentences", "-1"],
        ["corpus", "shard", "corpus", "out", "--seed", "-1"],
        ["autoencoder", "--corpus", "corpus", "--out", "out", "--steps", "0"],
        [*RUN, "--steps", "-5"],
        [*RUN, "--threads", "-1"],
        [*FINETUNE, "--lora", "-4"],
        [*FINETUNE, "--minutes", "-1"],
        ["eval", "nano", "--items", "-1"],
    ],
)
def test_a_number_out_of_range_is_refused_with_the_range(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert f"Invalid value for '{command[-2]}'" in done.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [RUN, FINETUNE, ["autoencoder", "--corpus", "corpus", "--out", "out"]])
@pytest.mark.parametrize(("name", "told"), [("gpu", "'gpu' is no device; give cpu"), ("cuda:1", "torch finds 1 CUDA")])
def test_a_device_that_is_not_there_is_refused(
    command: list[str], name: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(BadArguments, match=told):
        CliRunner().invoke(app, [*command, "--device", name], catch_exceptions=False)

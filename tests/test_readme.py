"""What the README shows is what the code does."""

from __future__ import annotations

import json
import re
import shlex
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner

from unison_engine.cli import cli
from unison_engine.layout import LatentLayout
from unison_engine.registry import load_registry
from unison_engine.schema import parameters
from unison_engine.tasks import TaskContext
from unison_train.corpus.manifest import Clip

README = (Path(__file__).parent.parent / "README.md").read_text()
LAYOUT = LatentLayout(sample_rate=24_000, hop=960, channels=32, max_seconds=10.0)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_plugin_it_shows_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = [block for block in blocks("python") if "hookimpl" in block]
    (tmp_path / "bell_tower.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    (entry,) = [line for block in blocks("toml") for line in block.splitlines() if "=" in line]
    name, module = (part.strip(' "') for part in entry.split("="))
    registry = load_registry([EntryPoint(name, module, "unison_engine")])
    assert not registry.plugins[0].error
    task = registry.task("bell_tower")
    conditioning = task.condition(task.parse({"hour": 3}), TaskContext(LAYOUT))
    assert conditioning.prompt.count("a church bell") == 3
    assert conditioning.seconds == 5.5
    monkeypatch.delitem(sys.modules, "bell_tower")


def test_the_table_of_tasks_is_that_of_the_engine() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| (`s`.*?) \|", README, re.MULTILINE))
    tasks = load_registry().tasks
    assert set(told) == set(tasks)
    for name, task in tasks.items():
        fixed = [(p.tag, p.name) for p in parameters(task.request) if p.fixed]
        shown = re.findall(r"`([sfi])` (\w+)", told[name])
        assert shown == [pair for pair in fixed if pair in shown], name
        needed = {p.name for p in parameters(task.request) if p.required}
        assert needed <= {name for _, name in shown} | set(re.findall(r"`(\w+)`", told[name])), name


def test_its_commands_have_the_options_it_uses() -> None:
    lines = [line for block in blocks("") for line in block.splitlines() if line.startswith("unison run ")]
    assert lines
    for line in lines:
        _, _, task, *options = shlex.split(line)
        help_text = CliRunner().invoke(cli, ["run", task, "--help"]).output
        for option in options:
            assert not option.startswith("-") or option in help_text, line


def test_its_manifest_lines_are_clips() -> None:
    rows = [json.loads(line) for block in blocks("json") for line in block.splitlines()]
    assert [Clip.model_validate(row).kind for row in rows] == ["sound", "speech"]

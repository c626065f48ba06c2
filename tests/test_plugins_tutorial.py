"""What docs/plugins.md says is done, in its order: the scaffold, its own tests, and the plugin of the page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from unison_engine.cli import cli
from unison_engine.errors import BadArguments

PAGE = (Path(__file__).parent.parent / "docs" / "plugins.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def run_tests(folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_tutorial_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (new,) = [line for line in blocks("")[0].splitlines() if line.startswith("unison plugins new")]
    made = CliRunner().invoke(cli, shlex.split(new)[1:], catch_exceptions=False)
    folder = tmp_path / "bell_tower"
    assert made.exit_code == 0 and "bell_tower" in made.output
    assert sorted(str(file.relative_to(folder)) for file in folder.rglob("*.*") if file.is_file()) == [
        "README.md",
        "bell_tower.py",
        "pyproject.toml",
        "tests/conftest.py",
        "tests/test_bell_tower.py",
    ]
    assert "4 passed" in run_tests(folder)
    files: dict[str, str] = {}
    for block in blocks("python"):
        name, code = re.fullmatch(r"# (\S+\.py)\n(.*)", block, re.DOTALL).groups()  # type: ignore[union-attr]
        files[name] = files.get(name, "") + code
    assert set(files) == {"bell_tower.py", "tests/test_bell_tower.py"}
    for name, code in files.items():
        (folder / name).write_text(code)
    assert "3 passed" in run_tests(folder)


def test_its_commands_are_there() -> None:
    lines = [line.partition("#")[0] for line in PAGE.splitlines() if line.startswith("unison ")]
    assert len(lines) > 5
    for line in lines:
        _, *words = shlex.split(line)
        if words[:2] == ["run", "bell_tower"]:
            continue
        told = CliRunner().invoke(cli, [*words[:2], "--help"], catch_exceptions=False)
        assert told.exit_code == 0, line
        assert all(word in told.output for word in words if word.startswith("--")), line


@pytest.mark.parametrize(
    ("name", "told"),
    [
        *((name, "cannot be") for name in ("Bell", "class", "bell_", "tests")),
        *((name, "of another module") for name in ("json", "numpy", "unison_engine")),
        ("text_to_audio", "of another task"),
        ("there", "there already"),
    ],
)
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "there").mkdir()
    done = CliRunner().invoke(cli, ["plugins", "new", name, "--into", str(tmp_path)])
    assert done.exit_code == 1 and told in str(done.exception)


def test_the_class_of_a_new_plugin_hides_nothing_that_its_module_imports(tmp_path: Path) -> None:
    CliRunner().invoke(cli, ["plugins", "new", "text", "--into", str(tmp_path)], catch_exceptions=False)
    assert "4 passed" in run_tests(tmp_path / "text")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(cli, ["plugins", "new", "some_bell", "--into", str(tmp_path / "file" / "in_it")])
    assert isinstance(done.exception, BadArguments) and "--into" in str(done.exception)

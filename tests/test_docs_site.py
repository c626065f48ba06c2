"""The site: its navigation is the pages that exist, links of a page go where they should, and it can be built."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click.testing
import numpy as np
import pytest
import soundfile
import typer.testing
import yaml
from PIL import Image

from docs.site_hook import DOCS, ROOT, SOUNDS, START, rewrite
from unison_engine.cli import cli as engine_cli
from unison_export.cli import app as export_app
from unison_plugins import demo

SETTINGS = yaml.safe_load((ROOT / "mkdocs.yml").read_text())


def named(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        for place in entry.values():
            if isinstance(place, list):
                yield from named(place)
            else:
                yield place


def test_the_navigation_names_every_page_once() -> None:
    pages = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    assert sorted(named(SETTINGS["nav"])) == sorted([START, *pages])


def test_every_desk_of_the_overview_has_a_page_and_the_other_way_round() -> None:
    overview = (DOCS / "desks" / "index.md").read_text()
    pages = {page.name for page in (DOCS / "desks").glob("*.md")} - {"index.md"}
    # Links to pages elsewhere have a folder before the name.
    assert set(re.findall(r"\]\(([^/)#]+\.md)", overview)) == pages


def test_every_task_has_its_player() -> None:
    page = (DOCS / "listen.md").read_text()
    for task, request in demo.REQUESTS.items():
        assert page.count(f"<!-- sound: {task} -->") == 1
        said = next(request[name] for name in ("prompt", "instruction", "events", "text") if name in request)
        assert f"*{said}*" in page


def test_the_export_tutorial_has_the_options_that_it_uses() -> None:
    blocks = re.findall(r"```\n(.*?)```", (DOCS / "export.md").read_text(), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    commands: dict[str, Callable[..., Any]] = {
        "unison": partial(click.testing.CliRunner().invoke, engine_cli),
        "unison-export": partial(typer.testing.CliRunner().invoke, export_app),
    }
    tried = 0
    for line in lines:
        program, *words = shlex.split(line) or [""]
        if program not in commands:
            continue
        tried += 1
        of_task = words[:2] if words[0] == "run" else words[:1]
        told = commands[program]([*of_task, "--help"], env={"COLUMNS": "200"})
        assert told.exit_code == 0, line
        assert all(word in told.output for word in words if word.startswith("--")), line
    assert tried == 7


def test_links_out_of_the_folder_become_pages_of_the_site() -> None:
    page = "[a](../README.md#two-commands) [b](../examples/live_scene) [c](osc.md) [d](../plugins/unison_plugins)"
    told, found = rewrite(page, DOCS / "plugins.md")
    assert told == "[a](start.md#two-commands) [b](repository/examples/live_scene/README.md) [c](osc.md) d"
    assert found == [ROOT / "README.md", ROOT / "examples" / "live_scene" / "README.md"]
    assert rewrite("![p](docs/demo.png)", ROOT / "README.md")[0] == "![p](demo.png)"


@pytest.fixture
def sounds() -> Iterator[None]:
    """The model makes them; silence stands for those that nobody has rendered, for as long as the test takes."""
    SOUNDS.mkdir(parents=True, exist_ok=True)
    missing = [SOUNDS / f"{task}.flac" for task in demo.REQUESTS if not (SOUNDS / f"{task}.flac").exists()]
    for path in missing:
        soundfile.write(path, np.zeros(4800), 48_000)
        Image.new("RGB", (8, 2)).save(path.with_suffix(".png"))
    yield
    for path in missing:
        path.unlink()
        path.with_suffix(".png").unlink()


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path, sounds: None) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    listen = (tmp_path / "site" / "listen" / "index.html").read_text()
    for task in demo.REQUESTS:
        assert f'src="../sounds/{task}.flac"' in listen and (tmp_path / "site" / "sounds" / f"{task}.flac").is_file()
    # A reader's browser asks nobody else for anything.
    for page in (tmp_path / "site").rglob("*.html"):
        assert 'src="http' not in page.read_text() and "fonts.g" not in page.read_text(), page

"""The Godot addon: its build for Godot 3 in Godot's server, and the sources for 4 against their grammar."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from gdtoolkit.parser import parser  # type: ignore[import-untyped]

from tests.desks.desk import CLIENTS, ROOT, SCRIPTS, Desk, at_desk

ADDON = CLIENTS / "godot" / "addons" / "unison"
SOURCES = sorted([*ADDON.rglob("*.gd"), *(SCRIPTS / "godot").glob("*.gd")])
in_godot_3 = pytest.mark.skipif(not shutil.which("godot3-server"), reason="godot3-server is not installed")
PROJECT = 'config_version=4\n\n[application]\n\nconfig/name="Exchange"\n'


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build3", CLIENTS / "godot" / "build3.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["build3"] = module
    spec.loader.exec_module(module)
    return module


def run_in_godot_3(desk: Desk, script: str, folder: Path) -> str:
    """Build the addon into a new project, and run a script of `tests/desks/godot` there; what it printed."""
    project = folder / "project"
    build3 = builder()
    build3.build(project)
    (project / "project.godot").write_text(PROJECT)
    (project / script).write_text(build3.for_godot_3((SCRIPTS / "godot" / script).read_text()))
    environment = {"UNISON_PORT": str(desk.port), "HOME": str(folder)}
    output = desk.run(["godot3-server", "--path", str(project), "-s", script], environment)
    assert "SCRIPT ERROR" not in output, output
    return output


@in_godot_3
def test_the_exchange_in_godot_3(tmp_path: Path) -> None:
    with at_desk(tmp_path) as desk:
        output = run_in_godot_3(desk, "exchange.gd", tmp_path)
        desk.assert_exchange(output)
        sound = soundfile.info(str(desk.library.list()[0].path))
        assert f"wav: {sound.samplerate} {2 * sound.frames} False" in output


@in_godot_3
def test_the_example_scene_plays_and_draws_a_sound_and_tells_of_failures(tmp_path: Path) -> None:
    with at_desk(tmp_path, lossy=False) as desk:
        output = run_in_godot_3(desk, "example.gd", tmp_path)
        (take,) = desk.library.list()
    heard, refused, cancelled = [line.removeprefix("told: ") for line in output.splitlines() if "told: " in line]
    assert heard.endswith(f"seed {take.recipe.seed} | {take.path}")
    assert refused.startswith("bad_args: ") and cancelled == "Cancelled."
    assert "playing: True" in output
    wave, _ = soundfile.read(take.path)
    drawn = [[float(edge) for edge in line.split()[1:]] for line in output.splitlines() if line.startswith("peak: ")]
    pieces = np.split(wave[: len(wave) // len(drawn) * len(drawn)], len(drawn))
    assert np.allclose(drawn, [(min(piece.min(), 0), max(piece.max(), 0)) for piece in pieces], atol=1e-4)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_sources_are_gdscript_of_godot_4(path: Path) -> None:
    parser.parse(path.read_text())

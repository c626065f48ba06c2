"""The Godot addon: its build for Godot 3 in Godot's server, and the sources for 4 against their grammar."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
import soundfile

from tests.desks.desk import CLIENTS, SCRIPTS, at_desk

ADDON = CLIENTS / "godot" / "addons" / "unison"
PROJECT = 'config_version=4\n\n[application]\n\nconfig/name="Exchange"\n'


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build3", CLIENTS / "godot" / "build3.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["build3"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not shutil.which("godot3-server"), reason="godot3-server is not installed")
def test_the_exchange_in_godot_3(tmp_path: Path) -> None:
    project = tmp_path / "project"
    build3 = builder()
    build3.build(project)
    (project / "project.godot").write_text(PROJECT)
    (project / "exchange.gd").write_text(build3.for_godot_3((SCRIPTS / "godot" / "exchange.gd").read_text()))
    with at_desk(tmp_path) as desk:
        environment = {"UNISON_PORT": str(desk.port), "HOME": str(tmp_path)}
        output = desk.run(["godot3-server", "--path", str(project), "-s", "exchange.gd"], environment)
        assert "SCRIPT ERROR" not in output
        desk.assert_exchange(output)
        sound = soundfile.info(str(desk.library.list()[0].path))
        assert f"wav: {sound.samplerate} {2 * sound.frames} False" in output


@pytest.mark.parametrize("path", [*sorted(ADDON.glob("*.gd")), SCRIPTS / "godot" / "exchange.gd"], ids=lambda p: p.name)
def test_the_sources_are_gdscript_of_godot_4(path: Path) -> None:
    parser = pytest.importorskip("gdtoolkit.parser", reason="gdtoolkit is not installed").parser
    parser.parse(path.read_text())

"""The one direction of dependency, and an engine that needs no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = {
    "unison_engine": ROOT / "unison_engine",
    "unison_plugins": ROOT / "plugins" / "unison_plugins",
    "unison_train": ROOT / "train" / "unison_train",
    "unison_export": ROOT / "export" / "unison_export",
}
MAY_IMPORT = {
    "unison_engine": set[str](),
    "unison_plugins": {"unison_engine"},
    "unison_train": {"unison_engine"},
    "unison_export": {"unison_engine", "unison_train"},
}
HEAVY = {"torch", "transformers", "onnx", "onnxscript", "gguf", "safetensors", "accelerate"}


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("part", SOURCES)
def test_dependencies_point_one_way(part: str) -> None:
    files = list(SOURCES[part].rglob("*.py"))
    assert files
    for file in files:
        others = imported(file) & set(SOURCES) - {part}
        assert others <= MAY_IMPORT[part], f"{file.relative_to(ROOT)} imports {', '.join(others)}"


@pytest.mark.parametrize("part", ["unison_engine", "unison_plugins"])
def test_the_engine_and_its_plugins_name_no_training_library(part: str) -> None:
    for file in SOURCES[part].rglob("*.py"):
        assert not imported(file) & HEAVY, file.relative_to(ROOT)


def test_a_sound_is_made_where_no_training_library_can_be_imported(tmp_path: Path) -> None:
    script = f"""
import sys
for name in {sorted(HEAVY)!r}:
    sys.modules[name] = None
from unison_engine.engine import Engine
take = Engine.open("nano", {str(tmp_path)!r}).run("text_to_audio", prompt="rain", seconds=1.0, seed=1, steps=2)
print(take.path)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_file()

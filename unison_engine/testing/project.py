"""Plugins of a source tree that was never installed."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from unison_engine.hooks import PROJECT


def entry_points_of(folder: Path) -> tuple[EntryPoint, ...]:
    """The plugins that the `pyproject.toml` of a folder names, then all that are installed under other names."""
    file = folder / "pyproject.toml"
    named: dict[str, str] = {}
    if file.is_file():
        project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
        named = project.get("entry-points", {}).get(PROJECT, {})
    own = [EntryPoint(name, module, PROJECT) for name, module in named.items()]
    return (*own, *(entry for entry in entry_points(group=PROJECT) if entry.name not in named))

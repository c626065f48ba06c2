"""A new plugin: a small distribution with a task, its tests and a README, that works as it is."""

from __future__ import annotations

import importlib.resources
import importlib.util
import keyword
import re
import sys
from pathlib import Path

from unison_engine.engine import engine_version
from unison_engine.errors import BadArguments
from unison_engine.registry import PluginSource
from unison_engine.trial import tried

_NAME = re.compile(r"[a-z][a-z0-9_]{0,38}[a-z0-9]")  # The name of a distribution ends in no underscore.


def new_plugin(name: str, parent: Path) -> Path:
    """Write the plugin `name` into a new folder beneath `parent`; returns the folder.

    The files are those of `unison_engine/template`, in which my_plugin, my-plugin and MyPlugin become the new name.

    Raises:
        BadArguments: the name cannot be that of a new module and task, or the folder is there already or cannot be
            written.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name == "tests":
        raise BadArguments(f"{name!r} cannot be the name of a plugin; use a-z, 0-9 and _, as in bell_tower.")
    if name in sys.stdlib_module_names or importlib.util.find_spec(name):
        raise BadArguments(f"{name!r} cannot be the name of a plugin, it is that of another module; choose another.")
    if name in tried(PluginSource()).load().tasks:
        raise BadArguments(f"{name!r} cannot be the name of a plugin, it is that of another task; choose another.")
    folder = parent / name
    if folder.exists():
        raise BadArguments(f"{str(folder)!r} is there already; choose another name, or another folder with --into.")
    words = {
        "my_plugin": name,
        "my-plugin": name.replace("_", "-"),
        "MyPlugin": "".join(part.capitalize() for part in name.split("_")),
        "0.0.0": engine_version(),
    }
    template = importlib.resources.files("unison_engine") / "template"
    try:
        for file in sorted(template.iterdir(), key=lambda file: file.name):
            # Under another ending, so that nothing here is taken for a module or a project of ours.
            target = folder / _renamed(file.name.removesuffix(".txt").replace("__", "/"), words)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_renamed(file.read_text(encoding="utf-8"), words), encoding="utf-8")
    except OSError as error:
        raise BadArguments(
            f"{str(folder)!r} cannot be written ({error.strerror}); choose another folder with --into."
        ) from error
    return folder


def _renamed(text: str, words: dict[str, str]) -> str:
    for old, new in words.items():
        text = text.replace(old, new)
    return text

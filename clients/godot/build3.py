"""Writes the addon for Godot 3 from that for Godot 4: `python build3.py FOLDER`, a folder of a project.

Lines of scripts that end in `#4` are left out, and lines that begin with `#3` take their place; what else differs are
names, in scenes too.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ADDON = Path(__file__).parent / "addons" / "unison"
NAMES = {
    r"@tool\b": "tool",
    r"@export var\b": "export var",
    r"@onready var\b": "onready var",
    r"\bRefCounted\b": "Reference",
    r"\bPackedByteArray\b": "PoolByteArray",
    r"\bTYPE_FLOAT\b": "TYPE_REAL",
    r"\bTime\.get_ticks_msec\b": "OS.get_ticks_msec",
    r"\bAudioStreamWAV\b": "AudioStreamSample",
    r"\.to_utf8_buffer\(": ".to_utf8(",
    r"\bfile\.get_length\(": "file.get_len(",
    r"\bqueue_redraw\(": "update(",
    r"\.instantiate\(": ".instance(",
    r"\bawait (\w+)\.(\w+)": r'yield(\1, "\2")',
    r'\.connect\((\S+), Callable\((\w+), ("\w+")\)\)': r".connect(\1, \2, \3)",
    # Of scenes.
    r"\bformat=3\b": "format=2",
    r'\bid="(\d+)"': r"id=\1",
    r'\bExtResource\("(\d+)"\)': r"ExtResource( \1 )",
    r"\bcustom_minimum_size\b": "rect_min_size",
    r"\btheme_override_constants\b": "custom_constants",
    r"\bautowrap_mode = 3\b": "autowrap = true",
}


def for_godot_3(source: str) -> str:
    """A script or scene of the 4 dialect in that of 3."""
    lines = [re.sub(r"^(\s*)#3 ", r"\1", line) for line in source.splitlines() if not line.endswith("#4")]
    text = "\n".join(lines) + "\n"
    for pattern, name in NAMES.items():
        text = re.sub(pattern, name, text)
    return text


def build(project: Path) -> None:
    """Write the addon into a project."""
    folder = project / "addons" / "unison"
    for path in (path for kind in ("gd", "cfg", "tscn") for path in ADDON.rglob(f"*.{kind}")):
        written = folder / path.relative_to(ADDON)
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(for_godot_3(path.read_text()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build(Path(sys.argv[1]))

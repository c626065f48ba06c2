"""Writes the addon for Godot 3 from that for Godot 4: `python build3.py FOLDER`, a folder of a project.

Lines that end in `#4` are left out, and lines that begin with `#3` take their place; what else differs are names.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ADDON = Path(__file__).parent / "addons" / "unison"
NAMES = {
    r"@tool\b": "tool",
    r"@export var\b": "export var",
    r"\bRefCounted\b": "Reference",
    r"\bPackedByteArray\b": "PoolByteArray",
    r"\bTYPE_FLOAT\b": "TYPE_REAL",
    r"\bTime\.get_ticks_msec\b": "OS.get_ticks_msec",
    r"\bAudioStreamWAV\b": "AudioStreamSample",
    r"\.to_utf8_buffer\(": ".to_utf8(",
    r"\.get_length\(": ".get_len(",
    r"\bawait (\w+)\.(\w+)": r'yield(\1, "\2")',
    r'\.connect\((\S+), Callable\((\w+), ("\w+")\)\)': r".connect(\1, \2, \3)",
}


def for_godot_3(source: str) -> str:
    """A script of the 4 dialect in that of 3."""
    lines = [re.sub(r"^(\s*)#3 ", r"\1", line) for line in source.splitlines() if not line.endswith("#4")]
    text = "\n".join(lines) + "\n"
    for pattern, name in NAMES.items():
        text = re.sub(pattern, name, text)
    return text


def build(project: Path) -> None:
    """Write the addon into a project."""
    folder = project / "addons" / "unison"
    folder.mkdir(parents=True, exist_ok=True)
    for path in ADDON.iterdir():
        if path.suffix in (".gd", ".cfg"):
            text = path.read_text()
            (folder / path.name).write_text(for_godot_3(text) if path.suffix == ".gd" else text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build(Path(sys.argv[1]))

"""Prints the ReaPack index: `python make_index.py URL > index.xml`, for the address where this repository is served."""

from __future__ import annotations

import sys
from xml.etree import ElementTree

VERSION = "0.1.0"
FILES = {
    "Unison.lua": "clients/reaper/Unison.lua",
    "unison_project.lua": "clients/reaper/unison_project.lua",
    "unison_window.lua": "clients/reaper/unison_window.lua",
    "unison_imgui.lua": "clients/reaper/unison_imgui.lua",
    "unison_client.lua": "clients/handoff/unison_client.lua",
    "unison_handoff.py": "clients/handoff/unison_handoff.py",
}


def index(url: str) -> str:
    """The index as XML; ReaPack puts the files of a package into one folder."""
    root = ElementTree.Element("index", version="1", name="Unison")
    category = ElementTree.SubElement(root, "category", name="Unison")
    package = ElementTree.SubElement(
        category, "reapack", name="Unison.lua", type="script", desc="Unison: make and edit sounds from words"
    )
    version = ElementTree.SubElement(package, "version", name=VERSION, author="Unison")
    for name, path in FILES.items():
        source = ElementTree.SubElement(version, "source", file=name)
        source.text = f"{url.rstrip('/')}/{path}"
        if name == "Unison.lua":
            source.set("main", "main")
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(index(sys.argv[1]))

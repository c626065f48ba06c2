"""The action script in Ardour itself, with its windows, on a display that nobody sees."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.desks.ardour.desk import CONFIGURATION, click, install_action, make_session, program, send, until, window
from tests.desks.desk import CLIENTS, at_desk

PROGRAMS = ("ardour", "ardour7-lua", "Xvfb", "xdotool")
MISSING = [name for name in PROGRAMS if not shutil.which(name)]
# From the lower right corner of the dialog to the middle of OK, in pixels.
OK = (58, 30)


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed; Ardour 7.3 of Debian 12 is meant")
def test_a_sound_becomes_a_region_of_the_session(tmp_path: Path) -> None:
    home = tmp_path / "home"
    configuration = home / ".config" / "ardour7"
    scripts = configuration / "scripts"
    scripts.mkdir(parents=True)
    (configuration / ".a7").touch()  # Not the first start.
    (configuration / "config").write_text(CONFIGURATION)
    for path in (CLIENTS / "handoff").glob("unison_*"):
        shutil.copy(path, scripts)
    install_action(CLIENTS / "ardour" / "unison.lua", configuration)
    session = make_session(tmp_path / "desk", home)
    shown = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert shown.stdout
    display = f":{shown.stdout.readline().strip()}"
    with at_desk(tmp_path) as desk:
        (scripts / "unison.settings").write_text(f"engine=127.0.0.1:{desk.port}\npython=/usr/bin/python3\n")
        environment = {**os.environ, "HOME": str(home), "XDG_RUNTIME_DIR": str(home), "DISPLAY": display}
        ardour = subprocess.Popen(
            ["sh", str(program(tmp_path)), "--no-splash", str(session.parent)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: bool(window("desk - Ardour", display)))
            dialog = "^Unison$"
            start = ("/access_action", "LuaAction/script-1")
            until(lambda: bool(window(dialog, display)), lambda: send(*start), every=10.0)
            until(lambda: not window(dialog, display), lambda: click(window(dialog, display), display, *OK))
            until(lambda: bool(desk.library.ids()))
            (take,) = desk.library.list()
            until(lambda: take.id in session.read_text(), lambda: send("/save_state"))
        finally:
            ardour.kill()
            ardour.wait()
            shown.kill()
            shown.wait()
            shown.stdout.close()
    assert take.recipe.request["prompt"] == "heavy rain" and take.seconds == 4.0
    root = ElementTree.parse(session).getroot()
    (region,) = root.findall("./Playlists/Playlist/Region")
    # Times are in units of 1/282240000 s.
    assert region.get("name") == take.id and region.get("length") == f"a{4 * 282_240_000}@a0"
    (source,) = root.findall("./Sources/Source")
    copied = session.parent / "interchange" / "desk" / "audiofiles" / str(source.get("name"))
    assert copied.is_file() and region.get("source-0") == source.get("id")

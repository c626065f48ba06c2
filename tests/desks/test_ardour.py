"""The action script in Ardour itself, with its windows, on a display that nobody sees."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.desks.ardour.desk import (
    CONFIGURATION,
    click,
    install_action,
    make_session,
    point,
    program,
    send,
    until,
    window,
)
from tests.desks.desk import CLIENTS, at_desk
from tests.desks.display import open_display

PROGRAMS = ("ardour", "ardour7-lua", "Xvfb", "xdotool")
MISSING = [name for name in PROGRAMS if not shutil.which(name)]
CLONE = "Speech in the voice of the selected region"
# From the lower right corner of the dialog to the middle of OK, in pixels.
OK = (58, 30)
# In the first region, from the upper left corner of the display.
REGION = (270, 365)


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed; Ardour 7.3 of Debian 12 is meant")
def test_variations_become_regions_and_one_of_them_a_voice(tmp_path: Path) -> None:
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
    with at_desk(tmp_path) as desk, open_display("1280x900") as environment:
        settings = f"engine=127.0.0.1:{desk.port}\npython=/usr/bin/python3\n"
        (scripts / "unison.settings").write_text(f"variations=2\n{settings}")
        display = environment["DISPLAY"]
        ardour = subprocess.Popen(
            ["sh", str(program(tmp_path)), "--no-splash", str(session.parent)],
            env={**environment, "HOME": str(home), "XDG_RUNTIME_DIR": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: bool(window("desk - Ardour", display)))
            make(display)
            until(lambda: len(desk.library.ids()) == 2)
            rain = desk.library.list()
            until(lambda: all(take.id in session.read_text() for take in rain), lambda: send("/save_state"))
            said = f"what={CLONE}\ntext=open the gate.\nsaid=the rain falls.\n{settings}"
            (scripts / "unison.settings").write_text(said)
            until(lambda: len(desk.library.ids()) == 3, lambda: clone(display), every=20.0)
            (line,) = [take for take in desk.library.list() if take not in rain]
            until(lambda: line.id in session.read_text(), lambda: send("/save_state"))
        finally:
            ardour.kill()
            ardour.wait()
    assert {take.recipe.request["prompt"] for take in rain} == {"heavy rain"}
    assert len({take.recipe.seed for take in rain}) == 2
    root = ElementTree.parse(session).getroot()
    regions = {region.get("name"): region for region in root.findall("./Playlists/Playlist/Region")}
    assert set(regions) == {take.id for take in (*rain, line)}
    sources = {source.get("id"): source.get("name") for source in root.findall("./Sources/Source")}
    copies = session.parent / "interchange" / "desk" / "audiofiles"
    for take in rain:
        # Times are in units of 1/282240000 s.
        assert regions[take.id].get("length") == f"a{4 * 282_240_000}@a0"
        assert (copies / str(sources[regions[take.id].get("source-0")])).is_file()
    # Each variation has a track of its own.
    assert all(len(playlist.findall("Region")) <= 1 for playlist in root.findall("./Playlists/Playlist"))
    assert line.recipe.task == "voice_clone"
    request = line.recipe.request
    assert request["text"] == "open the gate." and request["transcript"] == "the rain falls."
    assert Path(str(request["reference"])).parent == copies


def make(display: str) -> None:
    """Start the action, and click OK in its dialog."""
    dialog = "^Unison$"
    until(lambda: bool(window(dialog, display)), lambda: send("/access_action", "LuaAction/script-1"), every=10.0)
    until(lambda: not window(dialog, display), lambda: click(window(dialog, display), display, *OK))


def clone(display: str) -> None:
    """Select the first region, and start the action for it."""
    point(display, *REGION)
    make(display)

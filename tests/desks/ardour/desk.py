"""Ardour on a display of its own, without sound hardware, with a script in its first action slot."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from unison_engine.testing import PATIENCE, message

LIBRARIES = Path("/usr/lib/ardour7")
OSC = ("127.0.0.1", 3819)
CONFIGURATION = """<?xml version="1.0" encoding="UTF-8"?>
<Ardour><Config>
<Option name="hide-dummy-backend" value="0"/>
<Option name="try-autostart-engine" value="1"/>
</Config></Ardour>
"""
FACTORY = "function factory () return function ()"


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def install_action(script: Path, configuration: Path) -> None:
    """Put a script into the first slot, in the form in which Ardour's script manager keeps it."""
    source = script.read_text()
    body = source[source.index(FACTORY) + len(FACTORY) :].rstrip().removesuffix("end end")
    kept = f'scripts = {{}} scripts[1] = {{}} scripts[1]["n"] = "Unison" scripts[1]["s"] = {quoted(source)} '
    kept += f'scripts[1]["f"] = {quoted(f"return function () {body} end")} '
    code = base64.b64encode(kept.encode()).decode()
    (configuration / "ui_scripts").write_text(
        f'<LuaUI><ActionHooks/><ActionScript lua="Lua 5.3">{code}</ActionScript></LuaUI>'
    )


def make_session(folder: Path, home: Path) -> Path:
    """An empty session whose OSC surface is on; its file."""
    command = ["ardour7-lua", str(Path(__file__).parent / "session.lua"), str(folder)]
    subprocess.run(command, env={**os.environ, "HOME": str(home)}, check=True, capture_output=True, timeout=PATIENCE)
    session = folder / "desk.ardour"
    name = 'name="Open Sound Control (OSC)"'
    text = session.read_text()
    assert f'{name} active="0"' in text
    session.write_text(text.replace(f'{name} active="0"', f'{name} active="1"'))
    return session


def program(folder: Path) -> Path:
    """Ardour's own start script, with libraries among which is no backend but the one without hardware."""
    libraries = folder / "libraries"
    (libraries / "backends").mkdir(parents=True)
    for path in LIBRARIES.iterdir():
        if path.name != "backends":
            (libraries / path.name).symlink_to(path)
    dummy = LIBRARIES / "backends" / "libdummy_audiobackend.so"
    (libraries / "backends" / dummy.name).symlink_to(dummy)
    text = Path("/usr/bin/ardour").read_text()
    assert f"ARDOUR_DLL_PATH={LIBRARIES}\n" in text
    script = folder / "ardour"
    script.write_text(text.replace(f"ARDOUR_DLL_PATH={LIBRARIES}\n", f"ARDOUR_DLL_PATH={libraries}\n"))
    return script


def send(address: str, *arguments: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.sendto(message(address, *arguments), OSC)


def window(name: str, display: str) -> str:
    """The number of a window that is seen; empty if there is none."""
    found = subprocess.run(
        ["xdotool", "search", "--onlyvisible", "--name", name],
        env={**os.environ, "DISPLAY": display},
        capture_output=True,
        text=True,
    )
    return (found.stdout.split() or [""])[-1]


def click(number: str, display: str, right: int, bottom: int) -> None:
    """Click so far from the right and lower edge of a window."""
    environment = {**os.environ, "DISPLAY": display}
    told = subprocess.run(
        ["xdotool", "getwindowgeometry", "--shell", number], env=environment, capture_output=True, text=True, check=True
    ).stdout
    size = dict(line.split("=") for line in told.split())
    x, y = (int(size[edge]) + int(size[side]) for edge, side in (("X", "WIDTH"), ("Y", "HEIGHT")))
    point(display, x - right, y - bottom)


def point(display: str, x: int, y: int) -> None:
    """Click at a place of the display."""
    environment = {**os.environ, "DISPLAY": display}
    subprocess.run(["xdotool", "mousemove", str(x), str(y)], env=environment, check=True)
    subprocess.run(["xdotool", "click", "1"], env=environment, check=True)


def until(what: Callable[[], bool], act: Callable[[], None] = lambda: None, every: float = 1.0) -> None:
    """Wait for what another program does; `act` is repeated until then. X windows and files tell nobody of it."""
    deadline = time.monotonic() + 2 * PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        act()
        time.sleep(every)

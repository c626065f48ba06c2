"""Draw `docs/desks/supercollider.png`: a block of the page beside it, in the editor of SuperCollider.

python -m docs.draw_supercollider    (apt-get install supercollider-ide xvfb xdotool imagemagick)
"""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
import time
from pathlib import Path

from PIL import Image

from tests.desks.ardour.desk import point, until, window
from tests.desks.display import open_display
from unison_engine.cli import _open_bundle
from unison_engine.testing import LiveHost

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "desks" / "supercollider.md"
WIDTH, HEIGHT = 1220, 660
FIRST_LINE = (300, 61)  # Of the editor, in pixels.
IN_CLASS = 12  # Letters from the end of the first line, in the name of the class.
BLOCK = 4  # Lines from the first one, in the block.
HELP = Path(".local/share/SuperCollider/Help")
DRAWN_SECONDS = 4.0  # Nothing tells when a page of the help is drawn, or a sound.


def main() -> None:
    """Look the class up, evaluate the block, and wait for the sound that the shipped model makes."""
    (block,) = re.findall(r"```\n(\(\nu\.run.*?)```", PAGE.read_text(), re.DOTALL)
    served = functools.partial(_open_bundle, "nano", "onnxruntime")
    with (
        tempfile.TemporaryDirectory() as folder,
        LiveHost(served, Path(folder, "takes")) as host,
        open_display(f"{WIDTH}x{HEIGHT}") as environment,
    ):
        home, document = Path(folder), Path(folder, "unison.scd")
        document.write_text(f"u = UnisonEngine.default;\n\n{block}")
        environment.update(HOME=folder, XDG_RUNTIME_DIR=folder, QTWEBENGINE_DISABLE_SANDBOX="1")
        configure(home, host.port)
        editor = subprocess.Popen(["scide", str(document)], env=environment, stderr=subprocess.DEVNULL)
        try:
            display = environment["DISPLAY"]
            press = functools.partial(subprocess.run, env=environment, check=True)
            until((home / HELP / "Help.html").exists)
            press(["xdotool", "windowsize", window("SuperCollider IDE", display), str(WIDTH), str(HEIGHT)])
            time.sleep(DRAWN_SECONDS)
            point(display, *FIRST_LINE)
            press(["xdotool", "key", "End", *IN_CLASS * ["Left"], "ctrl+d"])
            until((home / HELP / "Classes" / "UnisonEngine.html").exists)
            time.sleep(DRAWN_SECONDS)
            point(display, *FIRST_LINE)
            press(["xdotool", "key", "ctrl+Return", *BLOCK * ["Down"], "ctrl+Return"])
            until(lambda: bool(host.library.ids()))
            time.sleep(DRAWN_SECONDS)
            press(["import", "-window", "root", str(home / "shown.png")])
        finally:
            editor.terminate()
            editor.wait()
        picture = Image.open(home / "shown.png").convert("RGB")
    picture.quantize(96, dither=Image.Dither.NONE).save(PAGE.with_suffix(".png"), optimize=True)


def configure(home: Path, port: int) -> None:
    """Let sclang know the classes and the engine."""
    folder = home / ".config" / "SuperCollider"
    folder.mkdir(parents=True)
    (folder / "sclang_conf.yaml").write_text(f"includePaths:\n  - {ROOT / 'clients' / 'supercollider'}\n")
    (folder / "startup.scd").write_text(f'UnisonEngine.default = UnisonEngine("127.0.0.1", {port});\n')


if __name__ == "__main__":
    main()

"""Draw `docs/desks/godot.png`: the example scene of the addon in Godot 3, which asks the shipped model for a sound.

python -m docs.draw_godot    (apt-get install godot3 xvfb)
"""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.desks.display import open_display
from unison_engine.cli import _open_bundle
from unison_engine.testing import LiveHost

ROOT = Path(__file__).parent.parent
PROJECT = """config_version=4

[application]

config/name="Example"

[display]

window/size/width=640
window/size/height=340
"""
# Keeps the window while the second sound is made, and while that is played.
SCRIPT = """extends SceneTree

var example = preload("res://addons/unison/example/example.tscn").instance()


func _initialize():
	example.get_node("UnisonClient").port = int(OS.get_environment("UNISON_PORT"))
	root.add_child(example)
	yield(example._job, "ended")
	example.get_node("Rows/Ask/Make").emit_signal("pressed")
	while example._job.fraction < 0.5:
		yield(self, "idle_frame")
	_keep("made")
	yield(example._job, "ended")
	yield(create_timer(1.0), "timeout")
	_keep("played")
	quit()


func _keep(name):
	var picture = root.get_texture().get_data()
	picture.flip_y()
	picture.save_png("res://" + name + ".png")
"""
GODOT = ["godot3", "--video-driver", "GLES2", "--audio-driver", "Dummy"]
GAP = 8


def main() -> None:
    """Make two sounds in a window that nobody sees."""
    served = functools.partial(_open_bundle, "nano", "onnxruntime")
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        subprocess.run([sys.executable, str(ROOT / "clients" / "godot" / "build3.py"), str(project)], check=True)
        (project / "project.godot").write_text(PROJECT)
        (project / "draw.gd").write_text(SCRIPT)
        with LiveHost(served, Path(folder, "takes")) as host, open_display("1280x900") as environment:
            environment.update(HOME=folder, UNISON_PORT=str(host.port))
            command = [*GODOT, "--path", str(project), "-s", "draw.gd"]
            subprocess.run(command, env=environment, check=True, timeout=300)
        parts = [Image.open(project / f"{name}.png").convert("RGB") for name in ("made", "played")]
    width, height = parts[0].size
    picture = Image.new("RGB", (2 * width + GAP, height), "white")
    for place, part in enumerate(parts):
        picture.paste(part, (place * (width + GAP), 0))
    picture.quantize(64, dither=Image.Dither.NONE).save(ROOT / "docs" / "desks" / "godot.png", optimize=True)


if __name__ == "__main__":
    main()

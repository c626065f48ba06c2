"""Draw `docs/desks/reaper.png`: the window of the script, from the calls of gfx that it makes in the tests' stand-in.

python -m docs.draw_reaper
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parent.parent
SCALE = 2
SIZE = (460, 8 * 28)  # Of the 12 rows of unison_window.lua, those that are drawn on.
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
# Runs the script for two turns and prints what it draws in the last.
FRAME = """
package.path = arg[1] .. "/tests/desks/reaper/?.lua"
local standin = require("reaper")
standin.script, standin.folder, standin.selection = arg[1] .. "/clients/reaper/Unison.lua", arg[2], {0, 0}
standin.ext["unison/text"], standin.ext["unison/variations"] = "footsteps on gravel, then a door slams", "3"
local drawn
function gfx.set(r, g, b) drawn[#drawn + 1] = ("set %g %g %g"):format(r, g, b) end
function gfx.rect(x, y, w, h, filled) drawn[#drawn + 1] = ("rect %g %g %g %g %d"):format(x, y, w, h, filled) end
function gfx.drawstr(text) drawn[#drawn + 1] = ("text %g %g %s"):format(gfx.x, gfx.y, text) end
drawn = {}
dofile(standin.script)
drawn = {}
standin.deferred[1]()
print(table.concat(drawn, "\\n"))
"""


def main() -> None:
    """One frame of the window, at twice its size."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "frame.lua")
        script.write_text(FRAME)
        command = ["lua5.4", str(script), str(ROOT), folder]
        calls = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    picture = Image.new("RGB", (SIZE[0] * SCALE, SIZE[1] * SCALE), (0, 0, 0))
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(FONT, 12 * SCALE)
    colour = (0, 0, 0)
    for call in calls:
        kind, *rest = call.split(" ", 3)
        if kind == "set":
            red, green, blue = (round(255 * float(part)) for part in rest)
            colour = (red, green, blue)
        elif kind == "text":
            pen.text((float(rest[0]) * SCALE, float(rest[1]) * SCALE), rest[2], colour, font)
        else:
            x, y, size = float(rest[0]), float(rest[1]), rest[2].split()
            box = [SCALE * edge for edge in (x, y, x + float(size[0]), y + float(size[1]))]
            pen.rectangle(box, fill=colour if size[2] == "1" else None, outline=colour, width=SCALE)
    picture.quantize(32).save(ROOT / "docs" / "desks" / "reaper.png", optimize=True)


if __name__ == "__main__":
    main()

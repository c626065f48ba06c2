"""Draw the pictures of the panel in `docs/desks/`: the shipped model makes the sounds, Chromium shows them.

python -m docs.draw_panel
"""

from __future__ import annotations

import functools
import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.panel_browser import choose_task, draw_region, open_browser, open_panel, shown_level, until
from unison_engine.cli import _open_bundle
from unison_engine.client import connect
from unison_engine.testing import LiveHost

FOLDER = Path(__file__).parent / "desks"
COLOURS = 96  # Of a palette: text stays sharp, and a picture takes a third.


def main() -> None:
    """Make a few sounds, then one picture of each view."""
    served = functools.partial(_open_bundle, "nano", "onnxruntime")
    with tempfile.TemporaryDirectory() as takes, LiveHost(served, Path(takes)) as host, open_browser() as browser:
        make_sounds(host.port)
        page = open_panel(browser, host.port, [], viewport={"width": 1440, "height": 1160})
        choose(page, "heavy rain on a tin roof")
        draw_region(page, 0.2, 0.36)
        play_at_engine(page)
        keep(page, "panel")
        choose_task(page, "timeline")
        keep(page, "panel-timeline", height=620)
        dark = {"color_scheme": "dark", "viewport": {"width": 820, "height": 1180}, "has_touch": True}
        page = open_panel(browser, host.port, [], **dark)
        choose(page, "Add a church bell.")
        page.locator("#voices summary").click()
        play_at_engine(page)
        keep(page, "panel-tablet")


def make_sounds(port: int) -> None:
    """One with variations, an edit of an edit, and one of other tasks each."""
    with connect(f"tcp://127.0.0.1:{port}") as unison:
        rain = unison.run("text_to_audio", prompt="heavy rain on a tin roof", seconds=4, seed=7)
        unison.vary(rain.id, 3)
        bell = unison.run("scene_edit", source=rain.id, instruction="Add a church bell.", seed=3)
        unison.run("scene_edit", source=bell.id, instruction="Remove the sound of the rain.", seed=3)
        line = unison.run("text_to_speech", text="Attention please, the train is late.", voice="female", seed=5)
        unison.call("/unison/voice/create", "Station", line.id)
        unison.run("speech_and_sound", text="Good evening.", voice="male", background="fire", seconds=4, seed=5)
        unison.run("timeline", events="0.0-2.0 footsteps on gravel; 2.5-3.5 a door slams", seconds=4, seed=9)
        unison.run("text_to_audio", prompt="footsteps on gravel, then a door slams", seconds=4, seed=4)


def choose(page: Page, words: str) -> None:
    """Show the oldest take of these words, drawn whole."""
    page.locator("#rows .row", has_text=words).last.click()
    page.wait_for_selector(".view:not(.loading)")
    page.wait_for_timeout(1500)  # Variations draw themselves one by one, and nothing tells that the last is done.


def play_at_engine(page: Page) -> None:
    """Play the chosen take at the device, until its level is seen."""
    page.get_by_label("Heard in").select_option("engine")
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, f"{shown_level('Level that the engine plays')} > -30")
    page.wait_for_timeout(300)


def keep(page: Page, name: str, height: int | None = None) -> None:
    """Write the window as a PNG of few colours."""
    picture = Image.open(io.BytesIO(page.screenshot()))
    shown = picture.crop((0, 0, picture.width, height or picture.height)).convert("RGB")
    shown.quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()

"""The editor of sounds on a time axis."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.panel_browser import choose_task, in_chromium
from unison_engine.testing import LiveHost

pytestmark = in_chromium


def test_a_length_that_is_being_typed_loses_nothing(page: Page) -> None:
    choose_task(page, "timeline")
    text = page.locator("input.as-text")
    expect(text).to_have_value("0.0-2.0 footsteps on gravel; 2.5-3.5 a door slams")
    page.locator("[name=seconds]").select_text()
    page.keyboard.type("1")
    expect(text).to_have_value("0.0-1.0 footsteps on gravel; 0.9-1.0 a door slams")
    page.keyboard.type("5")
    expect(text).to_have_value("0.0-2.0 footsteps on gravel; 2.5-3.5 a door slams")


def test_sounds_are_placed_on_the_time_axis_by_hand_and_by_keys(page: Page, host: LiveHost) -> None:
    choose_task(page, "timeline")
    page.fill("[name=seconds]", "5")
    text = page.locator("input.as-text")
    expect(text).to_have_value("0.0-2.0 footsteps on gravel; 2.5-3.5 a door slams")
    box = page.locator(".track").bounding_box()
    assert box
    second = box["width"] / 5

    def drag(x: float, by: float) -> None:
        page.mouse.move(box["x"] + x * second, box["y"] + 24)
        page.mouse.down()
        page.mouse.move(box["x"] + (x + by) * second, box["y"] + 24, steps=5)
        page.mouse.up()

    drag(3.0, 0.5)
    expect(text).to_have_value("0.0-2.0 footsteps on gravel; 3.0-4.0 a door slams")
    page.mouse.move(box["x"] + 4.0 * second - 4, box["y"] + 24)
    page.mouse.down()
    page.mouse.move(box["x"] + 4.5 * second - 4, box["y"] + 24, steps=5)
    page.mouse.up()
    expect(text).to_have_value("0.0-2.0 footsteps on gravel; 3.0-4.5 a door slams")
    page.locator(".block").first.focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowLeft", "Alt+ArrowRight"):
        page.keyboard.press(key)
    expect(text).to_have_value("0.3-2.1 footsteps on gravel; 3.0-4.5 a door slams")
    page.get_by_role("button", name="Add a sound").click()
    page.keyboard.type("wind; far away")
    page.get_by_label("Start of the sound").fill("1")
    page.get_by_label("Start of the sound").press("Tab")
    page.get_by_label("End of the sound").fill("4.8")
    page.get_by_label("End of the sound").press("Tab")
    events = "0.3-2.1 footsteps on gravel; 1.0-4.8 wind, far away; 3.0-4.5 a door slams"
    expect(text).to_have_value(events)
    page.locator(".block", has_text="door").focus()
    page.keyboard.press("Delete")
    expect(page.locator(".block")).to_have_count(2)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#take h2")).to_have_text("footsteps on gravel, wind, far away")
    request = host.library.search("wind, far away")[-1].recipe.request
    assert request["events"] == "0.3-2.1 footsteps on gravel; 1.0-4.8 wind, far away" and request["seconds"] == 5.0

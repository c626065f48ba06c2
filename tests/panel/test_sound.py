"""The bar of the device: levels, another device, and what came in as a take."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.panel.conftest import Make
from tests.panel_browser import choose_take, in_chromium, shown_level, until
from unison_engine.client import connect
from unison_engine.testing import LiveHost

pytestmark = in_chromium


OUT, IN, HERE = map(shown_level, ("Level that the engine plays", "Level that comes in", "Level in this browser"))


def test_the_levels_of_the_engine_are_shown_and_its_peaks_are_held(page: Page, host: LiveHost, make: Make) -> None:
    take = make("a slow tide", seconds=2.0)
    until(page, f"{OUT} === -60 && {IN} === -60")
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        unison.call("/unison/play/start", take.id)
    until(page, f"{OUT} > -40 && {IN} > -40")
    meter = page.get_by_role("meter", name="Level that the engine plays")
    expect(meter).to_contain_text("dBFS")
    assert page.evaluate(HERE) == -60
    until(page, f"{OUT} === -60 && {IN} === -60")
    choose_take(page, take)
    page.keyboard.press("Space")
    until(page, f"{HERE} > -40")
    assert page.evaluate(OUT) == -60


def test_what_limits_the_output_is_told(page: Page, host: LiveHost, make: Make) -> None:
    take = make("a loud tide", seconds=5.0)
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        (playback, _) = unison.call("/unison/play/start", take.id, 24.0)
        expect(page.locator(".limiter")).to_contain_text("dB")
        unison.call("/unison/play/stop", playback)
    expect(page.locator(".limiter")).to_be_empty()


def test_another_device_is_opened(page: Page, host: LiveHost, make: Make) -> None:
    choose_take(page, make("a calm sea"))
    page.locator("h1").click()
    page.keyboard.press("d")
    dialog = page.get_by_role("dialog", name="Sound device")
    expect(dialog.get_by_role("radio", name="loopback")).to_be_checked()
    dialog.get_by_role("radio", name="null").check()
    dialog.get_by_text("Options").click()
    dialog.get_by_label("Rate").fill("9")
    dialog.get_by_role("button", name="Open").click()
    expect(dialog.get_by_role("alert")).to_contain_text("8000")
    dialog.get_by_label("Rate").fill("44100")
    dialog.get_by_role("button", name="Open").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("button.device")).to_contain_text("null")
    expect(page.locator("button.device")).to_contain_text("44.1 kHz")
    expect(page.get_by_label("Heard in")).to_contain_text("At the engine: null")
    assert host.server.deck.device.rate == 44_100
    page.locator("button.device").click()
    dialog.get_by_role("button", name="Look again").click()
    expect(dialog.get_by_role("radio", name="null")).to_be_checked()
    dialog.get_by_role("radio", name="loopback").check()
    dialog.get_by_role("button", name="Open").click()
    expect(page.locator("button.device")).to_contain_text("loopback")


def test_what_came_in_last_is_kept_edited_and_cloned(page: Page, host: LiveHost, make: Make) -> None:
    take = make("a bell", seconds=2.0)
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        unison.call("/unison/play/start", take.id)
    until(page, f"{IN} > -40")
    page.get_by_label("Seconds to take").fill("0.5")
    page.locator("h1").click()
    page.keyboard.press("c")
    expect(page.locator("#take h2")).to_contain_text("capture of loopback")
    (kept,) = host.library.search(task="capture")
    assert kept.recipe.request["seconds"] == 0.5 and kept.recipe.request["input"] == 0
    page.get_by_role("button", name="Edit what was heard").click()
    expect(page.locator("input[value=scene_edit]")).to_be_checked()
    expect(page.locator("[name=source]")).not_to_have_value("")
    edited = host.library.search(task="capture")[-1]
    expect(page.locator("[name=source]")).to_have_value(edited.id)
    page.get_by_label("Input to take").select_option("2")
    page.get_by_role("button", name="Clone the voice on input 2").click()
    expect(page.locator("input[value=voice_clone]")).to_be_checked()
    expect(page.locator("[name=reference]")).not_to_have_value("")
    cloned = host.library.search(task="capture")[-1]
    expect(page.locator("[name=reference]")).to_have_value(cloned.id)
    assert cloned.recipe.request["input"] == 2

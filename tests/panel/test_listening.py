"""A sound is heard, compared, cut and carried away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from playwright.sync_api import Page, expect

from tests.panel.conftest import Make
from tests.panel_browser import choose_take, draw_region, in_chromium, share_of_ink, until
from unison_engine.client import connect
from unison_engine.testing import LiveHost

pytestmark = in_chromium


def test_play_stops_and_goes_on_and_the_arrows_move_the_position(page: Page, make: Make) -> None:
    take = make("a long wind", seconds=5.0)
    choose_take(page, take)
    play = page.get_by_role("button", name="Play", exact=True)
    view = page.get_by_role("slider")
    view.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(view).to_have_attribute("aria-valuenow", "0.50")
    page.keyboard.press("Space")
    until(page, "parseFloat(document.querySelector('.clock').textContent) > 0.7")
    page.keyboard.press("Space")
    expect(play).to_be_visible()
    stopped = float(view.get_attribute("aria-valuenow") or 0)
    play.click()
    until(page, f"parseFloat(document.querySelector('.clock').textContent) > {stopped + 0.1}")


def test_a_take_is_heard_at_the_device_of_the_engine(page: Page, host: LiveHost, make: Make) -> None:
    take = make("a slow tide", seconds=5.0)
    choose_take(page, take)
    page.get_by_label("Heard in").select_option("engine")
    view = page.get_by_role("slider")
    view.focus()
    page.keyboard.press("PageUp")  # By a second.
    page.keyboard.press("Space")
    until(page, "parseFloat(document.querySelector('.clock').textContent) > 1.2")
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        ((_, asset, state, position, *_),) = unison.entries("/unison/play/list")
        assert (asset, state) == (take.id, "playing") and isinstance(position, float) and 1.0 < position < 5.0
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
        unison.call("/unison/sync")
        while unison.entries("/unison/play/list"):  # It fades out.
            page.wait_for_timeout(20)
        page.keyboard.press("End")
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()  # It ended by itself.
        expect(view).to_have_attribute("aria-valuenow", "5.00")


def test_variations_stand_side_by_side_and_in_the_descent(page: Page, host: LiveHost, make: Make) -> None:
    take = make("one wave breaks")
    choose_take(page, take)
    page.keyboard.press("v")
    rows = page.locator(".variations li")
    expect(rows).to_have_count(5)
    expect(page.locator(".descent button")).to_have_count(5)
    until(page, "[...document.querySelectorAll('.strip .spectrum')].every(({ width }) => width > 300)")
    assert share_of_ink(rows.nth(3).locator(".wave")) > 0.02
    page.keyboard.press("Space")
    until(page, "parseFloat(document.querySelector('.clock').textContent) > 0.2")
    page.keyboard.press("3")
    expect(rows.nth(2).locator("button")).to_have_attribute("aria-pressed", "true")
    position = float(page.get_by_role("slider").get_attribute("aria-valuenow") or 0)
    assert position > 0.15  # It goes on where the other one was.
    family = host.library.tree(take.id)
    assert [depth for depth, _ in family] == [0, 1, 1, 1, 1]
    expect(page.locator("#take .drag")).to_have_text(f"{family[2][1].id}.wav")
    expect(page.locator(".descent [aria-current=true]")).to_contain_text(f"seed {family[2][1].recipe.seed}")
    page.locator(".descent button").first.click()
    expect(page.locator("#take .drag")).to_have_text(f"{take.id}.wav")


def test_a_region_is_played_cut_out_and_used(page: Page, host: LiveHost, make: Make) -> None:
    take = make("a long train passes", seconds=4.0)
    choose_take(page, take)
    draw_region(page, 0.25, 0.5)
    start, end = page.get_by_label("Start of the region"), page.get_by_label("End of the region")
    expect(start).to_have_value("1.00")
    expect(end).to_have_value("2.00")
    end.fill("1.5")
    end.press("Tab")
    page.locator("h1").click()
    page.keyboard.press("Space")
    until(page, "parseFloat(document.querySelector('.clock').textContent) >= 1.49")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()  # It stopped at the end of the region.
    page.locator(".use").get_by_role("button", name="Scene edit").click()
    expect(page.locator("[name=source]")).not_to_have_value("")
    (part,) = host.library.search(task="cut")
    assert part.seconds == 0.5 and part.recipe.parent == take.id
    expect(page.locator("[name=source]")).to_have_value(part.id)
    page.fill("[name=instruction]", "Add rain.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#take h2")).to_have_text("Add rain.")
    expect(page.locator(".descent li")).to_have_count(3)


def test_a_take_is_dragged_out_as_a_file(page: Page, make: Make) -> None:
    take = make("a stone falls")
    choose_take(page, take)
    script = """link => {
      const dataTransfer = new DataTransfer();
      link.dispatchEvent(new DragEvent("dragstart", { dataTransfer, bubbles: true }));
      return Object.fromEntries([...dataTransfer.types].map((type) => [type, dataTransfer.getData(type)]));
    }"""
    for source in (page.locator("#take .drag"), page.locator("#rows [aria-selected=true]")):
        carried = source.evaluate(script)
        kind, name, url = carried["downloadurl"].split(":", 2)
        assert (kind, name) == ("audio/wav", f"{take.id}.wav") and carried["text/plain"] == take.id
        assert page.request.get(url).body() == take.path.read_bytes()
    with page.expect_download() as saved:
        page.locator("#take .drag").click()
    assert saved.value.suggested_filename == f"{take.id}.wav"


def test_recordings_of_this_machine_are_added(page: Page, host: LiveHost, tmp_path: Path) -> None:
    siren = tmp_path / "a far siren.flac"
    soundfile.write(siren, 0.1 * np.sin(np.arange(22_050) / 10), 44_100)
    page.get_by_label("Add files").set_input_files([siren])
    expect(page.locator("#take h2")).to_have_text("a far siren")
    assert host.library.get("a far siren").seconds == 0.5

    drop(page, "a near siren.flac", siren.read_bytes())
    expect(page.locator("#take h2")).to_have_text("a near siren")


def test_a_file_that_is_no_sound_is_refused_with_the_reason(page: Page, host: LiveHost, faults: list[str]) -> None:
    before = host.library.ids()
    with page.expect_console_message(lambda said: said.type == "error"):  # Chromium logs every answer of this kind.
        drop(page, "notes.txt", b"Rain, then a door.")
    told = "'notes' is not readable audio; send a WAV, FLAC, OGG or MP3 file."
    expect(page.locator("#note")).to_have_text(told)
    assert faults == ["Failed to load resource: the server responded with a status of 400 (Bad Request)"]
    faults.clear()
    assert sorted(host.library.ids()) == sorted(before)


def drop(page: Page, name: str, content: bytes) -> None:
    """Drop a file of the desktop onto the panel."""
    page.evaluate(
        """([name, bytes]) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(bytes)], name));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true }));
        }""",
        [name, list(content)],
    )

"""A library of many takes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from tests.panel_browser import in_chromium, open_panel
from unison_engine.client import connect
from unison_engine.takes import Recipe
from unison_engine.testing import LiveHost, open_fast

pytestmark = in_chromium


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    """A host with 500 takes."""
    with LiveHost(open_fast, tmp_path_factory.mktemp("many")) as live:
        with connect(f"tcp://127.0.0.1:{live.port}") as unison:
            first = unison.run("text_to_audio", prompt="sound 0", seconds=0.1)
        for number in range(1, 500):
            words = f"sound {number}" if number < 499 else "a zither"  # No random end of a name has these letters.
            request = {**first.recipe.request, "prompt": words}
            recipe = first.recipe.model_copy(update={"request": request, "prompt": f"[Audio] {words}"})
            live.library.save(np.zeros(2400, np.float32), 24_000, Recipe.model_validate(recipe.model_dump()))
        yield live


def test_of_500_takes_those_in_view_are_in_the_page(browser: Browser, full: LiveHost) -> None:
    faults: list[str] = []
    page = open_panel(browser, full.port, faults)
    expect(page.locator("#total")).to_have_text("500 takes")
    rows = page.locator("#rows .row")
    expect(rows.first).to_contain_text("sound")
    for top in range(0, 30_000, 700):
        page.evaluate("top => { document.querySelector('#rows').scrollTop = top }", top)
    assert rows.count() < 40
    expect(rows.first).not_to_have_text("…")
    page.locator("#rows").focus()
    page.keyboard.press("End")
    last = page.locator("[aria-posinset='500']")
    expect(last).to_have_attribute("aria-selected", "true")
    expect(last).to_be_in_viewport()
    page.keyboard.press("Home")
    expect(page.locator("[aria-posinset='1']")).to_be_in_viewport()
    page.keyboard.press("/")
    page.keyboard.type("zither")
    expect(page.locator("#total")).to_have_text("1 take")
    expect(rows).to_have_count(1)
    page.close()
    assert faults == []

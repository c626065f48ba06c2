"""Who gets in, what is told when the engine is gone, and who can use the page."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.panel.conftest import Make
from tests.panel_browser import choose_take, choose_task, in_chromium, open_panel, until
from unison_engine.client import connect
from unison_engine.registry import load_registry
from unison_engine.testing import LiveHost, open_fast

pytestmark = in_chromium
TOKEN = "a long secret"


def test_an_engine_that_goes_away_is_told(browser: Browser, tmp_path: Path) -> None:
    with LiveHost(open_fast, tmp_path) as host:
        page = open_panel(browser, host.port, [])
        expect(page.locator("#model")).to_have_text("noise, ready")
    expect(page.locator("#model")).to_contain_text("does not answer")
    page.close()


def test_a_token_is_asked_for_once(browser: Browser, tmp_path: Path) -> None:
    with LiveHost(open_fast, tmp_path, "0.0.0.0", TOKEN) as far:
        with connect(f"tcp://127.0.0.1:{far.port}", TOKEN) as unison:
            unison.run("text_to_audio", prompt="sea", seconds=1.0)
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{far.port}/panel")
        field = page.get_by_label("This engine asks for the token")
        field.fill("not the secret")
        page.keyboard.press("Enter")
        expect(page.locator("#token .wrong")).to_have_text("That is not the token.")
        field.fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.locator("#take h2")).to_have_text("sea")
        page.get_by_role("button", name="Play", exact=True).click()
        until(page, "parseFloat(document.querySelector('.clock').textContent) > 0.1")
        again = context.new_page()
        again.goto(f"http://127.0.0.1:{far.port}/panel")
        expect(again.locator("#take h2")).to_have_text("sea")
        context.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from npm."""
    if not shutil.which("npm"):
        pytest.skip("npm is missing: sudo apt-get install npm")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(["npm", "pack", "axe-core"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"axe-core cannot be fetched: {done.stderr.strip()[-200:]}")
    shutil.unpack_archive(next(folder.glob("*.tgz")), folder)
    return (folder / "package" / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 820])
def test_axe_finds_nothing_serious(
    browser: Browser, host: LiveHost, axe: str, scheme: str, width: int, make: Make
) -> None:
    take = make("one wave breaks")
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        unison.vary(take.id, 2)
    page = open_panel(browser, host.port, [], color_scheme=scheme, viewport={"width": width, "height": 1000})
    choose_take(page, take)
    expect(page.locator(".variations li")).to_have_count(3)
    page.evaluate(axe)  # In the page's own world, past its policy.

    def check(what: str) -> None:
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        told = [(one["id"], one["impact"], [node["target"] for node in one["nodes"]]) for one in found]
        assert [one for one in told if one[1] in ("serious", "critical")] == [], (what, json.dumps(told))

    check("at rest")
    page.get_by_role("button", name="Keep its voice").click()
    page.get_by_label("Its words").fill("A wave.")
    page.keyboard.press("Shift+Tab")
    page.keyboard.type("wave")
    page.keyboard.press("Enter")
    expect(page.locator("#voices li").first).to_be_visible()
    check("voices")
    for name in load_registry().tasks:
        choose_task(page, name)
        page.locator("#compose summary").click()
        check(name)
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    check("shortcuts")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    expect(page.get_by_role("radio", name="loopback")).to_be_visible()
    page.locator("#device summary").click()
    check("device")
    page.close()

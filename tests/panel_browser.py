"""Chromium for the tests, the benchmark and the pictures of the panel, and what is done in it again and again."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from unison_engine.takes import Take

MISSING = "Chromium is missing: sudo apt-get install chromium"
PATIENCE = 30_000.0  # Milliseconds; only a failing test waits this long.
expect.set_options(timeout=PATIENCE)


def chromium() -> str | None:
    """Where it is installed, if it is."""
    return shutil.which("chromium") or shutil.which("google-chrome")


in_chromium = [pytest.mark.slow, pytest.mark.skipif(not chromium(), reason=MISSING)]


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium without a window. Its sandbox wants rights that containers do not give."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


def open_panel(browser: Browser, port: int, faults: list[str], **options: object) -> Page:
    """The panel in a new window, ready for use; `faults` is told what its console says of errors."""
    page = browser.new_page(**options)  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"http://127.0.0.1:{port}/panel")
    page.wait_for_selector("#compose .tabs")
    return page


def choose_task(page: Page, name: str) -> None:
    """Show the form of a task."""
    page.locator(f"label:has(input[value={name}])").click()


def choose_take(page: Page, take: Take) -> None:
    """Show a take of the list, drawn whole."""
    page.locator(f'[data-take="{take.id}"]').click()
    expect(page.locator("#take .drag")).to_have_text(f"{take.id}.wav")
    expect(page.locator(".view.loading")).to_have_count(0)


def draw_region(page: Page, start: float, end: float) -> None:
    """Draw out a part of the shown sound; both are shares of its length."""
    box = page.locator(".view").bounding_box()
    assert box
    page.mouse.move(box["x"] + start * box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], box["y"] + 50, steps=5)
    page.mouse.up()


def shown_level(meter: str) -> str:
    """The expression of what a meter shows, in dBFS; -60 is its least."""
    return f"Number(document.querySelector('[role=meter][aria-label=\"{meter}\"]').ariaValueNow)"


def until(page: Page, script: str) -> None:
    """Wait for an expression to be true. Playwright's own way compiles it in the page, which its policy forbids."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(script):
        assert time.monotonic() < deadline, script
        page.wait_for_timeout(20)


def share_of_ink(canvas: Locator) -> float:
    """How much of a canvas is another colour than its corner."""
    script = """canvas => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let ink = 0;
      for (let at = 0; at < data.length; at += 4)
        ink += [0, 1, 2, 3].some((part) => Math.abs(data[at + part] - data[part]) > 8);
      return ink / (data.length / 4);
    }"""
    return float(canvas.evaluate(script))

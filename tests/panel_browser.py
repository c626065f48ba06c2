"""Chromium for the tests, the benchmark and the pictures of the panel."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, Page, sync_playwright

MISSING = "Chromium is missing: sudo apt-get install chromium"
PATIENCE = 30_000.0  # Milliseconds; only a failing test waits this long.


def chromium() -> str | None:
    """Where it is installed, if it is."""
    return shutil.which("chromium") or shutil.which("google-chrome")


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

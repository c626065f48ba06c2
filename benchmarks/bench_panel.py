"""How soon the panel is seen and can be used, in Chromium on this machine, beside a library of 500 takes.

python -m benchmarks.bench_panel [--runs 7]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser

from tests.panel_browser import MISSING, chromium, open_browser
from unison_engine.client import connect
from unison_engine.testing import LiveHost, open_fast

TAKES = 500
_PAINT = "performance.getEntriesByType('paint').find(({ name }) => name === '{name}').startTime"
_BYTES = """performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
    .filter(({ name }) => name.includes('/panel')).reduce((sum, { transferSize }) => sum + transferSize, 0)"""


def main() -> None:
    """Print medians over fresh browser contexts, which hold nothing in a cache."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=7)
    chosen = options.parse_args()
    if not chromium():
        raise SystemExit(MISSING)
    with tempfile.TemporaryDirectory() as folder, LiveHost(open_fast, Path(folder)) as host:
        fill(host)
        with open_browser() as browser:
            measured = [measure(browser, host.port) for _ in range(chosen.runs + 1)][1:]
    print("| what | median | least | greatest |\n| --- | --- | --- | --- |")
    for name in measured[0]:
        values = [one[name] for one in measured]
        print(f"| {name} | {statistics.median(values):.0f} | {min(values):.0f} | {max(values):.0f} |")


def fill(host: LiveHost) -> None:
    """A library of many short takes."""
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        first = unison.run("text_to_audio", prompt="sound 0", seconds=0.5)
    for _ in range(TAKES - 1):
        host.library.save(np.zeros(12_000, np.float32), 24_000, first.recipe)


def measure(browser: Browser, port: int) -> dict[str, float]:
    """One visit: milliseconds from the navigation on, and bytes of the page and its parts."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}/panel")
    page.wait_for_selector("#compose .tabs")
    form = page.evaluate("performance.now()")
    page.wait_for_selector(".view:not(.loading)")
    sound = page.evaluate("performance.now()")
    told = {
        "first paint, ms": page.evaluate(_PAINT.replace("{name}", "first-paint")),
        "first contentful paint, ms": page.evaluate(_PAINT.replace("{name}", "first-contentful-paint")),
        "form ready, ms": form,
        "newest take drawn, ms": sound,
        "page and its parts, KB": page.evaluate(_BYTES) / 1000,
    }
    context.close()
    return {name: float(value) for name, value in told.items()}


if __name__ == "__main__":
    main()

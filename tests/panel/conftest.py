"""A browser, a host with a plugin that the panel does not know, and the panel in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, Page

from tests.panel_browser import open_browser, open_panel
from unison_engine.client import connect
from unison_engine.registry import PluginSource
from unison_engine.switches import Switches
from unison_engine.takes import Take
from unison_engine.testing import LiveHost, open_slow

Make = Callable[..., Take]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    folder = tmp_path_factory.mktemp("host")
    stranger = EntryPoint("bells", "tests.panel.bell_tower", "unison_engine")
    plugins = PluginSource((*entry_points(group="unison_engine"), stranger), Switches(folder / "plugins.json"))
    with LiveHost(open_slow, folder / "takes", plugins=plugins) as live:
        yield live


@pytest.fixture
def faults() -> list[str]:
    """What the console of `page` says of errors; a test takes out what it expects."""
    return []


@pytest.fixture
def page(browser: Browser, host: LiveHost, faults: list[str]) -> Iterator[Page]:
    opened = open_panel(browser, host.port, faults)
    yield opened
    opened.close()
    assert faults == []


@pytest.fixture
def make(host: LiveHost) -> Make:
    """Makes a sound of a caption, of a second if nothing else is asked for."""

    def made(prompt: str, **fields: object) -> Take:
        with connect(f"tcp://127.0.0.1:{host.port}") as unison:
            return unison.run("text_to_audio", prompt=prompt, **cast(dict[str, Any], {"seconds": 1.0, **fields}))

    return made

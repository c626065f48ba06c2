"""Fixtures for the tests of plugins: `pytest_plugins = ["unison_engine.testing.fixtures"]` in the top `conftest.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from unison_engine.engine import Engine
from unison_engine.registry import PluginSource
from unison_engine.switches import Switches
from unison_engine.takes import TakeLibrary
from unison_engine.testing.clients import OscClient
from unison_engine.testing.clock import OfflineClock
from unison_engine.testing.host import LiveHost
from unison_engine.testing.model import NoiseSynthesizer, open_fast
from unison_engine.testing.project import entry_points_of


@pytest.fixture
def plugin_source(tmp_path: Path, pytestconfig: pytest.Config) -> PluginSource:
    """The plugins of the project under test, installed or not, and all others that are installed; all enabled."""
    return PluginSource(entry_points_of(pytestconfig.rootpath), Switches(tmp_path / "plugins.json"))


@pytest.fixture
def engine(tmp_path: Path, plugin_source: PluginSource) -> Engine:
    """An engine in this process, with the fake model and an empty library."""
    return Engine(NoiseSynthesizer(), plugin_source.load(), TakeLibrary(tmp_path / "takes"))


@pytest.fixture
def live_host(tmp_path: Path, plugin_source: PluginSource) -> Iterator[LiveHost]:
    """A host that answers OSC, with the fake model, an empty library and the null device."""
    with LiveHost(open_fast, tmp_path / "takes", plugins=plugin_source) as live:
        yield live


@pytest.fixture
def osc_client(live_host: LiveHost) -> Iterator[OscClient]:
    """A client of `live_host`."""
    with live_host.client() as client:
        yield client


@pytest.fixture
def offline_clock() -> OfflineClock:
    """A clock that only the test moves."""
    return OfflineClock()

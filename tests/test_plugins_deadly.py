"""Plugins that end or hang whatever loads them: the host starts, says which and why, and the others work."""

from __future__ import annotations

import functools
import os
import signal
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest
from click.testing import CliRunner

from unison_engine import cli, cli_plugins, trial
from unison_engine.host.plugins import Plugins
from unison_engine.registry import PluginSource
from unison_engine.switches import Switches
from unison_engine.testing import LiveHost, open_fast

RAIN = "/unison/run/text_to_audio"
IN_A_HOOK = """
import ctypes, os, sys, threading
from unison_engine.hooks import hookimpl

@hookimpl
def unison_register_tasks(register):
    {what}
"""
WELL = """
from unison_engine.conditioning import Conditioning
from unison_engine.hooks import hookimpl
from unison_engine.tasks import Request, Task

class Empty(Request):
    pass

@hookimpl
def unison_register_tasks(register):
    register(Task("{name}", "A sound.", Empty, lambda request, context: Conditioning("[Audio] rain", 0.2)))
"""
PLUGINS = {
    "exits": ("import os; os._exit(3)", "exit code 3"),
    "quits": ("import sys; sys.exit('enough')", "SystemExit: enough"),
    "rises": ("class Odd(BaseException): pass\nraise Odd('odd')", "exit code 1"),
    "raises": (IN_A_HOOK.format(what="raise KeyError('lost')"), "KeyError: 'lost'"),
    "crashes": (IN_A_HOOK.format(what="ctypes.string_at(0)"), "killed by SIGSEGV"),
    "hangs": (IN_A_HOOK.format(what="threading.Event().wait()"), "did not load within 3 s"),
    "works": (WELL.format(name="works"), ""),
}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PluginSource:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    monkeypatch.setattr(trial, "TRIAL_SECONDS", 3.0)
    for name, (code, _) in PLUGINS.items():
        (tmp_path / f"deadly_{name}.py").write_text(code)
    own = (EntryPoint(name, f"deadly_{name}", "unison_engine") for name in PLUGINS)
    return PluginSource((*own, *entry_points(group="unison_engine")), Switches(tmp_path / "plugins.json"))


def test_a_host_starts_beside_plugins_that_end_it_and_takes_them_when_they_are_mended(
    tmp_path: Path, source: PluginSource
) -> None:
    with LiveHost(open_fast, tmp_path / "takes", plugins=source) as host, host.client() as client:
        client.ask("/unison/plugin/list", 1, reply="/unison/end")
        listed = {row[3]: row[6:] for address, row in client.seen if address == "/unison/item"}
        for name, (_, told) in PLUGINS.items():
            state, _, error = listed[name]
            assert state == ("failed" if told else "ok") and told in error
        assert client.ask(RAIN, 2, "rain", 0.2)[1] == 2
        assert client.ask("/unison/run/works", 3)[1] == 3
        client.send("/unison/plugin/reload", 4, "hangs")
        code, text = client.until("/unison/fail")[2:4]
        assert code == "plugin_failed" and "'hangs' did not load within 3 s" in text
        (tmp_path / "deadly_exits.py").write_text(WELL.format(name="exits"))
        assert client.ask("/unison/plugin/reload", 5, "exits")[3:] == ["exits", "", "ok"]
        assert client.ask("/unison/run/exits", 6)[1] == 6
        assert client.ask(RAIN, 7, "rain", 0.2)[1] == 7


def install_deadly(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the plugin `exits` installed, as pip would."""
    info = folder / "deadly_exits-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: deadly-exits\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[unison_engine]\nexits = deadly_exits\n")
    (folder / "deadly_exits.py").write_text(PLUGINS["exits"][0])
    monkeypatch.syspath_prepend(folder)


def test_a_bundle_is_opened_beside_an_installed_plugin_that_ends_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The synthesizer of a bundle looks for backends among all that is installed."""
    install_deadly(tmp_path, monkeypatch)
    opener = functools.partial(cli._open_bundle, "nano", "onnxruntime")
    with LiveHost(opener, tmp_path / "takes") as host, host.client() as client:
        client.ask("/unison/plugin/list", 1, reply="/unison/end")
        listed = {row[3]: row[6:] for address, row in client.seen if address == "/unison/item"}
        assert listed["exits"][0] == "failed"
    listed_in_shell = CliRunner().invoke(cli.cli, ["tasks"], catch_exceptions=False)
    assert "'exits' ended the process" in listed_in_shell.stderr and "text_to_audio" in listed_in_shell.stdout


def test_a_plugin_that_changed_and_ends_the_worker_is_named_and_switched_off(
    tmp_path: Path, source: PluginSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = tuple(entry for entry in source.found or () if entry.name in ("works", "unison_plugins"))
    with (
        LiveHost(open_fast, tmp_path / "takes", plugins=PluginSource(some, source.switches)) as host,
        host.client() as client,
    ):
        assert client.ask("/unison/run/works", 1)[1] == 1
        (tmp_path / "deadly_works.py").write_text(PLUGINS["exits"][0])
        worker = host.server.worker.pid
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        host.server.worker._process.join()  # type: ignore[union-attr]
        for req in (2, 3, 4):
            client.send(RAIN, req, "rain", 0.2)
            _, got, code, text, _ = client.until("/unison/fail")
            assert (got, code) == (req, "plugin_failed") and "'works'" in text and "exit code 3" in text
        assert client.ask(RAIN, 5, "rain", 0.2)[1] == 5
        assert "exit code 3" in source.switches.off()["works"]


def test_to_switch_a_plugin_off_loads_none_that_was_installed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = Plugins(PluginSource(switches=Switches(tmp_path / "plugins.json")), lambda fresh: None)
    install_deadly(tmp_path, monkeypatch)
    plugins.disable("unison_plugins", "It is noisy.")
    assert plugins.registry.plugin("unison_plugins").state == "disabled"
    assert "exits" not in {plugin.name for plugin in plugins.registry.plugins}


def test_the_shell_lists_a_plugin_that_ends_processes_and_switches_it_off(
    source: PluginSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = tuple(entry for entry in source.found or () if entry.name in ("exits", "works"))
    monkeypatch.setattr(cli_plugins, "PluginSource", lambda: PluginSource(some, source.switches))
    monkeypatch.setattr(cli_plugins, "Switches", lambda: source.switches)
    listed = CliRunner().invoke(cli_plugins.plugins, ["list"], catch_exceptions=False).stdout
    assert "'exits' ended the process that loaded it: exit code 3" in listed and "task works" in listed
    assert CliRunner().invoke(cli_plugins.plugins, ["disable", "exits"], catch_exceptions=False).exit_code == 0
    assert list(source.switches.off()) == ["exits"]

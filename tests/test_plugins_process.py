"""The process of a plugin's commands: what ends it counts once, and what stops it on purpose is nobody's fault."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from unison_engine.errors import Interrupted, PluginFailed, UnisonError
from unison_engine.host import plugin_process
from unison_engine.host.plugin_process import PluginProcess
from unison_engine.plugin_parts import Value
from unison_engine.registry import PluginSource
from unison_engine.schema import Schema
from unison_engine.switches import Switches

COMMANDS = """
import os, threading
from unison_engine.hooks import hookimpl
from unison_engine.plugin_parts import PluginCommand
from unison_engine.schema import Schema

class Nothing(Schema):
    pass

ANSWERS = {
    "hang": ("", lambda: threading.Event().wait()),
    "exit": ("", lambda: os._exit(3)),
    "none": ("", lambda: None),
    "long": ("i count", lambda: [2**31]),
    "loud": ("f level", lambda: [1e39]),
    "most": ("i count, f level", lambda: [2**31 - 1, 1e38]),
    "others": ("s modules", lambda: [" ".join(name for name in __import__("sys").modules if name.startswith("some_"))]),
}

@hookimpl
def unison_register_commands(register):
    for name, (reply, answer) in ANSWERS.items():
        run = lambda asked, engine, answer=answer: answer()
        register(PluginCommand(f"/some/{name}", "Does it.", Nothing, run, reply))
"""


class Record:
    """What was told of the plugin."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def worked(self, plugin: str) -> None:
        self.counts["worked"] += 1

    def failed(self, plugin: str, reason: str) -> None:
        self.counts["failed"] += 1


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PluginSource:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "some_commands.py").write_text(COMMANDS)
    (tmp_path / "some_other.py").write_text("")
    names = ("some_other", "some_commands")
    return PluginSource(
        tuple(EntryPoint(name, name, "unison_engine") for name in names), Switches(tmp_path / "plugins.json")
    )


def outcomes(
    source: PluginSource, *names: str, stop: bool = False
) -> tuple[Record, list[tuple[Value, ...] | UnisonError]]:
    """What comes of calls that are all open at once, and how the plugin stands after."""
    record = Record()

    async def ask() -> list[tuple[Value, ...] | UnisonError]:
        process = PluginProcess("some_commands", source, "tcp://127.0.0.1:1", "", record)
        try:
            await process._started
            calls = [asyncio.ensure_future(process.call(f"/some/{name}", Schema())) for name in names]
            if stop:
                await asyncio.sleep(0)
                process.close()
            return await asyncio.gather(*calls, return_exceptions=True)  # type: ignore[return-value]
        finally:
            process.close()

    return record, asyncio.run(ask())


@pytest.mark.parametrize(("names", "told"), [(["hang"] * 3, "did not return"), (["hang", "exit"], "exit code 3")])
def test_what_ends_the_process_counts_once_for_all_calls(
    source: PluginSource, monkeypatch: pytest.MonkeyPatch, names: list[str], told: str
) -> None:
    monkeypatch.setattr(plugin_process, "COMMAND_SECONDS", 1.0 if set(names) == {"hang"} else 60.0)
    record, got = outcomes(source, *names)
    assert all(isinstance(one, PluginFailed) and told in str(one) for one in got), got
    assert record.counts == {"failed": 1}


def test_a_process_that_is_stopped_on_purpose_is_no_fault_of_the_plugin(source: PluginSource) -> None:
    record, got = outcomes(source, "hang", "hang", stop=True)
    assert [type(one) for one in got] == [Interrupted, Interrupted] and not record.counts


def test_a_command_that_answers_nothing_may_return_none_and_numbers_have_to_fit(source: PluginSource) -> None:
    record, (none, long, loud, most) = outcomes(source, "none", "long", "loud", "most")
    assert none == () and most == (2**31 - 1, 1e38)
    assert "2147483648 as `i count`" in str(long) and "1e+39 as `f level`" in str(loud)
    assert record.counts == {"worked": 2, "failed": 2}


def test_the_process_of_a_plugin_loads_no_other(source: PluginSource) -> None:
    assert outcomes(source, "others")[1] == [("some_commands",)]

"""Whatever a plugin does, the host answers, says which plugin it was and why, and goes on."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from unison_engine.registry import PluginSource
from unison_engine.switches import Switches
from unison_engine.testing import LiveHost, OscClient, open_fast

RUN = "/unison/run/hostile"
RAIN = "/unison/run/text_to_audio"
SECONDS = 2.0
FAULTS = (
    ("raise", "KeyError: 'lost'"),
    ("quit", "SystemExit: enough"),
    ("exit", "exit code 3"),
    ("crash", "killed by SIGSEGV"),
    ("hang", "did not return"),
)
"""Ways in which the code of a plugin ends, as `tests.hostile_plugin` knows them, and what is told of each."""


def source(folder: Path, *more: EntryPoint) -> PluginSource:
    hostile = EntryPoint("hostile", "tests.hostile_plugin", "unison_engine")
    return PluginSource((*entry_points(group="unison_engine"), hostile, *more), Switches(folder / "plugins.json"))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    folder = tmp_path_factory.mktemp("host")
    with LiveHost(open_fast, folder / "takes", plugins=source(folder), plugin_seconds=SECONDS) as live:
        yield live


@pytest.fixture
def client(host: LiveHost) -> Iterator[OscClient]:
    with host.client() as osc:
        yield osc
        osc.ask(RUN, 9999)  # A call that goes well, so that failures of other tests are not in a row.


@pytest.mark.parametrize(("way", "told"), [*FAULTS, ("none", "TypeError|ValueError")])
@pytest.mark.parametrize("part", ["hostile", "halve"])
def test_a_job_whose_plugin_fails_names_it_and_the_next_is_served(
    client: OscClient, part: str, way: str, told: str
) -> None:
    client.send(RUN, 1, *([way, "no"] if part == "hostile" else ["no", way]))
    command, req, code, text, job = client.until("/unison/fail")
    assert (command, req, code) == (RUN, 1, "plugin_failed") and job
    assert "the plugin 'hostile'" in text and repr(part) in text and re.search(told, text), text
    assert client.ask(RAIN, 2, "rain", 0.2)[1] == 2


def test_an_error_for_the_user_is_told_as_it_is(client: OscClient) -> None:
    client.send(RUN, 1, "refuse")
    assert client.until("/unison/fail")[2:4] == ["bad_args", "not today; ask tomorrow."]


def test_a_validator_that_raises_is_told_with_the_plugin(client: OscClient) -> None:
    client.send(RUN, 1, "no", "no", "text", "odd")
    client.send("/unison/run/json", 2, "hostile", json.dumps({"text": "odd"}))
    for req in (1, 2):
        _, got, code, text, _ = client.until("/unison/fail")
        assert (got, code) == (req, "plugin_failed") and "'hostile'" in text and "odd words are lost" in text


def test_an_effect_changes_the_sound_and_stands_in_the_recipe(host: LiveHost, client: OscClient) -> None:
    take = host.library.get(client.ask(RUN, 1, "no", "no", "seed", 4)[7])
    plain = host.library.get(client.ask(RAIN, 2, "rain", 0.2, "seed", 4)[7])
    assert take.recipe.effects == ("halve",) and plain.recipe.effects == ()
    assert plain.lufs - take.lufs == pytest.approx(6.02, abs=0.05)


@pytest.mark.parametrize(("way", "told"), [*FAULTS, ("none", "its reply is declared")])
def test_a_command_that_fails_names_its_plugin_and_the_next_is_served(
    client: OscClient, monkeypatch: pytest.MonkeyPatch, way: str, told: str
) -> None:
    way_, process = client.ask("/hostile/do", 1)[3:]
    assert way_ == "no" and process != os.getpid()
    monkeypatch.setattr("unison_engine.host.plugin_process.COMMAND_SECONDS", SECONDS)
    client.send("/hostile/do", 2, way)
    command, req, code, text, _ = client.until("/unison/fail")
    assert (command, req, code) == ("/hostile/do", 2, "plugin_failed")
    assert "'hostile'" in text and re.search(told, text), text
    monkeypatch.undo()
    assert client.ask("/hostile/do", 3)[3] == "no"


def test_a_command_of_a_plugin_is_heard_while_a_daw_is_followed(client: OscClient) -> None:
    client.ask("/unison/transport/follow", 1, "reaper")
    try:
        assert client.ask("/hostile/do", 2)[3] == "no"
    finally:
        client.ask("/unison/transport/follow", 3, "none")


def test_a_plugin_that_keeps_failing_is_disabled_with_the_reason_and_enabled_again(tmp_path: Path) -> None:
    plugins = source(tmp_path)
    with LiveHost(open_fast, tmp_path / "takes", plugins=plugins) as host, host.client() as client:
        for req in range(3):
            client.send(RUN, 1 + req, "raise")
            assert client.until("/unison/fail")[2] == "plugin_failed"
        client.send(RUN, 4)
        code, text = client.until("/unison/fail")[2:4]
        assert code == "unknown_task" and "unison plugins show hostile" in text
        assert "3 times in a row" in plugins.switches.off()["hostile"]
        client.ask("/unison/plugin/list", 5, reply="/unison/end")
        listed = {row[3]: row[6:] for address, row in client.seen if address == "/unison/item"}
        assert listed["hostile"][0] == "disabled" and "KeyError" in listed["hostile"][2]
        assert client.ask(RAIN, 6, "rain", 0.2)[1] == 6
        assert client.ask("/unison/plugin/enable", 7, "hostile")[3:] == ["hostile", "", "ok"]
        assert client.ask(RUN, 8)[1] == 8 and plugins.switches.off() == {}
        client.ask("/unison/plugin/disable", 9, "hostile", "It is noisy.")
        client.send("/hostile/do", 10)
        assert client.until("/unison/fail")[2] == "unknown_address"
        assert plugins.switches.off() == {"hostile": "It is noisy."}


BESIDE = """
from unison_engine.conditioning import Conditioning
from unison_engine.hooks import hookimpl
from unison_engine.plugin_parts import Effect
from unison_engine.tasks import Request, Task

def fickle(wave, sound):
    if sound.request.tag:
        raise KeyError(sound.request.tag)
    return wave

@hookimpl
def unison_register_effects(register):
    register(Effect("{name}", "Fails where there is a tag.", fickle))
"""


def test_an_effect_that_works_in_between_does_not_fail_in_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "beside_plugin.py").write_text(BESIDE.format(name="fickle"))
    plugins = source(tmp_path, EntryPoint("beside", "beside_plugin", "unison_engine"))
    with LiveHost(open_fast, tmp_path / "takes", plugins=plugins) as host, host.client() as client:
        for req in (1, 2, 3):
            client.send(RAIN, req, "rain", 0.2, "tag", "odd")
            assert client.until("/unison/fail")[2] == "plugin_failed"
            if req == 2:
                assert client.ask(RAIN, 9, "rain", 0.2)[1] == 9
        assert host.server.plugins.failures["beside"] == 3 and plugins.switches.off() == {}


def test_an_effect_cannot_have_the_name_of_another_plugins_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "namesake_plugin.py").write_text(BESIDE.format(name="hostile"))
    found = source(tmp_path, EntryPoint("namesake", "namesake_plugin", "unison_engine")).load()
    assert "another plugin already registered hostile" in found.plugin("namesake").error
    assert found.owners["hostile"] == "hostile" and list(found.effects) == ["halve"]


CHANGING = """
from typing import Annotated
from pydantic import Field
from unison_engine.conditioning import Conditioning
from unison_engine.hooks import hookimpl
from unison_engine.tasks import Request, Task

class Empty(Request):
    {field}

@hookimpl
def unison_register_tasks(register):
    register(Task("{name}", "A sound.", Empty, lambda request, context: Conditioning("[Audio] {prompt}", 0.2)))
"""


def test_a_plugin_is_reloaded_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    file = tmp_path / "changing_plugin.py"

    def write(name: str, prompt: str, field: str = "pass") -> None:
        file.write_text(CHANGING.format(name=name, prompt=prompt, field=field))

    write("first", "rain")
    plugins = source(tmp_path, EntryPoint("changing", "changing_plugin", "unison_engine"))
    with LiveHost(open_fast, tmp_path / "takes", plugins=plugins) as host, host.client() as client:

        def prompt(task: str, req: int) -> str:
            return host.library.get(client.ask(f"/unison/run/{task}", req)[7]).recipe.prompt

        worker = host.server.worker.pid
        assert prompt("first", 1) == "[Audio] rain"
        write("second", "heavy rain")
        assert client.ask("/unison/plugin/reload", 2, "changing")[3:] == ["changing", "", "ok"]
        assert prompt("second", 3) == "[Audio] heavy rain"
        client.send("/unison/run/first", 4)
        assert client.until("/unison/fail")[2] == "unknown_task"
        # What does not load changes nothing, even if it takes its process with it.
        for req, (broken, told) in enumerate(
            (
                ("import os; os._exit(5)", "exit code 5"),
                ("def (", "SyntaxError"),
                (CHANGING.format(name="x", prompt="", field="shape: list[int]"), "shape"),
            ),
            start=1,
        ):
            file.write_text(broken)
            client.send("/unison/plugin/reload", 10 * req, "changing")
            code, text = client.until("/unison/fail")[2:4]
            assert code == "plugin_failed" and "changing" in text and told in text, text
            assert prompt("second", 10 * req + 1) == "[Audio] heavy rain"
        assert host.server.worker.pid == worker

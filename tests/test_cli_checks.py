"""What the shell tells before it begins, or in place of a traceback."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich import print as draw

from unison_engine import cli
from unison_engine.audio import deck as deck_module
from unison_engine.audio.device import Device
from unison_engine.audio.null import NullDevice
from unison_engine.client import connect
from unison_engine.client_lines import open_line
from unison_engine.engine import Engine
from unison_engine.errors import BadArguments, DeviceFailed, LibraryFailed, UnisonError
from unison_engine.registry import PluginSource, load_registry
from unison_engine.switches import Switches
from unison_engine.takes import TakeLibrary
from unison_engine.testing import LiveHost, NoiseSynthesizer, open_fast
from unison_engine.top import drawn

RAIN = ("run", "text_to_audio", "--prompt", "rain", "--seconds", "0.2")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TakeLibrary:
    kept = TakeLibrary(tmp_path / "takes")
    engine = Engine(NoiseSynthesizer(), load_registry(), kept)
    monkeypatch.setattr(Engine, "open", lambda bundle, library, backend: engine)
    return kept


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-o", "no/such/folder/rain.wav"], "no/such/folder"),
        (["-o", "-"], "-o writes a file"),
        (["--play", "--device", "no such card"], "no such card|PortAudio is not installed"),
    ],
)
def test_what_cannot_be_done_with_a_sound_is_told_before_it_is_made(
    library: TakeLibrary, options: list[str], told: str
) -> None:
    done = CliRunner().invoke(cli.cli, [*RAIN, *options])
    assert isinstance(done.exception, UnisonError) and re.search(told, str(done.exception))
    assert library.ids() == []


def test_a_sound_that_cannot_be_copied_is_told_where_it_is(
    library: TakeLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    done = CliRunner().invoke(cli.cli, [*RAIN, "-o", str(tmp_path / "rain.wav")])
    (take,) = library.list()
    assert isinstance(done.exception, LibraryFailed) and f"the take itself is {take.path}" in str(done.exception)


class Unplugged(NullDevice):
    """Takes no frames any more."""

    alive = False

    def pump(self) -> None:
        pass


def test_a_device_that_goes_away_is_told(library: TakeLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    def unplugged(name: str | None) -> Device:
        return Unplugged()

    monkeypatch.setattr(cli, "open_device", unplugged)
    monkeypatch.setattr(deck_module, "_LOOK_SECONDS", 0.05)
    done = CliRunner().invoke(cli.cli, [*RAIN, "--play"])
    assert isinstance(done.exception, DeviceFailed) and "went away" in str(done.exception)


@pytest.mark.parametrize("port", ["77700", "-1"])
def test_a_port_that_cannot_be_is_refused(port: str) -> None:
    done = CliRunner().invoke(cli.cli, ["serve", "--port", port])
    assert done.exit_code == 2 and "0<=x<=65535" in done.stderr


@pytest.mark.parametrize(
    "url", ["tcp://127.0.0.1:77700", "tcp://127.0.0.1:port", "tcp://[::1:7770", "tcp://a..b:7770", "127.0.0.1:7770"]
)
def test_an_address_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(BadArguments, match="is no address of an engine"):
        open_line(url)


def test_what_a_host_tells_is_drawn_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    switches = Switches(tmp_path / "plugins.json")
    source = PluginSource(tuple(entry_points(group="unison_engine")), switches)
    name = source.names()[0]
    switches.set(name, "loud [red]at [/night]")
    with (
        LiveHost(open_fast, tmp_path / "takes", plugins=source) as host,
        connect(f"tcp://127.0.0.1:{host.port}") as client,
    ):
        draw(drawn(client))
    assert "loud [red]at [/night]" in capsys.readouterr().out

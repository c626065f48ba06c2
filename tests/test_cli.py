from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from unison_engine import cli
from unison_engine.engine import Engine
from unison_engine.registry import load_registry
from unison_engine.takes import TakeLibrary
from unison_engine.testing import PATIENCE, NoiseSynthesizer, OscClient

SERVE = """
import asyncio, sys
from pathlib import Path
from unison_engine.testing import open_slow
from unison_engine.cli import serve_until_stopped
from unison_engine.audio.devices import open_device
from unison_engine.takes import TakeLibrary

if __name__ == "__main__":
    asyncio.run(serve_until_stopped(open_slow, TakeLibrary(sys.argv[1]), open_device("null"), "127.0.0.1", 0))
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine(NoiseSynthesizer(), load_registry(), TakeLibrary(tmp_path / "takes"))
    monkeypatch.setattr(Engine, "open", lambda bundle, library, backend: engine)
    return engine


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli.cli, list(arguments), catch_exceptions=False)


def test_run_writes_the_sound_where_it_is_asked(engine: Engine, tmp_path: Path) -> None:
    out = tmp_path / "rain.wav"
    result = invoke("run", "text_to_audio", "--prompt", "rain", "--seconds", "1.5", "--seed", "7", "-o", str(out))
    assert result.exit_code == 0 and str(out) in result.stdout and "seed 7" in result.stdout
    (take,) = engine.library.list()
    assert out.read_bytes() == take.path.read_bytes() and soundfile.info(out).duration == 1.5
    assert take.recipe.seed == 7


def test_run_plays(engine: Engine) -> None:
    result = invoke("run", "text_to_audio", "--prompt", "rain", "--seconds", "0.1", "--play", "--device", "null")
    assert result.exit_code == 0


def test_help_is_made_from_the_schema() -> None:
    told = " ".join(invoke("run", "speech_and_sound", "--help").stdout.split())
    for word in (
        "--text TEXT",
        "--voice [female|male]",
        "--seconds",
        "[seconds]",
        "required",
        "Who says them.",
        "-o",
    ):
        assert word in told
    assert "--priority" not in told
    assert "timeline" in invoke("run", "--help").stdout


def test_tasks_are_listed_with_what_they_take() -> None:
    listed = invoke("tasks").stdout
    assert "voice_clone" in listed and "--reference --transcript? " not in listed and "--transcript" in listed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "text_to_odio"], "did you mean 'text_to_audio'?"),
        (["run", "scene_edit", "--source", "/nowhere.wav", "--instruction", "Add rain."], "/nowhere.wav"),
        (["run", "text_to_audio", "--prompt", "rain", "--seconds", "99"], "10 s"),
    ],
)
def test_what_the_user_can_mend_is_one_line(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["unison", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert ended.value.code == 1 and error.startswith("unison: ") and told in error


def test_equal_samples_from_the_command_line_and_from_python(engine: Engine, tmp_path: Path) -> None:
    invoke(
        "run",
        "text_to_audio",
        "--prompt",
        "rain",
        "--seconds",
        "1",
        "--seed",
        "3",
        "-o",
        str(tmp_path / "a.wav"),
    )
    take = engine.run("text_to_audio", prompt="rain", seconds=1, seed=3)
    assert np.array_equal(soundfile.read(tmp_path / "a.wav")[0], soundfile.read(take.path)[0])


def test_takes_are_found_varied_and_removed(engine: Engine) -> None:
    folder = ["--library", str(engine.library.folder)]
    door = engine.run("text_to_audio", prompt="a door slams", seconds=0.5, out="door")
    assert invoke("run", "text_to_audio", "--prompt", "rain", "--seconds", "0.5", "--tag", "weather").exit_code == 0
    (weather,) = engine.library.search(tag="weather")
    engine.library.rename(weather.id, "rain")
    listed = invoke("takes", "list", *folder).stdout.splitlines()
    assert len(listed) == 2 and "door  [Audio] a door slams" in listed[0] and "0.50 s" in listed[0]
    assert invoke("takes", "search", "SLAMS", "door", *folder).stdout.splitlines() == listed[:1]
    assert invoke("takes", "search", "--tag", "weather", *folder).stdout.splitlines() == listed[1:]
    assert invoke("takes", "search", "--until", "2020-01-01", *folder).stdout == ""
    shown = json.loads(invoke("takes", "show", "door", *folder).stdout)
    assert shown == json.loads(door.model_dump_json())
    assert invoke("takes", "vary", "door", "-n", "2").exit_code == invoke("takes", "again", "rain").exit_code == 0
    tree = [line.split()[0] for line in invoke("takes", "tree", *folder).stdout.splitlines()]
    assert tree[0] == "door" and tree[3] == "rain" and all(name.startswith("door-") for name in tree[1:3])
    assert len(invoke("takes", "tree", "rain", *folder).stdout.splitlines()) == 2
    CliRunner().invoke(cli.cli, ["takes", "remove", "door", *folder], input="n\n")
    assert len(engine.library.ids()) == 5
    invoke("takes", "remove", "door", tree[1], "--yes", *folder)
    assert len(engine.library.ids()) == 3


def test_serve_says_when_it_is_ready_and_ends_when_told(tmp_path: Path) -> None:
    script = tmp_path / "serve.py"
    script.write_text(SERVE)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), str(tmp_path / "takes")]
    errors = tmp_path / "errors"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment) as server,
    ):
        assert server.stdout is not None
        try:
            ready = re.search(r"ready: osc\.udp://127\.0\.0\.1:(\d+), bundle noise", server.stdout.readline())
            assert ready, errors.read_text()
            with OscClient(int(ready[1])) as client:
                client.send("/unison/run/text_to_audio", 1, "rain", 1.0, "steps", 1000)
                client.until("/unison/progress")
                server.send_signal(signal.SIGTERM)
                assert client.until("/unison/fail")[1:3] == [1, "interrupted"]
            assert server.wait(PATIENCE) == 0
        finally:
            server.kill()
    assert errors.read_text() == ""

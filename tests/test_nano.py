"""The bundle that ships, through every door its users have."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unison_engine.bundle import Bundle
from unison_engine.cli import _open_bundle
from unison_engine.engine import Engine
from unison_engine.takes import TakeLibrary
from unison_engine.testing import LiveHost, OscClient
from unison_plugins import demo


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with LiveHost(functools.partial(_open_bundle, "nano", "onnxruntime"), tmp_path_factory.mktemp("served")) as live:
        yield live


def test_every_file_is_the_one_that_was_exported() -> None:
    shipped = Bundle.open("nano")
    shipped.verify()
    assert max((shipped.folder / name).stat().st_size for name in shipped.manifest.files) < 95e6
    assert shipped.manifest.card["data"]["clips"] > 0


def test_the_demo_makes_seven_sounds_and_tells_what_each_took(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.main(str(tmp_path))
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.endswith(".wav")]
    assert [row[0] for row in rows] == list(demo.REQUESTS)
    for task, seconds, taken, factor, path in rows:
        wave, rate = soundfile.read(path)
        assert Path(path).stem == task and rate == 48_000
        assert len(wave) / rate == pytest.approx(float(seconds), abs=0.01)
        assert float(factor) == pytest.approx(float(taken) / float(seconds), rel=0.1, abs=0.02)
        assert np.sqrt(np.mean(wave**2)) > 0.005, f"{task} is silent"
        assert TakeLibrary(tmp_path).get(task).recipe.task == task


def test_same_request_and_seed_same_samples_in_process_and_over_osc(host: LiveHost, tmp_path: Path) -> None:
    engine = Engine.open("nano", tmp_path / "here", "onnxruntime")
    here = engine.run("text_to_audio", prompt="a bell rings", seconds=1.5, seed=42, steps=8)
    with OscClient(host.port) as client:
        client.send("/unison/run/text_to_audio", 1, "a bell rings", 1.5, "seed", 42, "steps", 8)
        done = client.until("/unison/done", "/unison/fail")
    assert client.seen[-1][0] == "/unison/done", done
    paths = [Path(value) for value in done if isinstance(value, str) and value.endswith(".wav")]
    (served,) = paths
    assert np.array_equal(soundfile.read(served)[0], soundfile.read(here.path)[0])


def test_an_edit_over_osc_takes_an_earlier_take(host: LiveHost) -> None:
    with OscClient(host.port) as client:
        client.send("/unison/run/text_to_audio", 1, "heavy rain", 1.0, "steps", 2, "out", "rain")
        assert client.until("/unison/done", "/unison/fail") and client.seen[-1][0] == "/unison/done"
        client.send("/unison/run/scene_edit", 2, "rain", "Add a church bell.", "steps", 2)
        answer = client.until("/unison/done", "/unison/fail")
        assert client.seen[-1][0] == "/unison/done", answer

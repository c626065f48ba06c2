"""What the host tells of itself: metrics, the table in the terminal, the log."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import urllib.request
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from unison_engine import logs, top
from unison_engine.client import connect
from unison_engine.registry import PluginSource
from unison_engine.switches import Switches
from unison_engine.testing import LiveHost, open_slow

RUN = "/unison/run/text_to_audio"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure(logging.INFO, as_json=True)
    yield stream
    root.handlers[:], root.level = handlers, level


def metrics(host: LiveHost) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{host.port}/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        text = response.read().decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_host_tells_what_it_does(tmp_path: Path, log: io.StringIO) -> None:
    hostile = EntryPoint("hostile", "tests.hostile_plugin", "unison_engine")
    broken = EntryPoint("broken", "no_such_module_anywhere", "unison_engine")
    plugins = PluginSource((*entry_points(group="unison_engine"), hostile, broken), Switches(tmp_path / "plugins.json"))
    with LiveHost(open_slow, tmp_path / "takes", plugins=plugins) as host, host.client() as client:
        done = client.ask(RUN, 1, "rain", 0.5)
        client.send("/unison/run/hostile", 2, "raise")
        assert client.until("/unison/fail")[2] == "plugin_failed"
        client.send(RUN, 3, "sea", 1.0, "steps", 1000)
        client.until("/unison/progress")
        worker = host.server.worker.pid
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        assert client.until("/unison/fail")[2] == "interrupted"
        client.ask(RUN, 4, "rain", 0.5)

        told = metrics(host)
        assert told["unison_jobs_total", "done", "text_to_audio"] == 2
        assert told["unison_jobs_total", "failed", "text_to_audio"] == 1
        assert told["unison_jobs_total", "failed", "hostile"] == 1
        assert told["unison_plugin_failures_total", "hostile"] == 1
        assert told["unison_plugins", "ok"] == 2 and told["unison_plugins", "failed"] == 1
        assert told[("unison_worker_starts_total",)] == 2 and told[("unison_worker_up",)] == 1
        assert told[("unison_jobs_queued",)] == 0 and told[("unison_output_underruns_total",)] == 0
        assert told[("unison_take_loudness_lufs_count",)] == 2
        quiet = sum(take.lufs <= -20.0 for take in host.library.list())
        assert told["unison_take_loudness_lufs_bucket", "-20.0"] == quiet
        # Eight steps of 50 ms and more have seven pauses between them, in each sound that was finished.
        assert told[("unison_step_seconds_count",)] >= 14
        assert told[("unison_step_seconds_sum",)] >= 14 * 0.05

        screen = Console(file=io.StringIO(), record=True, width=160)
        with connect(f"tcp://127.0.0.1:{host.port}") as line:
            screen.print(top.drawn(line))
        shown = screen.export_text()
        for word in ("model noise, ready", "done 2", "failed 2", "job-1", "plugin_failed", "broken", "no_such_module"):
            assert word in shown, shown
        assert client.port and done[2] == "job-1"
        me = f"udp:127.0.0.1:{client.port}"
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    first = [line["text"] for line in lines if line.get("job") == "job-1"]
    assert first == ["text_to_audio begins", "text_to_audio is done"]
    assert {line["client"] for line in lines if line.get("job")} == {me}
    # What a plugin's code raises in the worker is logged with its job.
    (traceback,) = [line for line in lines if "KeyError: 'lost'" in line["text"] and "Traceback" in line["text"]]
    assert traceback["job"] == "job-2" and traceback["level"] == "ERROR" and "hostile_plugin.py" in traceback["text"]


def test_metrics_of_a_host_for_others_want_its_token(tmp_path: Path) -> None:
    with (
        LiveHost(open_slow, tmp_path, host="0.0.0.0", token="a secret of some length") as host,
        pytest.raises(urllib.error.HTTPError, match="401"),
    ):
        metrics(host)

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from unison_engine import doctor, machine
from unison_engine.bench import Report, bench
from unison_engine.bundle import Bundle
from unison_engine.cli import cli
from unison_engine.errors import BackendFailed
from unison_engine.machine import VECTOR_SETS, physical_cores, processor, resident_memory, total_memory, vector_sets
from unison_engine.registry import Registry, load_registry
from unison_engine.runtime.backends import OnnxRuntime, OpenVino


@pytest.fixture(scope="module")
def report() -> Report:
    return bench("nano", seconds=0.3, backend="onnxruntime", threads=1, runs=1)


def test_every_part_and_the_whole_are_measured(report: Report) -> None:
    assert len(report.parts) == 7
    # What a sound is made with, which is not what other tasks take.
    sampling = Bundle.open("nano").manifest.sampling
    assert report.steps == sampling.of("text_to_audio").steps != sampling.steps
    for found in report.parts.values():
        assert list(found) == ["onnxruntime"] and found["onnxruntime"].milliseconds > 0
    whole = report.whole["onnxruntime"]
    assert whole.first > 0 and whole.again > 0 and whole.opened > 0 and whole.sample > 0
    assert report.backends["onnxruntime"].startswith("onnxruntime ")


def test_tables_and_json_tell_the_same(report: Report) -> None:
    assert Report.model_validate_json(report.model_dump_json()) == report
    rows = [line for line in report.markdown().splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(report.parts) + 2 + 4
    for title, found in report.parts.items():
        (row,) = [row for row in rows if row.startswith(f"| {title} |")]
        assert f"{found['onnxruntime'].milliseconds:.1f}" in row


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


def test_the_shell_passes_arguments_on_and_prints_the_report(monkeypatch: pytest.MonkeyPatch, report: Report) -> None:
    asked: list[tuple[object, ...]] = []

    def measure(*arguments: object) -> Report:
        asked.append(arguments)
        return report

    monkeypatch.setattr("unison_engine.bench.bench", measure)
    assert invoke("bench").stdout.strip() == report.markdown()
    told = json.loads(invoke("bench", "nano", "--seconds", "2", "--backend", "openvino", "--json").stdout)
    assert told == json.loads(report.model_dump_json())
    assert asked == [("nano", 5.0, None, None), ("nano", 2.0, "openvino", None)]


def test_a_backend_that_is_not_there_is_named() -> None:
    with pytest.raises(BackendFailed, match="no backend 'cray'"):
        bench("nano", backend="cray")


def test_what_the_machine_has_is_told() -> None:
    assert physical_cores() >= 1 and processor() and set(vector_sets()) <= set(VECTOR_SETS)
    total, held = total_memory(), resident_memory()
    assert total is None or held is None or 1e7 < held < total
    told = invoke("doctor").stdout
    assert processor() in told and "onnxruntime: onnxruntime" in told and "unison bench" in told


@pytest.mark.parametrize(
    ("siblings", "quota", "cores"),
    [
        (["0-1", "0-1", "2-3", "2-3", "4", "5"], "max 100000", 4),  # Two cores of two threads, two of one.
        (["0,32", "1,33", "2,34", "3,35"], "max 100000", 4),  # Threads of the other half are not allowed.
        (["0", "1", "2", "3"], "150000 100000", 2),  # A container.
    ],
)
def test_cores_are_those_that_can_be_used(
    siblings: list[str], quota: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for thread, listed in enumerate(siblings):
        folder = tmp_path / f"cpu{thread}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{listed}\n")
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    monkeypatch.setattr(machine, "_TOPOLOGY", tmp_path)
    monkeypatch.setattr(machine, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(len(siblings))))
    assert physical_cores() == cores


def test_the_doctor_gives_the_reason_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Absent(OpenVino):
        def describe(self) -> str:
            raise BackendFailed("openvino cannot be used; run: pip install it")

    monkeypatch.setattr(doctor, "graphics_processors", lambda: ["NVIDIA RTX 4090, 24564 MiB"])
    monkeypatch.setattr(doctor, "vector_sets", lambda: ["avx2"])
    monkeypatch.setattr(doctor, "total_memory", lambda: 1_000_000_000)
    own = load_registry([])
    registry = Registry(own.tasks, {"onnxruntime": OnnxRuntime(), "openvino": Absent("openvino", "f32")}, ())
    told = "\n".join(doctor.examine(registry))
    for word in ("openvino: no, openvino cannot", "install onnxruntime-gpu", "bfloat16", "2 GB of memory", "RTX 4090"):
        assert word in told

"""A part of what docs/parity.md tells, on a small bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.bench_parity import batches, errors, met
from unison_engine.bundle import Bundle
from unison_engine.runtime.backends import OnnxRuntime

GRAPHS = {"fusion", "modulation", "step", "vae_encoder", "vae_decoder"}


@pytest.fixture(scope="module")
def rows(bundle: Path) -> dict[tuple[str, int], dict[str, float]]:
    backends = {"onnxruntime": OnnxRuntime()}
    return {(graph, batch): row for graph, batch, row in errors(Bundle.open(bundle), 0.5, backends, 1)}


def test_every_graph_is_there_one_sound_at_a_time_and_two(rows: dict[tuple[str, int], dict[str, float]]) -> None:
    assert {graph for graph, batch in rows if batch == 1} == GRAPHS
    assert {graph for graph, batch in rows if batch == 2} == {"step", "vae_encoder", "vae_decoder"}


def test_onnxruntime_is_torch_and_16_bits_are_near(rows: dict[tuple[str, int], dict[str, float]]) -> None:
    for graph, batch in rows:
        row = rows[graph, batch]
        assert 0 <= row["onnxruntime"] < 1e-4, (graph, batch)
        assert row["torch float16"] < 0.01 and row["torch bfloat16"] < 0.05, (graph, batch)


def test_two_sounds_are_neighbours(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    inputs = met(opened, 0.5)
    pairs = batches(opened, "step", inputs["step"], 2)
    assert len(pairs) == 4 and pairs[0]["noisy"].shape[0] == 2
    assert (pairs[0]["noisy"][0] != pairs[0]["noisy"][1]).any()
    assert batches(opened, "fusion", inputs["fusion"], 2) == []

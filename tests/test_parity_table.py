"""A part of what docs/parity.md tells, on a small bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn
from torch.export import Dim

from benchmarks.bench_parity import batches, errors, met
from unison_engine.bundle import Bundle
from unison_engine.runtime.backends import OnnxRuntime
from unison_export.graphs import Export, trace

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


class Magnitude(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.square() + 1e-8).sqrt() + 0.0


def test_a_term_that_a_root_is_safe_by_is_no_zero() -> None:
    """onnxscript's optimiser deletes what is added if it is within 1e-8 of zero."""
    export = Export(Magnitude(), "forward", {"x": torch.zeros(2, 3)}, {"x": {0: Dim("n", min=2)}}, "y", ("n", 3))
    model = trace(export).model_proto
    assert [node.op_type for node in model.graph.node].count("Add") == 1
    assert [value.name for value in model.graph.input] == ["x"]
    (found,) = ReferenceEvaluator(model).run(None, {"x": np.zeros((2, 3), np.float32)})
    np.testing.assert_allclose(np.asarray(found, np.float32), 1e-4, rtol=1e-5)

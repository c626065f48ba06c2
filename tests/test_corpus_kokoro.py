"""The rewritten graph of a speech teacher computes what its published one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

from unison_engine.pronunciation import Lexicon
from unison_train.corpus.kokoro import RATE, Kokoro, published, session, trim
from unison_train.corpus.kokoro_graphs import square_sines, widen

CHANNELS = 4


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Two convolutions, one with a bias, and between them x + sin(x)^2, as Kokoro's generator has them."""
    rng = np.random.default_rng(0)
    weights = {
        "first": rng.normal(size=(CHANNELS, CHANNELS, 3)),
        "bias": rng.normal(size=CHANNELS),
        "second": rng.normal(size=(CHANNELS, CHANNELS, 1)),
        "two": np.array(2.0),
    }
    nodes = [
        helper.make_node("Conv", ["x", "first", "bias"], ["a"], "convolve", pads=[2, 2], dilations=[2]),
        helper.make_node("Sin", ["a"], ["b"], "sine"),
        helper.make_node("Pow", ["b", "two"], ["c"], "power"),
        helper.make_node("Add", ["a", "c"], ["d"], "add"),
        helper.make_node("Conv", ["d", "second"], ["y"], "project"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, CHANNELS, None]) for name in ("x", "y")]
    held = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "generator", ends[:1], ends[1:], held)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / "plain.onnx"
    )
    return tmp_path / "plain.onnx"


def run(model: onnx.ModelProto, wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a model of one input makes of [1, channels, time]."""
    loaded = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(loaded.run(None, {"x": wave})[0])


def test_convolutions_in_eight_bits_become_convolutions_in_floats(plain: Path, tmp_path: Path) -> None:
    quantize_dynamic(plain, tmp_path / "quantised.onnx", op_types_to_quantize=["Conv"])
    quantised = onnx.load(tmp_path / "quantised.onnx")
    wave = np.random.default_rng(1).normal(size=(1, CHANNELS, 50)).astype(np.float32)
    expected = run(onnx.load(plain), wave)
    scale = float(np.abs(expected).max())
    lossy = float(np.abs(run(quantised, wave) - expected).max()) / scale

    widen(quantised.graph)

    kinds = [node.op_type for node in quantised.graph.node]
    assert kinds.count("Conv") == 2
    assert "ConvInteger" not in kinds
    # What is left is the rounding of the weights; that of the signals is gone.
    assert float(np.abs(run(quantised, wave) - expected).max()) / scale < min(lossy, 0.03)


def test_squared_sines_are_the_same_without_sines(plain: Path) -> None:
    model = onnx.load(plain)
    wave = 30 * np.random.default_rng(2).normal(size=(1, CHANNELS, 500)).astype(np.float32)
    expected = run(model, wave)

    square_sines(model.graph)

    assert not {"Sin", "Pow"} & {node.op_type for node in model.graph.node}
    np.testing.assert_allclose(run(model, wave), expected, atol=3e-3)


@pytest.mark.slow
def test_kokoro_says_what_its_published_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = Kokoro(threads=2)
    feeds: list[dict[str, NDArray[Any]]] = []
    cut = teacher._wave

    def watched(feed: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        feeds.append(feed)
        return cut(feed)

    monkeypatch.setattr(teacher, "_wave", watched)

    wave = teacher.speak(Lexicon.english().pronounce("The old clock in the hall struck seven."), "af_heart+bm_george")

    expected = trim(np.asarray(session(published(), 2).run(None, feeds[0])[0], dtype=np.float32).reshape(-1))
    assert 2.0 < len(wave) / RATE < 5.0
    assert abs(len(wave) - len(expected)) <= RATE // 50
    # Phases differ, as 8-bit products move the pitch a little; how loud each 20 ms is does not.
    both = min(len(wave), len(expected)) // 480 * 480
    loud = [np.sqrt(np.square(one[:both].reshape(-1, 480)).mean(axis=1)) for one in (wave, expected)]
    assert np.corrcoef(*loud)[0, 1] > 0.97

"""Graphs in 8 bits: what is rounded, what is left, what is told of it, and what runs it."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from unison_engine import conditioning
from unison_engine.bundle import Bundle
from unison_engine.errors import BackendFailed, BadArguments, ModelMissing
from unison_engine.machine import multiplies_int8
from unison_engine.runtime import backends
from unison_engine.runtime.backends import OnnxRuntime
from unison_engine.runtime.choice import GraphLoader, example_inputs
from unison_engine.runtime.session import Session
from unison_engine.runtime.synthesis import Synthesizer
from unison_export import int8 as int8_graphs
from unison_export import variants
from unison_export.cli import main
from unison_export.int8 import Quantized, quantize, relative_error
from unison_export.samples import record_inputs
from unison_export.variants import add_int8

GRAPHS = ("step", "vae_decoder")
RANDOM = np.random.default_rng(7)

needs_int8 = pytest.mark.skipif(
    not multiplies_int8(), reason="this processor is not known to have dot products of int8, so its sums may overflow"
)


def normal(*shape: int) -> NDArray[np.float32]:
    return RANDOM.standard_normal(shape, dtype=np.float32)


def kinds(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path, load_external_data=False).graph.node]


@pytest.fixture(scope="module")
def int8(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with graphs in 8 bits. Its weights are not trained, so all that is asked is a loose tolerance."""
    out = tmp_path_factory.mktemp("bundles") / "tiny8"
    with pytest.MonkeyPatch.context() as patch:
        # Whether the errors are right is not asked here.
        patch.setattr(backends, "multiplies_int8", lambda: True)
        add_int8(Bundle.open(bundle), out, GRAPHS, tolerance=0.2)
    return out


@pytest.fixture
def copy(int8: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(int8, tmp_path / "copy"))


def two_products(folder: Path) -> Path:
    """x -> 64 wide -> relu -> 64 wide; a column of the second weight makes all activations before it look small."""
    first, second = normal(64, 64), normal(64, 64)
    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["a"], name="benign"),
        helper.make_node("Mul", ["a", "spread"], ["b"], name="spread"),
        helper.make_node("MatMul", ["b", "second"], ["y"], name="harmful"),
    ]
    # One huge activation takes up the whole range of uint8, and its weight is so small that it hardly counts.
    spread = np.ones(64, np.float32)
    spread[0], second[0] = 1000, second[0] / 1e4
    tensors = [
        numpy_helper.from_array(value, name)
        for name, value in (("first", first), ("second", second), ("spread", spread))
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 64]) for name in ("x", "y"))
    model = helper.make_model(
        helper.make_graph(nodes, "two", [x], [y], tensors), opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    )
    onnx.save(model, folder / "two.onnx")
    return folder / "two.onnx"


@needs_int8
def test_the_layer_that_harms_is_left_as_it_is(tmp_path: Path) -> None:
    graph, samples = two_products(tmp_path), [{"x": normal(20, 64)} for _ in range(3)]
    found = quantize(graph, tmp_path / "out.onnx", samples, tolerance=0.03)
    assert found.kept == ["harmful"] and found.error <= 0.03
    errors = {layer.name: layer.error for layer in found.layers}
    assert errors["harmful"] > 0.1 > errors["benign"] > 0
    assert kinds(found.file).count("MatMulInteger") == 1 and kinds(found.file).count("MatMul") == 1


@needs_int8
def test_the_error_told_is_that_of_the_file(tmp_path: Path) -> None:
    graph, samples = two_products(tmp_path), [{"x": normal(9, 64)} for _ in range(4)]
    found = quantize(graph, tmp_path / "out.onnx", samples, tolerance=10.0)
    exact, rounded = Session(graph, 1), Session(found.file, 1)
    errors = [relative_error(rounded(**inputs), exact(**inputs)) for inputs in samples]
    assert not found.kept and found.error == pytest.approx(max(errors), rel=1e-3)
    assert found.typical == pytest.approx(float(np.median(errors)), rel=1e-3)


def test_where_nothing_holds_the_tolerance_nothing_is_rounded(tmp_path: Path) -> None:
    graph, samples = two_products(tmp_path), [{"x": normal(9, 64)}]
    found = quantize(graph, tmp_path / "out.onnx", samples, tolerance=0.0)
    assert found.kept == ["benign", "harmful"] and found.error == 0.0
    assert "MatMulInteger" not in kinds(found.file)


@needs_int8
def test_products_in_blocks_keep_their_weights(tmp_path: Path) -> None:
    inner, outer, size = 64, 48, 32
    blocks = outer * inner // size
    tensors: dict[str, NDArray[Any]] = {
        "weights": RANDOM.integers(256, size=(outer, inner // size, size // 2), dtype=np.uint8),
        "scales": np.abs(normal(blocks)) + np.float32(0.1),
        "zeros": 8 * normal(blocks),
    }
    node = helper.make_node(
        "MatMulNBits", ["x", *tensors], ["y"], domain="com.microsoft", K=inner, N=outer, bits=4, block_size=size
    )
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "n", w]) for name, w in (("x", 64), ("y", 48)))
    graph = helper.make_graph([node], "g", [x], [y], [numpy_helper.from_array(v, k) for k, v in tensors.items()])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "blocks.onnx")
    found = quantize(tmp_path / "blocks.onnx", tmp_path / "out.onnx", [{"x": normal(1, 20, inner)}], tolerance=0.05)
    assert not found.kept and 0 < found.error < 0.03
    written = onnx.load(found.file)
    (product,) = [node for node in written.graph.node if node.op_type == "MatMulNBits"]
    assert len(product.input) == 3
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in written.graph.initializer}
    np.testing.assert_array_equal(stored["weights"], tensors["weights"])


def test_the_bundle_tells_precision_and_error(int8: Path, bundle: Path) -> None:
    opened = Bundle.open(int8)
    opened.verify()
    plain = Bundle.open(bundle).manifest.graphs
    for name, graph in opened.manifest.graphs.items():
        assert set(graph.variants) == ({"int8"} if name in GRAPHS else set())
        assert graph.file == plain[name].file
    step = opened.manifest.graphs["step"].variants["int8"]
    assert 0 <= step.typical <= step.error <= 0.2 and step.samples == 25
    assert "MatMulInteger" in kinds(int8 / step.file)


def one_node(file: Path, node: NodeProto, tensors: dict[str, NDArray[Any]]) -> Path:
    """x of 64 values -> y of as many."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "n", 64]) for name in ("x", "y"))
    graph = helper.make_graph([node], "g", [x], [y], [numpy_helper.from_array(v, k) for k, v in tensors.items()])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), file)
    return file


def test_a_graph_without_products_is_told_and_left_out(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "multiplies_int8", lambda: True)
    plain = one_node(tmp_path / "plain.onnx", helper.make_node("Relu", ["x"], ["y"]), {})
    monkeypatch.setattr(variants, "quantize", lambda graph, *rest: quantize(plain, *rest))
    monkeypatch.setattr(variants, "_measured", lambda bundle, graphs, samples: graphs)
    told: dict[str, Quantized] = {}
    opened = Bundle.open(copy)
    changed = add_int8(opened, copy, ["modulation"], told=lambda name, found: told.update({name: found}))
    assert told["modulation"].layers == () and not changed.graphs["modulation"].variants
    assert changed.files == opened.manifest.files and not (copy / "modulation.int8.onnx").exists()


def test_blocks_with_whole_zero_points_are_left(tmp_path: Path) -> None:
    tensors: dict[str, NDArray[Any]] = {
        "weights": RANDOM.integers(256, size=(64, 2, 16), dtype=np.uint8),
        "scales": np.ones(128, np.float32),
        "zeros": np.full(64, 0x88, np.uint8),
    }
    node = helper.make_node(
        "MatMulNBits", ["x", *tensors], ["y"], domain="com.microsoft", K=64, N=64, bits=4, block_size=32
    )
    graph = one_node(tmp_path / "blocks.onnx", node, tensors)
    assert quantize(graph, tmp_path / "out.onnx", [{"x": normal(1, 5, 64)}]).layers == ()


def test_a_graph_too_large_for_its_file_keeps_its_weights_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8_graphs, "_INLINE_BYTES", 1000)
    graph, samples = two_products(tmp_path), [{"x": normal(9, 64)}]
    for tolerance in (0.0, 10.0):  # Nothing is rounded, and everything.
        found = quantize(graph, tmp_path / f"{tolerance}.onnx", samples, tolerance)
        assert (tmp_path / f"{tolerance}.onnx.data").stat().st_size > 1000 > found.file.stat().st_size / 10
        assert found.error <= tolerance


def test_another_bundle_is_not_written_over(int8: Path, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BadArguments, match=r"holds another bundle; give another folder"):
        variants._begin(Bundle.open(bundle), int8, [])
    out = Path(shutil.copytree(bundle, tmp_path / "out"))
    variants._begin(Bundle.open(bundle), out, [])  # What a run left that did not come to its end.


def test_a_shipped_bundle_is_not_changed_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for out in ("nano", "./nano"):
        monkeypatch.setattr(sys, "argv", ["unison-export", "int8", "nano", out])
        with pytest.raises(SystemExit, match=r"unison-export: 'nano' is the name of a shipped bundle"):
            main()


def test_a_graph_that_is_not_there_is_named(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "multiplies_int8", lambda: True)
    with pytest.raises(BadArguments, match=r"no graph 'stepp'; choose from .*step"):
        add_int8(Bundle.open(bundle), tmp_path / "out", ["stepp"])


def test_samples_are_of_all_times_and_both_kinds_of_guidance(bundle: Path) -> None:
    samples = record_inputs(Bundle.open(bundle), seconds=1.0)
    assert set(samples) == {"text_encoder", "fusion", "modulation", "step", "vae_encoder", "vae_decoder"}
    assert {inputs["text_mask"].shape[1] for inputs in samples["step"]} == {1, 2}
    assert len({inputs["modulations"].tobytes() for inputs in samples["step"]}) == 5
    assert {float(value) for inputs in samples["step"] for value in np.unique(inputs["mask"])} == {0.0, 1.0, 2.0}


@needs_int8
def test_the_backend_runs_variants_and_other_graphs_as_they_are(int8: Path) -> None:
    opened = Bundle.open(int8)
    exact, rounded = OnnxRuntime(), OnnxRuntime("onnxruntime-int8", "int8")
    assert rounded.describe() == f"{exact.describe()} in int8"
    for graph, same in (("step", False), ("fusion", True)):
        inputs = example_inputs(opened, graph, 1.0)
        found = [backend.load(opened, graph, 1)(**inputs) for backend in (exact, rounded)]
        assert np.array_equal(found[0], found[1]) is same
        assert relative_error(found[1], found[0]) < 0.3


def test_a_processor_whose_sums_overflow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "multiplies_int8", lambda: False)
    with pytest.raises(BackendFailed, match=r"needs a processor with dot products of int8.*use onnxruntime here"):
        OnnxRuntime("onnxruntime-int8", "int8").describe()


def test_errors_are_not_measured_where_sums_overflow(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "multiplies_int8", lambda: False)
    with pytest.raises(BackendFailed, match="needs a processor with dot products of int8"):
        add_int8(Bundle.open(bundle), tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Timed(OnnxRuntime):
    """onnxruntime that is there on every processor and says what it loads."""

    def __init__(self, name: str, precision: Any = None) -> None:
        super().__init__(name, precision)
        self.loaded: list[str] = []

    def describe(self) -> str:
        return self.name

    def load(self, bundle: Bundle, graph: str, threads: int) -> Any:
        self.loaded.append(graph)
        return super().load(bundle, graph, threads)


@pytest.fixture
def loader_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    import platformdirs

    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)

    def make(folder: Path) -> tuple[GraphLoader, Timed, Timed]:
        plain, narrow = Timed("plain"), Timed("narrow", "int8")
        return GraphLoader(Bundle.open(folder), {"plain": plain, "narrow": narrow}, 1), plain, narrow

    return make


def test_only_graphs_with_a_variant_are_timed_twice(int8: Path, loader_of: Any) -> None:
    loader, plain, narrow = loader_of(int8)
    assert loader.load("fusion").backend == "plain"
    assert plain.loaded == ["fusion"] and not narrow.loaded
    assert loader.load("step").backend in ("plain", "narrow") and "step" in narrow.loaded


@pytest.mark.parametrize(("damaged", "left"), [("step.int8.onnx", "plain"), ("step.onnx", "narrow")])
def test_a_damaged_graph_is_told_and_the_other_takes_over(
    copy: Path, loader_of: Any, caplog: pytest.LogCaptureFixture, damaged: str, left: str
) -> None:
    content = bytearray((copy / damaged).read_bytes())
    content[len(content) // 2] ^= 1  # Somewhere in the weights: it loads.
    (copy / damaged).write_bytes(content)
    loader, *_ = loader_of(copy)
    graph = loader.load("step")
    assert graph.backend == left
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told and all(f"{damaged} is damaged" in message for message in told)


def test_where_all_are_damaged_the_reason_is_told(copy: Path, loader_of: Any) -> None:
    for name in ("step.onnx", "step.int8.onnx"):
        content = bytearray((copy / name).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / name).write_bytes(content)
    loader, *_ = loader_of(copy)
    with pytest.raises(ModelMissing, match=r"is damaged: .* fetch it again"):
        loader.load("step")


def test_pieces_are_the_whole(bundle: Path) -> None:
    synthesizer = Synthesizer.open(bundle, 1, "onnxruntime")
    request = conditioning.text_to_audio("a bell rings", 4.13)
    latent = synthesizer.sample(request, seed=1)
    samples = synthesizer.layout.samples(4.13)
    whole = synthesizer.vae_decoder(latent=latent)[0, :samples]
    pieces = list(synthesizer.pieces(latent, samples))
    assert [len(piece) for piece in pieces[:2]] == [12 * 960, 24 * 960] and len(pieces) > 2
    joined = np.concatenate(pieces)
    assert joined.shape == (samples,)
    np.testing.assert_allclose(joined, whole, atol=1e-5 * np.abs(whole).max(), rtol=0)


def test_a_decoder_that_hears_everything_is_given_everything(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Bundle.open(bundle)
    graphs = opened.manifest.graphs
    synthesizer = Synthesizer(opened, 1, "onnxruntime")
    monkeypatch.setitem(graphs, "vae_decoder", graphs["vae_decoder"].model_copy(update={"reach": None}))
    latent = synthesizer.sample(conditioning.text_to_audio("a bell rings", 2.0), seed=1)
    (piece,) = synthesizer.pieces(latent, 960 * 20)  # As of a model whose grid is always whole.
    np.testing.assert_array_equal(piece, synthesizer.vae_decoder(latent=latent)[0, : 960 * 20])


def test_a_frame_less_than_the_reach_shows(bundle: Path) -> None:
    """The reach is what the decoder needs: with one frame less the pieces are not the whole any more."""
    synthesizer = Synthesizer.open(bundle, 1, "onnxruntime")
    decoder = Bundle.open(bundle).manifest.graphs["vae_decoder"]
    assert decoder.reach is not None and decoder.reach > 1
    frames = 3 * decoder.reach
    latent = normal(1, 8, frames)
    whole = synthesizer.vae_decoder(latent=latent)
    changed = latent.copy()
    changed[:, :, 0] += 3
    difference = np.abs(synthesizer.vae_decoder(latent=changed) - whole)[0].reshape(-1, 960).max(axis=1)
    assert difference[decoder.reach + 1 :].max() == 0.0
    # Far behind, little is left of a frame; that the reach is no larger than it must be shows at its half.
    assert difference[decoder.reach // 2] > 0.0


def test_a_sound_in_pieces_is_the_sound(bundle: Path) -> None:
    synthesizer = Synthesizer.open(bundle, 1, "onnxruntime")
    request = conditioning.text_to_audio("a bell rings", 1.3)
    told: list[str] = []
    joined = np.concatenate(list(synthesizer.stream(request, seed=3, progress=lambda one: told.append(one.stage))))
    whole = synthesizer.run(request, seed=3)
    peak = np.abs(joined).max()
    np.testing.assert_allclose(joined * min(1.0, 0.99 / peak), whole, atol=1e-5, rtol=0)
    assert told[0] == "text" and told[-1] == "decoding"

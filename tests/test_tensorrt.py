"""Engines that TensorRT for RTX really builds, on a machine without a GPU; running one is beyond these tests."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto, helper

from tests.conftest import LAYOUT, NETWORK
from unison_engine.bundle import Bundle
from unison_engine.errors import BadArguments, EngineFailed, ModelMissing
from unison_engine.runtime.engines import EngineRecord, ShapeRange, load_engine
from unison_engine.runtime.tensorrt_library import Library, load_library
from unison_export.graphs import network_exports, write_narrow
from unison_export.precision import narrow
from unison_export.tensorrt.builder import Engine, build_engine
from unison_export.tensorrt.engines import build_engines
from unison_export.tensorrt.profiles import shape_profiles, shape_ranges
from unison_train.checkpoint import Checkpoint
from unison_train.codec import Codec
from unison_train.model.dit import DiT, TextFusion

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="PyPI has TensorRT-RTX's libraries for Linux on x86-64 alone",
)
GRAPHS = {"fusion", "modulation", "step", "vae_encoder", "vae_decoder"}
BUCKETS = [2.0, 10.0]


def has_driver() -> bool:
    try:
        return bool(ctypes.CDLL("libcuda.so.1").cuInit(0) == 0)
    except OSError:
        return False


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library("rtx")


@pytest.fixture(scope="module")
def built(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, EngineRecord]]:
    folder = tmp_path_factory.mktemp("engines")
    records = build_engines(Bundle.open(bundle), "rtx", "float32", BUCKETS, folder=folder)
    return folder, {record.graph: record for record in records}


@pytest.fixture(scope="module")
def step(library: Library, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Engine]:
    """The step of a network of one block in bfloat16."""
    torch.manual_seed(5)
    config = dataclasses.replace(NETWORK, depth=1)
    dit = narrow(DiT(config).initialise(torch.Generator().manual_seed(5)).requires_grad_(False), torch.bfloat16)
    export = network_exports(dit, TextFusion(config))["step"]
    folder = tmp_path_factory.mktemp("narrow")
    graph = write_narrow("step", export, folder, torch.bfloat16)
    profile = shape_ranges(graph, {"b": (1, 1, 2), "g": (1, 2, 2), "t": (2, 50, 250), "s": (2, 64, 448)})
    return folder / graph.file, build_engine(library, folder / graph.file, [profile], "baked", ())


def test_every_graph_but_the_text_encoder_becomes_an_engine(
    bundle: Path, built: tuple[Path, dict[str, EngineRecord]], library: Library
) -> None:
    folder, records = built
    opened = Bundle.open(bundle)
    assert set(records) == GRAPHS
    for name, record in records.items():
        found, engine = load_engine(opened, name, "rtx", library.version, folder=folder)
        assert found == record and len(engine) == record.size
        assert record.graph_sha256 == record.onnx_sha256 == opened.manifest.files[f"{name}.onnx"]
        assert (record.opset, record.precision, record.capabilities) == (20, "float32", ())
        assert not [kind for kind in record.layers if "PLUGIN" in kind]


def test_an_engine_has_the_tensors_and_shapes_that_its_record_tells(
    built: tuple[Path, dict[str, EngineRecord]],
) -> None:
    folder, records = built
    for name, record in records.items():
        listing = (folder / f"{name}.layers.txt").read_text()
        modes = dict(re.findall(r"^ Name: (\w+), IOMode: (\w+),", listing, re.MULTILINE))
        assert modes == dict.fromkeys(record.inputs, "Input") | dict.fromkeys(record.outputs, "Output")
        for tensor in record.inputs:
            line = next(line for line in listing.splitlines() if line.startswith(f" Name: {tensor}, IOMode"))
            for kind, field in (("Min", "smallest"), ("Opt", "best"), ("Max", "largest")):
                shapes = [json.loads(shape) for shape in re.findall(rf"{kind}Shape: (\[[\d,]*\])", line)]
                assert shapes == [list(getattr(profile[tensor], field)) for profile in record.profiles], (name, tensor)


def test_profiles_split_the_lengths_and_cover_one_branch_and_two(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    graphs = opened.manifest.graphs
    short, long = shape_profiles(opened, graphs["step"], BUCKETS)
    assert (short["noisy"].smallest, short["noisy"].largest) == ((1, 8, 2), (2, 8, 50))
    assert (long["noisy"].smallest, long["noisy"].best, long["noisy"].largest) == ((1, 8, 51), (1, 8, 250), (2, 8, 250))
    assert (short["text_mask"].smallest, short["text_mask"].best) == ((1, 1, 2), (1, 2, 64))
    assert shape_profiles(opened, graphs["vae_encoder"], [10.0])[0]["wave"].largest == (2, 250 * LAYOUT.hop)
    assert len(shape_profiles(opened, graphs["fusion"], BUCKETS)) == 1
    for buckets in ([], [3.0, 2.0], [0.0], [11.0]):
        with pytest.raises(BadArguments, match=r"ascending lengths over 0 and up to 10\.0 s"):
            shape_profiles(opened, graphs["step"], buckets)


def test_attention_of_a_narrow_step_is_one_node_and_one_kernel(step: tuple[Path, Engine]) -> None:
    file, engine = step
    model = onnx.load(file)
    kinds = [node.op_type for node in model.graph.node]
    assert next(entry.version for entry in model.opset_import if not entry.domain) == 23
    assert (kinds.count("Attention"), kinds.count("RMSNormalization"), kinds.count("Softmax")) == (1, 3, 0)
    assert engine.layers["ATTENTION_INPUT"] == engine.layers["ATTENTION_OUTPUT"] == 1
    assert len(re.findall(r"^Name: _gemm_mha", engine.listing, re.MULTILINE)) == 1
    assert not [kind for kind in engine.kernels if "plugin" in kind.lower()]


def test_a_narrow_step_holds_its_large_matrices_in_bfloat16_and_speaks_float32(step: tuple[Path, Engine]) -> None:
    model = onnx.load(step[0])
    types = {value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)}
    assert types == {TensorProto.FLOAT}
    narrowed = [tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.BFLOAT16]
    # Six of attention and two of the MLP, beside the patch embedding's three convolutions.
    assert sum(len(tensor.dims) == 2 for tensor in narrowed) == 8
    assert sum(len(tensor.dims) == 3 for tensor in narrowed) == 3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_narrow_network_stays_near_the_one_in_float32(checkpoint: Checkpoint, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    latent = torch.randn(2, 8, 30, generator=generator)
    text = torch.randn(4, 2, 9, 32, generator=generator)
    seen, position = torch.ones(2, 9), torch.zeros(2, 9)
    time = torch.tensor([0.3, 0.8])

    def velocity(dit: DiT) -> torch.Tensor:
        found: torch.Tensor = dit(latent, latent, torch.zeros(2, 1, 30), time, text, seen, position)
        return found

    pairs = [(velocity(checkpoint.dit), velocity(narrow(checkpoint.dit, dtype)))]
    audio: tuple[Codec, Codec] = checkpoint.autoencoder, narrow(checkpoint.autoencoder, dtype)
    pairs.append((audio[0].decode(latent), audio[1].decode(latent)))
    wave = torch.randn(2, 30 * LAYOUT.hop, generator=generator)
    pairs.append((audio[0].encode(wave), audio[1].encode(wave)))
    for full, rounded in pairs:
        assert rounded.dtype is torch.float32
        assert 0 < (full - rounded).square().mean().sqrt() < 0.02 * full.square().mean().sqrt()


@pytest.fixture
def copy(built: tuple[Path, dict[str, EngineRecord]], tmp_path: Path) -> Iterator[Path]:
    yield Path(shutil.copytree(built[0], tmp_path / "engines"))


def change(folder: Path, **values: Any) -> None:
    path = folder / "fusion.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def load(bundle: Path, folder: Path, version: str, capability: str | None = None) -> None:
    load_engine(Bundle.open(bundle), "fusion", "rtx", version, capability, folder)


def test_an_engine_of_another_version_graph_or_processor_is_refused(bundle: Path, copy: Path, library: Library) -> None:
    with pytest.raises(ModelMissing, match=r"another version of the rtx library: .*, not 9\.9; build it again"):
        load(bundle, copy, "9.9")
    load(bundle, copy, library.version, "SM89")
    change(copy, capabilities=["SM120"])
    with pytest.raises(ModelMissing, match="built for SM120, this is SM89"):
        load(bundle, copy, library.version, "SM89")
    change(copy, graph_sha256="0" * 64)
    with pytest.raises(ModelMissing, match="another SHA-256 of the graph"):
        load(bundle, copy, library.version)


def test_a_damaged_engine_is_refused(bundle: Path, copy: Path, library: Library) -> None:
    engine = copy / "fusion.engine"
    content = bytearray(engine.read_bytes())
    content[len(content) // 2] ^= 1
    engine.write_bytes(content)
    with pytest.raises(ModelMissing, match=r"fusion\.engine is damaged"):
        load(bundle, copy, library.version)
    engine.write_bytes(content[:100])
    with pytest.raises(ModelMissing, match=r"fusion\.engine is damaged"):
        load(bundle, copy, library.version)
    engine.unlink()
    with pytest.raises(ModelMissing, match=r"fusion\.engine cannot be read"):
        load(bundle, copy, library.version)


def test_a_record_that_cannot_be_read_is_refused(bundle: Path, copy: Path, library: Library) -> None:
    change(copy, format=2)
    with pytest.raises(ModelMissing, match="format 2, this engine knows 1"):
        load(bundle, copy, library.version)
    change(copy, surprise=True)
    with pytest.raises(ModelMissing, match="surprise"):
        load(bundle, copy, library.version)
    (copy / "fusion.json").unlink()
    with pytest.raises(ModelMissing, match=r"build engines with `unison-export tensorrt`"):
        load(bundle, copy, library.version)


def test_float32_attention_has_no_kernel_and_the_reason_is_told(library: Library, tmp_path: Path) -> None:
    """Why float32 stays below opset 23."""
    shape = [1, 2, 16, 16]
    node = helper.make_node("Attention", ["query", "key", "value"], ["output"])
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in node.input]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)
    graph = helper.make_graph([node], "attention", inputs, [output])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11), tmp_path / "a.onnx")
    with pytest.raises(EngineFailed, match=r"cannot build an engine of .*a\.onnx: .*[Aa]ttention"):
        build_engine(library, tmp_path / "a.onnx", [], "baked", ())


def test_a_file_that_is_no_graph_is_told(library: Library, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"not a graph")
    with pytest.raises(EngineFailed, match=r"cannot read .*a\.onnx"):
        build_engine(library, tmp_path / "a.onnx", [], "baked", ())


def one_product(folder: Path) -> tuple[Path, dict[str, ShapeRange]]:
    weight = onnx.numpy_helper.from_array(torch.eye(16).numpy(), "weight")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weight"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 16])],
        [weight],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / "y.onnx")
    return folder / "y.onnx", {"x": ShapeRange(smallest=(1, 16), best=(1, 16), largest=(2, 16))}


def test_one_processor_can_be_named_and_an_unknown_one_not(library: Library, tmp_path: Path) -> None:
    file, profile = one_product(tmp_path)
    assert build_engine(library, file, [profile], "baked", ["SM89"]).data
    with pytest.raises(BadArguments, match=r"cannot build for 'SM90'; choose from .*SM89"):
        build_engine(library, file, [profile], "baked", ["SM90"])


@pytest.mark.parametrize("weights", ["refittable", "stripped"])
def test_exchangeable_weights_need_the_driver(library: Library, tmp_path: Path, weights: Any) -> None:
    file, profile = one_product(tmp_path)
    if has_driver():
        assert build_engine(library, file, [profile], weights, ()).data
    else:
        with pytest.raises(EngineFailed, match=f"With {weights} weights the builder needs the CUDA driver"):
            build_engine(library, file, [profile], weights, ())


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed")
def test_a_library_that_is_not_installed_is_named() -> None:
    with pytest.raises(ModelMissing, match=r"target 'enterprise' cannot be loaded .*run: pip install tensorrt"):
        load_library("enterprise")


@pytest.mark.parametrize("precision", ["bfloat16", pytest.param("float16", marks=pytest.mark.slow)])
def test_the_shipped_bundle_becomes_narrow_engines(tmp_path: Path, library: Library, precision: Any) -> None:
    nano = Bundle.open("nano")
    records = {
        record.graph: record
        for record in build_engines(nano, "rtx", precision, [nano.layout.max_seconds], folder=tmp_path)
    }
    assert set(records) == GRAPHS
    assert records["step"].layers["ATTENTION_OUTPUT"] == nano.manifest.blocks
    listing = (tmp_path / "step.layers.txt").read_text()
    assert len(re.findall(r"^Name: _gemm_mha", listing, re.MULTILINE)) == nano.manifest.blocks
    for name, record in records.items():
        assert (record.opset, record.precision) == (23, precision)
        load_engine(nano, name, "rtx", library.version, folder=tmp_path)

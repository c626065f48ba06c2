"""Readers for the test vectors beside the tests; see `tests/vectors/README.md`."""

from __future__ import annotations

from safetensors.torch import load_file
from torch import Tensor

from tests.vector_checks import FOLDER, TOLERANCE


def tensors(name: str) -> dict[str, Tensor]:
    return load_file(FOLDER / f"{name}.safetensors")


def close(ours: Tensor, theirs: Tensor, tolerance: float = TOLERANCE) -> None:
    assert ours.shape == theirs.shape
    error = (ours - theirs).abs().max().item()
    assert error <= tolerance, f"largest error {error:.2e} is over {tolerance:.0e}"

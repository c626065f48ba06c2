"""Test vectors (see `tests/vectors/README.md`) and how far off a value may be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

FOLDER = Path(__file__).parent / "vectors"
TOLERANCE = 1e-4


def tensors(name: str) -> dict[str, Tensor]:
    return load_file(FOLDER / f"{name}.safetensors")


def close(ours: Tensor, theirs: Tensor, tolerance: float = TOLERANCE) -> None:
    assert ours.shape == theirs.shape
    error = (ours - theirs).abs().max().item()
    assert error <= tolerance, f"largest error {error:.2e} is over {tolerance:.0e}"


@dataclass(frozen=True)
class Row:
    """The largest difference of a tensor from its vector."""

    tensor: str
    error: float
    tolerance: float = TOLERANCE

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance


def compare(name: str, ours: Tensor, theirs: Tensor, tolerance: float = TOLERANCE) -> Row:
    """Tensors of different shapes differ without bound."""
    same = ours.shape == theirs.shape
    return Row(name, (ours - theirs).abs().max().item() if same else float("inf"), tolerance)


def count(name: str, cases: list[bool]) -> Row:
    """How many of several cases are wrong; none may be."""
    return Row(f"{name}, wrong of {len(cases)}", cases.count(False), 0.0)

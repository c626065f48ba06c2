"""Named tensors, as files hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor


def faults(state: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]]) -> list[str]:
    """Everything in which tensors differ from the names and shapes that are wanted, a phrase each."""
    found = [f"missing {name}" for name in shapes if name not in state]
    found += [f"unexpected {name}" for name in state if name not in shapes]
    found += [
        f"{name} is {list(state[name].shape)}, not {list(shape)}"
        for name, shape in shapes.items()
        if name in state and tuple(state[name].shape) != tuple(shape)
    ]
    return found

"""Which layers of the language model the blocks read."""

from __future__ import annotations


def layer_indices(layers: int, depth: int) -> list[int]:
    """The decoder layer (1-based) whose output each block reads, spread evenly (UNISON, arXiv 2605.31530).

    Index `layers` means the output after the final norm. With more blocks than layers, the last serves those left over.
    """
    if depth > layers:
        return [*range(1, layers + 1), *([layers] * (depth - layers))]
    return [1 + k * (layers - 1) // max(1, depth - 1) for k in range(depth)]

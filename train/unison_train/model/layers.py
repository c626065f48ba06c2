"""Which layers of the language model the blocks read."""

from __future__ import annotations


def layer_indices(layers: int, depth: int) -> list[int]:
    """The decoder layer (1-based) whose output each block reads, spread evenly (UNISON, arXiv 2605.31530).

    Index `layers` is the output after the final norm; with more blocks than layers it serves the rest.
    """
    if depth > layers:
        return [*range(1, layers + 1), *([layers] * (depth - layers))]
    return [1 + k * (layers - 1) // max(1, depth - 1) for k in range(depth)]

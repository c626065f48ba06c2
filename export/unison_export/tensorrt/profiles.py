"""Which shapes an engine accepts, from the named sizes of its graph's inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from unison_engine.bundle import Bundle, Graph
from unison_engine.errors import BadArguments
from unison_engine.runtime.engines import ShapeRange
from unison_engine.runtime.text import MAX_PHONES

Sizes = Mapping[str, tuple[int, int, int]]
"""Smallest, best and largest value of each named size."""
_FEWEST_FRAMES = 2
# As many as steps can be asked for.
_MOST_TIMES = 1000


def shape_profiles(bundle: Bundle, graph: Graph, buckets: Sequence[float]) -> list[dict[str, ShapeRange]]:
    """One profile per bucket of lengths for a graph that sees frames, one in all for another.

    Args:
        bundle: tells the latent grid and what text there is.
        graph: of the bundle.
        buckets: longest sound of each profile in seconds, ascending. A profile begins where the last one ends.

    Raises:
        BadArguments: the buckets do not ascend, or go beyond the longest sound.
    """
    layout = bundle.layout
    if not buckets or any(a >= b for a, b in pairwise([0.0, *buckets])) or buckets[-1] > layout.max_seconds:
        raise BadArguments(
            f"the buckets are {list(buckets)} s; give ascending lengths over 0 and up to {layout.max_seconds} s."
        )
    # A model of a whole grid has one length, whatever the buckets.
    ends = sorted({max(_FEWEST_FRAMES, layout.grid(layout.samples(seconds))[1]) for seconds in buckets})
    longest, _ = layout.grid(layout.samples(layout.max_seconds))
    text = bundle.manifest.text
    tokens = text.window + (MAX_PHONES if text.phones else 0)
    sizes: dict[str, tuple[int, int, int]] = {
        "b": (1, 1, 2),
        "g": (1, 2, 2),
        "n": (1, 24, _MOST_TIMES),
        # A sound in which nothing is said has one phone, the silence.
        "p": (1, 64, MAX_PHONES),
        "s": (2, min(64, tokens), tokens),
        "samples": (layout.hop * _FEWEST_FRAMES, longest, longest),
    }
    if not {"noisy", "latent", "wave"} & graph.inputs.keys():
        return [shape_ranges(graph, sizes)]
    profiles = []
    for start, end in zip([_FEWEST_FRAMES, *(end + 1 for end in ends[:-1])], ends, strict=True):
        profiles.append(shape_ranges(graph, sizes | {"t": (start, end, end)}))
    return profiles


def shape_ranges(graph: Graph, sizes: Sizes) -> dict[str, ShapeRange]:
    """One profile of a graph, by input."""
    return {
        name: ShapeRange(
            smallest=tuple(_value(size, sizes, 0) for size in spec.shape),
            best=tuple(_value(size, sizes, 1) for size in spec.shape),
            largest=tuple(_value(size, sizes, 2) for size in spec.shape),
        )
        for name, spec in graph.inputs.items()
    }


def _value(size: str | int, sizes: Sizes, which: int) -> int:
    """The value of a size: a number, a name, or a product of both such as "960*t"."""
    factors = size.split("*") if isinstance(size, str) else [str(size)]
    return math.prod(int(factor) if factor.isdigit() else sizes[factor][which] for factor in factors)

"""Where the steps of a sampler are best spent: a grid of times fitted to trajectories of the network itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unison_engine.runtime.sampler import LINEAR

POINTS = 33
_WINDOW = 7
"""Steps that bends are averaged over, as single trajectories are rough."""


def fitted_times(paths: Sequence[Sequence[NDArray[np.float32]]], grid: NDArray[np.float32]) -> tuple[float, ...]:
    """A curve of `POINTS` times for `Sampling.times`, from 1 down, along which few steps of Euler err least in sum.

    A step of width h errs by h^2 |x''| / 2 to first order (Hairer et al., Solving Ordinary Differential Equations I,
    II.3), where x'' is how fast the velocity changes. Of all grids with the same number of steps the sum of these is
    least where h is as 1 / sqrt(|x''|), that is, where steps lie as densely as sqrt(|x''|) is great.

    Args:
        paths: of each request its states at the times of `grid`, noise and result included; [steps + 1] of any shape.
        grid: times of many steps of Euler, with the end 0, as `schedule` gives them.
    """
    ends = grid.astype(np.float64)
    spans = np.diff(ends)
    bends = []
    for path in paths:
        states = np.stack([state.ravel() for state in path]).astype(np.float64)
        velocities = np.diff(states, axis=0) / spans[:, None]
        change = np.sqrt(np.mean(np.square(np.diff(velocities, axis=0)), axis=1))
        bends.append(change / np.abs(spans[:-1]))
    bend = np.pad(np.median(bends, axis=0), _WINDOW // 2, mode="edge")
    density = np.sqrt(np.convolve(bend, np.ones(_WINDOW) / _WINDOW, mode="valid"))
    # Steps up to each time; what lies between two velocities counts for the step from one to the other.
    steps = np.concatenate([[0.0], np.cumsum(density * np.abs(spans[:-1]))])
    curve = np.interp(np.linspace(0.0, steps[-1], POINTS), steps, ends[:-1])
    return (LINEAR[0], *(float(time) for time in np.round(curve[1:-1], 4)), LINEAR[-1])

"""Guided Euler sampling of the flow. Works on any array with + and *, so training samples with the same loop."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from unison_engine.errors import BadArguments

Array = TypeVar("Array", bound=Any)


def schedule(steps: int) -> NDArray[np.float32]:
    """Times of the evaluations and the end: linspace(1, 0.001, steps), then 0; [steps + 1].

    The list of UNISON's sampler (arXiv 2605.31530): t = 1 is noise, and the network's t is the noise level itself.

    Raises:
        BadArguments: `steps` is under 1.
    """
    if steps < 1:
        raise BadArguments(f"steps is {steps}; give at least 1.")
    return np.append(np.linspace(1.0, 0.001, steps), 0.0).astype(np.float32)


def guided(conditional: Array, unconditional: Array, guidance: float) -> Array:
    """Classifier-free guidance: v_u + guidance * (v_c - v_u)."""
    result: Array = unconditional + guidance * (conditional - unconditional)
    return result


def euler(
    velocity: Callable[[Array, float], Array],
    noise: Array,
    steps: int,
    *,
    after: Callable[[Array, float], Array] = lambda state, time: state,
    progress: Callable[[int], None] = lambda step: None,
) -> Array:
    """Follow the velocity from noise at t = 1 to a latent at t = 0.

    Args:
        velocity: (state, t) -> d state / d t.
        noise: the state at t = 1.
        steps: number of evaluations.
        after: applied to the state after each step, with the time reached; see `keep_reference`.
        progress: told the number of finished steps; may raise to stop.
    """
    times = schedule(steps)
    state = noise
    for step, (now, then) in enumerate(pairwise(times)):
        state = after(state + float(then - now) * velocity(state, float(now)), float(then))
        progress(step + 1)
    return state


def keep_reference(reference: Array, noise: Array, region: Array) -> Callable[[Array, float], Array]:
    """The inpainting variant: after each step the reference region is put back on its known path.

    `region` is 1 on reference frames, 0 elsewhere; the path at t is (1 - t) * reference + t * noise.
    """

    def clamp(state: Array, time: float) -> Array:
        kept: Array = state * (1 - region) + ((1 - time) * reference + time * noise) * region
        return kept

    return clamp

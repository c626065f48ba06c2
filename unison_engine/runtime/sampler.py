"""Sampling of the flow: settings, solvers, guidance. Works on any array with + and *: training samples with it too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, field_validator

from unison_engine.errors import BadArguments

Array = TypeVar("Array", bound=Any)
Solver = Literal["euler", "heun", "adams"]
LINEAR = (1.0, 0.001)
ALWAYS = (0.0, 1.0)


class Sampling(BaseModel):
    """How a latent is sampled.

    Attributes:
        steps: of the solver.
        guidance: scale of classifier-free guidance.
        solver: see `solve`; "heun" evaluates the network twice a step.
        times: curve along which the steps are spread, see `schedule`.
        guided: times (least, greatest) between which guidance is applied; outside only the conditional branch is
            evaluated (Kynkäänniemi et al., arXiv 2404.07724).
        tasks: settings of the tasks that are sampled in another way, by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int
    guidance: float
    solver: Solver = "euler"
    times: tuple[float, ...] = LINEAR
    guided: tuple[float, float] = ALWAYS
    tasks: dict[str, Sampling] = {}

    @field_validator("times")
    @classmethod
    def _fall(cls, times: tuple[float, ...]) -> tuple[float, ...]:
        if not times or times[0] != 1.0 or times[-1] <= 0 or any(then >= now for now, then in pairwise(times)):
            raise ValueError("times must begin with 1, fall, and end over 0")
        return times

    def of(self, task: str, steps: int | None = None, guidance: float | None = None) -> Sampling:
        """The settings of one task, and of a request that names its own steps or guidance."""
        asked = {"steps": steps, "guidance": guidance}
        changes = {name: value for name, value in asked.items() if value is not None}
        return self.tasks.get(task, self).model_copy(update={"tasks": {}} | changes)

    def reference(self) -> Sampling:
        """What others are measured against: 100 steps of Euler on the published grid, guided throughout."""
        return Sampling(steps=100, guidance=self.guidance)

    def branches(self) -> int:
        """How often the network is evaluated for one branch of one sound, which is what sampling costs."""
        grid = self.grid()[:-1].tolist()
        per_time = [2 if self.guides(time) else 1 for time in grid]
        return sum(per_time) + (sum(per_time[1:]) if self.solver == "heun" else 0)

    def guides(self, time: float) -> bool:
        """Whether both branches count at a time; a scale of 1 or less needs the conditional one alone."""
        return self.guidance > 1 and self.guided[0] <= time <= self.guided[1]

    def grid(self) -> NDArray[np.float32]:
        """Times of the steps and the end, see `schedule`."""
        return schedule(self.steps, self.times)


def schedule(steps: int, times: Sequence[float] = LINEAR) -> NDArray[np.float32]:
    """Times at which the steps begin, and the end 0; [steps + 1].

    The steps are spread evenly along the curve through `times`: a list as long as `steps` is taken as it is, for any
    other number it is interpolated. By default linspace(1, 0.001, steps), the list of UNISON's sampler
    (arXiv 2605.31530): t = 1 is noise, and the network's t is the noise level itself.

    Raises:
        BadArguments: `steps` is under 1.
    """
    if steps < 1:
        raise BadArguments(f"steps is {steps}; give at least 1.")
    curve = np.interp(np.linspace(0.0, 1.0, steps), np.linspace(0.0, 1.0, len(times)), times)
    return np.append(curve, 0.0).astype(np.float32)


def guided(conditional: Array, unconditional: Array, guidance: float) -> Array:
    """Classifier-free guidance: v_u + guidance * (v_c - v_u)."""
    result: Array = unconditional + guidance * (conditional - unconditional)
    return result


def solve(
    velocity: Callable[[Array, float], Array],
    noise: Array,
    times: Sequence[float] | NDArray[np.float32],
    solver: Solver = "euler",
    *,
    after: Callable[[Array, float], Array] = lambda state, time: state,
    progress: Callable[[int], None] = lambda step: None,
) -> Array:
    """Follow the velocity from noise at t = 1 to a latent at t = 0.

    "euler" is of first order. "heun" averages the slopes at both ends of a step, "adams" extrapolates from the slopes
    of this step and the one before (Adams-Bashforth with variable steps, Hairer et al., Solving Ordinary Differential
    Equations I, III.5); both are of second order. None asks for the velocity at t = 0, at which no network is trained:
    the last step of "heun" is one of "euler".

    Args:
        velocity: (state, t) -> d state / d t.
        noise: the state at t = 1.
        times: of `schedule`; the velocity is asked for at all of them but the last.
        solver: see above.
        after: applied to the state after each step, with the time reached; see `keep_reference`.
        progress: told the number of finished steps; may raise to stop.
    """
    state = noise
    before: tuple[Array, float] | None = None
    for step, (now, then) in enumerate(pairwise(times)):
        span = float(then - now)
        slope = here = velocity(state, float(now))
        if solver == "heun" and then > 0:
            slope = 0.5 * (here + velocity(state + span * here, float(then)))
        elif solver == "adams" and before is not None:
            earlier, width = before
            slope = here + 0.5 * span / width * (here - earlier)
        before = (here, span)
        state = after(state + span * slope, float(then))
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

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from unison_engine.bundle import Bundle
from unison_engine.errors import BadArguments
from unison_engine.registry import load_registry
from unison_engine.runtime.sampler import Sampling, Solver, keep_reference, schedule, solve

Array = NDArray[np.float64]
NOISE = np.array([1.0, -2.0, 0.5])
SOLVERS: list[Solver] = ["euler", "heun", "adams"]
CURVES = [(1.0, 0.001), (1.0, 0.9, 0.5, 0.01)]


def even(steps: int) -> list[float]:
    """A grid with the same step everywhere, so that an order of convergence shows."""
    return [1.0 - step / steps for step in range(steps + 1)]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("times", CURVES)
def test_a_constant_velocity_is_followed_exactly(solver: Solver, times: tuple[float, ...]) -> None:
    speed = np.array([3.0, 0.25, -1.0])
    found = solve(lambda state, time: speed, NOISE, schedule(7, times).astype(float), solver)
    np.testing.assert_allclose(found, NOISE - speed, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("times", CURVES)
def test_a_straight_flow_is_followed_exactly(solver: Solver, times: tuple[float, ...]) -> None:
    """Where all noise flows to one latent z the velocity is (x - z) / t, and every path is a line to z."""
    goal = np.array([0.3, 0.7, -0.2])
    found = solve(lambda state, time: (state - goal) / time, NOISE, schedule(7, times).astype(float), solver)
    np.testing.assert_allclose(found, goal, atol=1e-9)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2), ("adams", 2)])
def test_errors_fall_with_the_order_of_the_solver(solver: Solver, order: int) -> None:
    """dx/dt = -2 t x + cos t from 1 to 0, against the same with 5 000 steps of Heun's rule."""

    def velocity(state: Array, time: float) -> Array:
        return -2 * time * state + math.cos(time)

    exact = solve(velocity, NOISE, even(5_000), "heun")
    errors = [np.abs(solve(velocity, NOISE, even(steps), solver) - exact).max() for steps in (40, 80, 160)]
    measured = [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]
    assert measured == pytest.approx([order, order], abs=0.12)


def test_a_linear_velocity_is_that_of_euler_in_closed_form() -> None:
    found = solve(lambda state, time: 0.5 * state, NOISE, even(10))
    np.testing.assert_allclose(found, NOISE * (1 - 0.05) ** 10, rtol=1e-12)


def test_adams_takes_steps_of_any_width_exactly_where_the_velocity_is_linear_in_time() -> None:
    times = [1.0, 0.95, 0.6, 0.55, 0.2, 0.0]
    first = solve(lambda state, time: 0.0 * state + time, NOISE, times[:2])
    found = solve(lambda state, time: 0.0 * state + time, NOISE, times, "adams")
    # The first step is one of Euler, every later one is exact: the integral of t from 0.95 to 0.
    np.testing.assert_allclose(found, first - 0.95**2 / 2, atol=1e-12)


@pytest.mark.parametrize(("solver", "evaluations"), [("euler", 6), ("heun", 11), ("adams", 6)])
def test_the_network_is_asked_at_times_of_the_grid_alone(solver: Solver, evaluations: int) -> None:
    times = schedule(6)
    asked: list[float] = []

    def velocity(state: Array, time: float) -> Array:
        asked.append(time)
        return state

    done: list[int] = []
    solve(velocity, NOISE, times, solver, progress=done.append)
    assert set(asked) == set(times[:-1].tolist()) and len(asked) == evaluations
    assert done == [1, 2, 3, 4, 5, 6]


def test_a_reference_is_kept_on_its_path() -> None:
    region = np.array([1.0, 0.0, 0.0])
    found = solve(
        lambda state, time: state, NOISE, even(4), "adams", after=keep_reference(7 + 0 * NOISE, NOISE, region)
    )
    assert found[0] == 7.0 and found[1] != NOISE[1]


def test_the_grid_of_the_published_sampler() -> None:
    for steps in (1, 2, 24, 100):
        expected = [*np.linspace(1.0, 0.001, steps), 0.0]
        np.testing.assert_array_equal(schedule(steps), np.array(expected, dtype=np.float32))


def test_a_grid_along_a_curve() -> None:
    curve = (1.0, 0.8, 0.2, 0.1)
    np.testing.assert_allclose(schedule(4, curve), [*curve, 0.0], rtol=1e-6)
    np.testing.assert_allclose(schedule(7, curve), [1.0, 0.9, 0.8, 0.5, 0.2, 0.15, 0.1, 0.0], rtol=1e-6)


@pytest.mark.parametrize("times", [(), (0.9, 0.1), (1.0, 0.0), (1.0, 0.5, 0.5), (1.0, 0.2, 0.4)])
def test_times_that_lead_nowhere_are_refused(times: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="begin with 1, fall, and end over 0"):
        Sampling(steps=4, guidance=1.0, times=times)
    with pytest.raises(BadArguments, match="steps is 0"):
        schedule(0)


def test_a_request_a_task_and_the_bundle_decide_in_this_order() -> None:
    speech = Sampling(steps=12, guidance=2.0, solver="heun")
    bundle = Sampling(steps=24, guidance=3.0, tasks={"text_to_speech": speech})
    assert bundle.of("text_to_audio") == Sampling(steps=24, guidance=3.0)
    assert bundle.of("text_to_speech") == speech
    assert bundle.of("text_to_speech", 5, 0.0) == Sampling(steps=5, guidance=0.0, solver="heun")


def test_guidance_where_it_counts() -> None:
    sampling = Sampling(steps=24, guidance=3.0, guided=(0.2, 0.8))
    assert [sampling.guides(time) for time in (1.0, 0.8, 0.5, 0.2, 0.1)] == [False, True, True, True, False]
    assert not sampling.of("", guidance=1.0).guides(0.5)


def test_the_shipped_bundle_tells_how_each_task_is_sampled() -> None:
    sampling = Bundle.open("nano").manifest.sampling
    assert set(sampling.tasks) == set(load_registry().tasks)
    for task in sampling.tasks:
        fitted = sampling.of(task, None, None)
        assert fitted.branches() <= sampling.branches() / 2 and len(fitted.times) == 33, task
    assert sampling.solver == "euler" and all(sampling.guides(time) for time in sampling.grid())

"""What the engines have in common: settings, checks, and lanes in batches."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from simulator import observables
from simulator.ensembles import map_lanes
from simulator.events import AbstractEvent
from simulator.problem import Problem
from simulator.signals import AbstractSignal
from simulator.solution import Outcome, Solution
from simulator.updates import AbstractUpdate, PolicyGradient


class Settings(eqx.Module):
    """The settings of a call, shared by all lanes."""

    events: tuple[AbstractEvent, ...]
    save_log_times: Array
    max_log_time: Array
    tolerance: Array
    max_steps: Array
    observe: Any = eqx.field(static=True)
    options: Any = eqx.field(static=True)


Solver = Callable[..., Solution]


def run(
    solver: Solver,
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate | None,
    *,
    tolerance: float,
    passes: Sequence[int],
    until: AbstractEvent | None = None,
    events: Sequence[AbstractEvent] = (),
    save_log_times: Any = None,
    max_log_time: float = 2000.0,
    max_steps: int = 20_000,
    observe: Callable = observables.probs,
    options: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> Solution:
    """Call `solver(settings, problem, signal, update, until)` for every lane.

    In a batch, `passes` are the numbers of steps after which unfinished lanes are
    gathered. Raises `ValueError` for anything that cannot be run.
    """
    update = PolicyGradient() if update is None else update
    signal.check(problem)
    update.check(signal)
    times = np.zeros(0) if save_log_times is None else np.asarray(save_log_times)
    if times.ndim != 1 or not (np.diff(times) > 0).all():
        raise ValueError("`save_log_times` must be one increasing list of numbers.")
    if len(times) and not times[-1] <= max_log_time:
        raise ValueError(
            f"`save_log_times` goes to {times[-1]:g}, beyond `max_log_time` = "
            f"{max_log_time:g}; raise the limit."
        )
    dtype = problem.log_policy.dtype
    settings = Settings(
        events=tuple(events),
        save_log_times=jnp.asarray(times, dtype=dtype),
        max_log_time=jnp.asarray(max_log_time, dtype=dtype),
        tolerance=jnp.asarray(tolerance, dtype=dtype),
        max_steps=jnp.asarray(max_steps),
        observe=observe,
        options=options,
    )
    lanes = (problem, signal, update, until)
    if not problem.batch_shape:
        return _run_one(solver, settings, *lanes)
    budgets = [steps for steps in passes if steps < max_steps] + [max_steps]

    def run_many(steps, chunk, axes):
        patience = dataclasses.replace(settings, max_steps=jnp.asarray(steps))
        return _run_many(solver, patience, chunk, axes)

    return map_lanes(run_many, budgets, lanes, unfinished=_ran_out, progress=progress)


def _ran_out(solution: Solution) -> np.ndarray:
    return np.asarray(solution.outcome == Outcome.max_steps)


@eqx.filter_jit
def _run_one(solver, settings, *lane):
    return solver(settings, *lane)


@eqx.filter_jit
def _run_many(solver, settings, lanes, axes):
    def solve(*lane):
        return solver(settings, *lane)

    return eqx.filter_vmap(solve, in_axes=axes)(*lanes)

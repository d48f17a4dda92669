"""From a request to a solution: checks, settings, and one lane or many."""

import dataclasses
import functools
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from simulator import observables
from simulator.clocks import AbstractClock
from simulator.dynamics import Dynamics
from simulator.engines.ensembles import map_lanes
from simulator.engines.event_derivatives import tangent
from simulator.engines.exact.path import AbstractSmoothPath
from simulator.engines.lanes import check_lanes, lane_axes, per_lane
from simulator.engines.path import AbstractPath
from simulator.engines.report import ends, report, solution
from simulator.engines.requests import (
    check_calls,
    check_events,
    check_limits,
    filled_up,
    filled_up_events,
    saved_times,
)
from simulator.engines.walker import Settings, Walker, advance, begin
from simulator.problem import Problem
from simulator.recording import AbstractEvent
from simulator.reporting.labels import Asked
from simulator.rules import AbstractSignal, AbstractUpdate
from simulator.signals import FixedConfidence
from simulator.solution import Solution
from simulator.updates import PolicyGradient


class AbstractEngine(eqx.Module):
    """A way to solve the flow."""

    @abstractmethod
    def path(self, dynamics: Dynamics) -> AbstractPath:
        """The solution of one problem, to be walked along."""

    def with_derivatives(self, path: AbstractPath) -> AbstractSmoothPath:
        """The same path, with what derivatives need.

        Raises `ValueError` if it has none.
        """
        raise ValueError(
            "the numerical flow has no derivatives; use the method `exact`, where the "
            "signal pays fixed rewards."
        )


def run(
    engine: AbstractEngine,
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate | None,
    *,
    until: AbstractEvent | None,
    events: Sequence[AbstractEvent],
    save_log_times: Any,
    max_log_time: float,
    max_steps: int,
    observe: Callable | None,
    progress: Callable[[int, int], object] | None,
    tolerance: float,
) -> Solution:
    """Walk along `engine.path(dynamics)` for every lane.

    Raises `ValueError` for anything that cannot be run.
    """
    update = PolicyGradient() if update is None else update
    signal.check(problem)
    update.check(signal)
    check_events(problem, until, events)
    check_lanes(problem, signal=signal, update=update, until=until)
    dtype = problem.log_policy.dtype
    times = saved_times(save_log_times, dtype)
    check_limits(times, max_log_time, max_steps, tolerance)
    check_calls(observe, progress, times, problem.log_policy)
    watched, places = filled_up_events(events)
    settings = Settings(
        events=watched,
        save_log_times=jnp.asarray(filled_up(times, 8 if problem.batch_shape else 64)),
        num_saves=jnp.asarray(len(times)),
        max_log_time=jnp.asarray(max_log_time, dtype=dtype),
        tolerance=jnp.asarray(tolerance, dtype=dtype),
        max_steps=jnp.asarray(int(max_steps)),
        observe=observables.probs if observe is None else observe,
    )
    walk = _Walk(settings, engine)
    signal = as_numbers(problem, signal, (*events, until))
    lanes = (problem, signal, update.as_numbers(), until)

    if not problem.batch_shape:
        solution = _run_one(lanes, walk)
    elif any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(lanes)):
        solution = _run_traced(lanes, walk)
    else:
        solution = map_lanes(walk, lanes, progress=progress)
    if solution.saved is not None:
        rows = (slice(None),) * len(problem.batch_shape) + (slice(len(times)),)
        solution = dataclasses.replace(solution, saved=solution.saved[rows])
    if len(watched) > len(places) or places != sorted(places):
        times_of, log_probs_of = solution.event_log_times, solution.event_log_probs
        take = np.take if isinstance(times_of, np.ndarray) else jnp.take
        solution = dataclasses.replace(
            solution,
            event_log_times=take(times_of, np.array(places), axis=-1),
            event_log_probs=take(log_probs_of, np.array(places), axis=-2),
        )
    own, shared = _apart((signal, update, until))
    limit = float(max_log_time)
    again = functools.partial(
        _again, engine, max_log_time=limit, max_steps=max_steps, tolerance=tolerance
    )
    asked = Asked(shared, tuple(events), times, settings.observe, limit, again)
    return dataclasses.replace(solution, problem=problem, lanes=own, asked=asked)


def _again(
    engine: AbstractEngine,
    problem: Problem,
    parts: Any,
    save_log_times: Any,
    *,
    max_log_time: float,
    max_steps: int,
    tolerance: float,
) -> Solution:
    """The same run with policies saved at other times, which may go beyond its end."""
    signal, update, until = jax.tree.map(jnp.asarray, parts)
    return run(
        engine,
        problem,
        signal,
        update,
        until=until,
        events=(),
        save_log_times=save_log_times,
        max_log_time=max(max_log_time, float(save_log_times[-1])),
        max_steps=max_steps,
        observe=None,
        progress=None,
        tolerance=tolerance,
    )


def _apart(parts: tuple) -> tuple[Any, Any]:
    """The numbers with one row per lane, and all else."""
    axes = tuple(lane_axes(part) for part in parts)
    return eqx.partition(parts, per_lane(lambda x: True, parts, axes, False))


def as_numbers(
    problem: Problem,
    signal: AbstractSignal,
    events: Sequence[AbstractEvent | None] = (),
) -> AbstractSignal:
    """A signal that pays given numbers, as these numbers: all share one program.

    Another signal stays as it is: one whose rewards move or have to be computed, and
    one of which an event knows that its sign changes once.
    """
    if not (signal.fixed and signal.exact):
        return signal

    def paid(problem, signal):
        return signal.paid(problem, problem.log_policy)

    axes = lane_axes(signal)
    for _ in problem.batch_shape:
        paid = jax.vmap(paid, in_axes=(0, axes))
    numbers = FixedConfidence(paid(problem, signal))
    asked = [event for event in events if event is not None]
    if any(e.changes_once(signal) != e.changes_once(numbers) for e in asked):
        return signal
    return numbers


class _Walk(eqx.Module):
    """How one lane is begun, carried on and ended; see `ensembles.Walk`."""

    settings: Settings
    engine: AbstractEngine

    def begin(self, lane):
        problem, signal, update, until = lane
        path = self.engine.path(Dynamics(problem, signal, update))
        return begin(self.settings, path, until)

    def advance(self, walker):
        return advance(self.settings, walker)

    def end(self, walker):
        return report(self.settings, walker)


def _to_the_end(walk: _Walk, walker: Walker) -> Walker:
    # The loop carries arrays only.
    arrays, rest = eqx.partition(walker, eqx.is_array)
    arrays = jax.lax.while_loop(
        lambda a: a.running,
        lambda a: eqx.filter(walk.advance(eqx.combine(a, rest)), eqx.is_array),
        arrays,
    )
    return eqx.combine(arrays, rest)


@eqx.filter_jit
def _run_one(lane, walk):
    return _solution(lane, walk=walk)


def _run_traced(lanes, walk):
    """A batch inside `jit`, `grad` or `vmap`: all lanes at once, waiting for the last.

    Blocks of lanes are put together outside of such programs only.
    """
    axes = tuple(lane_axes(member) for member in lanes)
    shape = lanes[0].batch_shape
    flat = per_lane(lambda x: x.reshape((-1, *x.shape[len(shape) :])), lanes, axes)
    found = jax.vmap(lambda lane: _run_one(lane, walk), in_axes=(axes,))(flat)
    return jax.tree.map(lambda x: x.reshape((*shape, *x.shape[1:])), found)


@eqx.filter_custom_jvp
def _solution(lane, *, walk):
    return walk.end(_to_the_end(walk, walk.begin(lane)))


@jax.custom_jvp
def _once_only(x):
    return x


@_once_only.defjvp
def _refuse(primals, tangents):
    raise ValueError(
        "a solution has first derivatives only; take differences of them for second "
        "ones."
    )


def _once(tree):
    """The same, but that it cannot be differentiated again."""
    return jax.tree.map(lambda x: _once_only(x) if eqx.is_inexact_array(x) else x, tree)


@_solution.def_jvp
def _solution_jvp(primals, tangents, *, walk):
    if len(walk.settings.save_log_times):
        raise ValueError(
            "saved states have no derivatives; ask for events instead of "
            "`save_log_times`."
        )
    (lane,), (change,) = primals, tangents
    if isinstance(lane[2], AbstractClock) and jax.tree.leaves(change[2]):
        kind = type(lane[2]).__name__
        raise ValueError(
            f"derivatives by the parameters of a clock ({kind}) are not known; take "
            "differences, or differentiate by the problem."
        )
    lane = _once(lane)
    walker = walk.begin(lane)
    path = walk.engine.with_derivatives(walker.path)
    walker = _to_the_end(walk, begin(walk.settings, path, walker.until))
    found = ends(walk.settings, walker)
    solved = solution(walk.settings, walker, found)
    return solved, tangent(walk.settings, walker, found, solved, lane, change)

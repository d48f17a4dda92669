"""Following populations: one, or blocks of them."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from simulator import observables
from simulator.engines import sharing
from simulator.engines.flow.engine import explicit_engine
from simulator.engines.lanes import own_ranks, per_lane
from simulator.engines.report import as_outcome, ends, stacked, verdict
from simulator.engines.requests import check_calls, check_limits, filled_up, saved_times
from simulator.engines.walker import Settings, Walker, advance, begin, code
from simulator.outcome import Outcome
from simulator.populations.dynamics import PopulationDynamics
from simulator.populations.events import check_shared, name_of, of_population
from simulator.populations.joint import AbstractJointSignal
from simulator.populations.path import PopulationPath, normalised
from simulator.populations.population import Population
from simulator.populations.solution import PopulationSolution
from simulator.recording import AbstractEvent
from simulator.rollouts.policies import PerQuestion
from simulator.rules import AbstractSignal, AbstractUpdate
from simulator.updates import NaturalGradient, PolicyGradient
from simulator.validation import Numbers, check_kind, is_traced, shown

WIDEST = 64  # populations that one device follows at once
ELEMENTS = 2**17  # at most about so many numbers of policies at once


__all__ = ["solve_population"]


def solve_population(
    population: Population,
    signal: AbstractSignal | AbstractJointSignal,
    update: AbstractUpdate | None = None,
    *,
    until: AbstractEvent | None = None,
    events: Sequence[AbstractEvent] = (),
    save_log_times: Numbers | None = None,
    observe: Callable[[Array], Array] | None = None,
    max_log_time: float = 2000.0,
    max_steps: int = 20_000,
    tolerance: float | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> PopulationSolution:
    """Follow a population, or a batch, until an event or a time.

    With `A_qk` the advantages of question q (see `simulator.solve`) and `h_q` its
    clock, free logits would move at `g_qk = h_q pi_qk A_qk` (natural gradient:
    `A_qk`); the parameters move at the policy's `pull` of g: its gradient of the mean
    over questions. Time is learning rate times steps.

    - `population`: questions and what they share; a batch has the axes `*B` first.
    - `signal`: what patterns are paid, by one of the signals for each question, or by
      a joint one (`AbstractJointSignal`). Numbers of signal and update may have one row
      per question.
    - `until`, `events`: accuracy and the like are those of the mean over questions (of
      tasks, for a joint signal); `of_question(event, 3)` is one of question 3. Events
      are the same for all populations.
    - `save_log_times`, `observe(log_probs)`, `max_log_time`, `max_steps`, `progress`:
      as in `simulator.solve`, with policies `[Q, K]`.
    - `tolerance`: bounds the error of one step in the parameters, root mean square, and
      in `log t` (default 1e-8, in float32 1e-5).

    Steps are explicit, and parametrised by the arc length of the parameters plus the
    logarithm of time, so that a plateau takes no longer than others. Limit: under
    demonstrations or a KL penalty a pattern of probability p relaxes at a rate of order
    p or beta p, and times beyond about `max_steps` over the largest such rate end as
    `max_steps`.

    Inside of `jit` and `vmap` all populations wait for the slowest. Derivatives are
    forward only (`jax.jvp`).

    Raises `ValueError` for what does not fit. Never for what happens on the way: see
    `PopulationSolution.outcome`.

    >>> problem = sim.Problem([[0.9, 0.1], [0.2, 0.6]], [[0.3, 0.7], [0.5, 0.5]])
    >>> shared = sim.Population(problem, ro.Shared())
    >>> run = sim.solve_population(shared, sim.Verifiable(), until=sim.Accuracy(0.54))
    >>> round(float(run.time), 3), np.round(run.accuracy, 4)
    (71.211, Array([0.8744, 0.2056], dtype=float64))
    """
    update = PolicyGradient() if update is None else update
    _check(population, signal, update)
    joint = isinstance(signal, AbstractJointSignal) and signal.has_tasks
    asked = _events(population, until, events, joint)
    dtype = population.dtype
    if tolerance is None:
        tolerance = 1e-5 if dtype == jnp.float32 else 1e-8
    times = saved_times(save_log_times, dtype)
    check_limits(times, max_log_time, max_steps, tolerance)
    log_policy = population.problem.log_policy
    check_calls(observe, progress, times, log_policy, "Q K")
    settings = Settings(
        events=tuple(of_population(event, joint) for event in events),
        save_log_times=jnp.asarray(filled_up(times, 8)),
        num_saves=jnp.asarray(len(times)),
        max_log_time=jnp.asarray(max_log_time, dtype=dtype),
        tolerance=jnp.asarray(tolerance, dtype=dtype),
        max_steps=jnp.asarray(int(max_steps)),
        observe=observables.probs if observe is None else observe,
    )
    stop = None if until is None else of_population(until, joint)
    lanes = (population, signal, update.as_numbers(), stop)
    stepper = explicit_engine(tolerance).stepper
    if population.batch_shape and any(map(is_traced, jax.tree.leaves(lanes))):
        found = _traced(lanes, settings, stepper)
    elif population.batch_shape:
        found = _blocks(lanes, settings, stepper, progress)
    else:
        found = _one(lanes, settings, stepper)
    saved = found["saved"]
    if saved is not None:
        rows = (slice(None),) * len(population.batch_shape) + (slice(len(times)),)
        found["saved"] = saved[rows]
    return PopulationSolution(
        **found,
        population=population,
        saved_log_times=np.asarray(times),
        event_names=tuple(map(name_of, asked)),
        stops=until is not None,
    )


def _check(population: Population, signal: Any, update: AbstractUpdate) -> None:
    kinds = AbstractSignal | AbstractJointSignal
    check_kind("signal", signal, kinds, "Verifiable()")
    check_kind("update", update, AbstractUpdate, "PolicyGradient()")
    signal.check(population.problem)
    _check_rows(population, signal=signal, update=update)
    if isinstance(signal, AbstractSignal):
        update.check(signal)
    elif not isinstance(update, PolicyGradient | NaturalGradient):
        raise ValueError(
            f"`{type(update).__name__}` runs by the mean reward of one question, and "
            f"`{type(signal).__name__}` pays several together; use `PolicyGradient`."
        )
    if isinstance(update, NaturalGradient) and type(population.policy) is not (
        PerQuestion
    ):
        raise ValueError(
            "`NaturalGradient` inverts the Fisher matrix of one question; use the "
            "policy `PerQuestion`."
        )


def _events(
    population: Population, until: Any, events: Any, joint: bool
) -> list[AbstractEvent]:
    """All events, that to stop at last; `ValueError` for what is none of them."""
    if not isinstance(events, Sequence) or isinstance(events, str):
        raise ValueError(f"`events` is {shown(events)}; give a list of events.")
    asked = [*events, *([] if until is None else [until])]
    for event in asked:
        own = of_population(event, joint)
        check_shared(event)
        own.check(population.problem)
        event.check(population.problem)
    return asked


def _lane_axes(lanes: tuple, shape: tuple[int, ...]) -> tuple:
    """Which arrays have one row per population.

    Numbers of the policy with more axes than for one population; numbers of signal and
    update that have an axis of questions behind those of the populations.
    """
    population, *members = lanes

    def own(part, questions):
        ranks = own_ranks(part)
        axes = len(shape) + questions
        return jax.tree.map(
            lambda x, rank: 0 if np.ndim(x) == rank + axes else None, part, ranks
        )

    whole = jax.tree.map(lambda x: 0, population)
    whole = eqx.tree_at(lambda p: p.policy, whole, own(population.policy, 0))
    return (whole, *(own(member, 1) for member in members))


def _check_rows(population: Population, **members: Any) -> None:
    """Raise `ValueError` unless numbers with more axes have one row per question."""
    questions = (population.num_questions,)
    allowed = (), questions, (*population.batch_shape, *questions)

    for name, member in members.items():

        def check(path, x, own, name=name):
            rows = np.shape(x)[: max(np.ndim(x) - own, 0)]
            if rows not in allowed:
                where = name + jax.tree_util.keystr(path)
                raise ValueError(
                    f"`{where}` has shape {np.shape(x)}; give one value, or one per "
                    f"question: {allowed[-1]} first."
                )

        jax.tree_util.tree_map_with_path(check, member, own_ranks(member))


@eqx.filter_jit
def _one(lanes, settings, stepper):
    return _follow(lanes, settings, stepper)


def _traced(lanes, settings, stepper):
    """A batch inside `jit` or `vmap`: all at once, waiting for the last."""
    shape = lanes[0].batch_shape
    axes = _lane_axes(lanes, shape)
    flat = per_lane(lambda x: x.reshape((-1, *x.shape[len(shape) :])), lanes, axes)
    found = eqx.filter_vmap(
        lambda lane: _follow(lane, settings, stepper), in_axes=(axes,)
    )(flat)
    return jax.tree.map(lambda x: x.reshape((*shape, *x.shape[1:])), found)


def _blocks(lanes, settings, stepper, progress):
    """Every population by itself, in blocks of few widths, shared by all devices."""
    population = lanes[0]
    shape = population.batch_shape
    axes = _lane_axes(lanes, shape)
    flat = per_lane(lambda x: x.reshape((-1, *x.shape[len(shape) :])), lanes, axes)
    cells = population.num_questions * population.problem.num_patterns
    found = sharing.in_blocks(
        int(np.prod(shape)),
        lambda rows, devices: _block(rows, axes, settings, stepper, devices),
        lambda index: per_lane(lambda x: x[index], flat, axes),
        min(WIDEST, ELEMENTS // cells),
        progress=progress,
    )
    return jax.tree.map(lambda x: x.reshape((*shape, *x.shape[1:])), found)


@eqx.filter_jit
def _block(lanes, axes, settings, stepper, devices):
    numbers, rest = eqx.partition(lanes, eqx.is_array)

    def share(numbers):
        own = eqx.combine(numbers, rest)
        return eqx.filter_vmap(
            lambda lane: _follow(lane, settings, stepper), in_axes=(axes,)
        )(own)

    return sharing.shared_out(share, numbers, axes, devices)


def _follow(lane, settings: Settings, stepper) -> dict[str, Any]:
    """One population to its end: the fields of a `PopulationSolution`."""
    population, signal, update, until = lane
    dynamics = PopulationDynamics(
        population.problem, population.policy, population.parameters, signal, update
    )
    _, log_speed = normalised(dynamics, dynamics.start())
    log_t_ref = jnp.where(log_speed > -jnp.inf, -log_speed, 0.0)
    path = PopulationPath(dynamics, log_t_ref, stepper)
    walker = begin(settings, path, until)
    arrays, rest = eqx.partition(walker, eqx.is_array)

    def go_on(arrays):
        moved = advance(settings, eqx.combine(arrays, rest))
        return eqx.filter(moved, eqx.is_array)

    arrays = jax.lax.while_loop(lambda a: a.running, go_on, arrays)
    return _report(settings, eqx.combine(arrays, rest))


def _report(settings: Settings, walker: Walker) -> dict[str, Any]:
    path: Any = walker.path
    found = ends(settings, walker)
    status = verdict(walker, found)
    ended = path.here(found.ended).logits
    log_time = path.log_time(found.ended)
    still = status == code(Outcome.stationary)
    if walker.until is not None:
        never = still | (status == code(Outcome.unreachable))
        log_time = jnp.where(never, jnp.inf, log_time)
    point = path.dynamics.at(ended)
    saved = None
    if len(settings.save_log_times):
        rest = settings.observe(point.log_probs)
        after = settings.save_log_times > path.log_time(found.ended)
        after = after.reshape((-1,) + (1,) * rest.ndim)
        saved = jnp.where(after, rest[None], walker.saved)
    times, states = list(found.log_times), list(found.states)
    if walker.until is not None:
        reached = status == code(Outcome.reached)
        times.append(jnp.where(reached, log_time, jnp.inf))
        states.append(found.ended)
    shape = (0, *point.log_probs.shape)
    return {
        "outcome": as_outcome(status),
        "log_time": log_time,
        "parameters": ended[: len(path.dynamics.origin)],
        "log_probs": point.log_probs,
        "success": point.success,
        "event_log_times": jnp.stack(times) if times else jnp.zeros(0, ended.dtype),
        "event_log_probs": jax.vmap(path.log_probs)(stacked(states))
        if states
        else jnp.zeros(shape, ended.dtype),
        "saved": saved,
        "num_steps": walker.steps,
    }

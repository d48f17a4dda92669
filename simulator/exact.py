"""The gradient flow without time steps: fixed rewards and the plain policy gradient.

Every state on the path is known in closed form (`simulator.orbit`); only the physical
time is a quadrature, `t = int Z dtau`, done by Gauss-Kronrod rules whose error is
estimated and bounded rule by rule. Nothing is integrated, so no error accumulates in
the state, and a time of 1e300 costs little more than one of 1.

Events are roots on the path. A time that is asked for is a root of the quadrature.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from simulator import engine
from simulator.dynamics import Dynamics
from simulator.engine import Settings
from simulator.marching import (
    RUNNING,
    AbstractExactPath,
    Bracket,
    code,
    first_brackets,
    report,
    scores,
    update_brackets,
    values,
)
from simulator.orbit import Orbit
from simulator.orbit_path import OrbitPath
from simulator.problem import Problem
from simulator.replicator import ReplicatorPath
from simulator.signals import AbstractFixedSignal, AbstractSignal
from simulator.solution import Outcome, Solution
from simulator.stepping import select
from simulator.updates import (
    AbstractClock,
    AbstractUpdate,
    NaturalGradient,
    PolicyGradient,
)

PASSES = (32, 1024)
FIRST_SIZE = 1.0
SHRINK, GROW, SAFETY = 0.25, 2.0, 0.9


def closed_form(signal: AbstractSignal, update: AbstractUpdate) -> bool:
    """Whether the path of this recipe is known in closed form.

    Fixed rewards, and either the natural gradient or the policy gradient without KL, in
    any clock.
    """
    if not isinstance(signal, AbstractFixedSignal):
        return False
    if type(update) is NaturalGradient or isinstance(update, AbstractClock):
        return True
    beta = update.beta
    unpenalised = not isinstance(beta, jax.core.Tracer) and not np.any(np.asarray(beta))
    return type(update) is PolicyGradient and unpenalised


def _path(dynamics: Dynamics) -> AbstractExactPath:
    """The closed-form path of one problem."""
    problem = dynamics.problem
    first = dynamics.point(problem.log_policy)
    if isinstance(dynamics.update, NaturalGradient):
        log_t_ref = jnp.where(first.log_speed > -jnp.inf, -first.log_speed, 0.0)
        return ReplicatorPath(dynamics, first.rewards, log_t_ref)
    return OrbitPath(dynamics, Orbit(first.rewards, problem.log_policy))


def exact(
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate | None = None,
    *,
    tolerance: float | None = None,
    **options,
) -> Solution:
    """Solve the flow of one problem, or of a batch, until an event or a time.

    The closed-form engine. Options as in `simulator.solve`; `tolerance` bounds the
    estimated relative error of the time, stretch by stretch (default 1e-12, in float32
    1e-6).

    Raises `ValueError` if the path is not known in closed form (see `closed_form`): use
    `simulator.flow` there.
    """
    if not closed_form(signal, PolicyGradient() if update is None else update):
        raise ValueError(
            "no closed form is known: the method `exact` needs fixed rewards, and the "
            "natural gradient or the policy gradient without KL; use `flow`."
        )
    if tolerance is None:
        tolerance = 1e-6 if problem.log_policy.dtype == jnp.float32 else 1e-12
    return engine.run(
        _solve,
        problem,
        signal,
        update,
        tolerance=tolerance,
        passes=PASSES,
        **options,
    )


class _Loop(NamedTuple):
    state: Any
    size: Array
    landing: Array
    values: Array
    brackets: Bracket
    next_save: Array
    saved: Array
    status: Array
    steps: Array


def _solve(run: Settings, problem: Problem, signal, update, until) -> Solution:
    dynamics = Dynamics(problem, signal, update)
    first = dynamics.point(problem.log_policy)
    path = _path(dynamics)
    start = path.start()
    events = (() if until is None else (until,)) + run.events
    targets = jnp.append(run.save_log_times, run.max_log_time)
    landed_within = 4 * jnp.finfo(problem.log_policy.dtype).eps

    start_values = values(path, events, start)
    status = jnp.asarray(RUNNING)
    if until is not None:
        status = jnp.where(start_values[0] >= 0, code(Outcome.reached), status)
    status = jnp.where(first.log_speed > -jnp.inf, status, code(Outcome.stationary))
    finite = jnp.all(jnp.isfinite(first.rewards)) & ~jnp.isnan(first.log_speed)
    status = jnp.where(finite, status, code(Outcome.nonfinite))
    shape = jax.eval_shape(run.observe, problem.log_policy).shape
    saved = jnp.zeros((len(run.save_log_times), *shape), problem.log_policy.dtype)

    def at_rest(state):
        advantage = jnp.abs(path.point(state).advantage.values())
        most = jnp.max(jnp.where(problem.log_policy > -jnp.inf, advantage, 0))
        return (update.beta > 0) & (most <= update.beta * run.tolerance)

    def body(loop: _Loop) -> _Loop:
        state, target = loop.state, targets[loop.next_save]
        room = path.border(state) - state.v
        size = jnp.minimum(loop.size, room)
        end, error, log_rate = path.stretch(state, size)
        log_t = path.log_time(end)
        good = error <= run.tolerance
        # Land on a time asked for by Newton's method, from either side.
        early = target - log_t
        landed = good & (jnp.abs(early) <= landed_within * (1 + jnp.abs(target)))
        overshoot = good & ~landed & (early < 0)
        accept = good & ~overshoot
        landing = (overshoot | loop.landing) & ~landed
        newton = early * jnp.exp(log_t - log_rate)
        correction = jnp.where(overshoot, size + newton, newton)
        correction = jnp.where(correction > 0, correction, 0.5 * size)
        safe = jnp.where(jnp.isfinite(error), error / run.tolerance, 1e30)
        factor = SAFETY * jnp.maximum(safe, 1e-30) ** (-1 / 21)
        factor = jnp.clip(factor, SHRINK, jnp.where(good, GROW, SAFETY))
        free = jnp.minimum(size * factor, path.largest_size)
        # A step cut short at a border says nothing against longer ones.
        free = jnp.where(good, jnp.maximum(free, loop.size), free)
        new_size = jnp.where(good & landing, jnp.minimum(correction, free), free)
        at_border = size == room
        end = end._replace(v=jnp.where(at_border, path.border(state), end.v))
        new = values(path, events, end)
        brackets = update_brackets(
            events,
            loop.brackets,
            loop.values,
            new,
            scores(path, events, end),
            state,
            size,
            accept,
        )
        following = path.hand_over(end)
        status, steps = loop.status, loop.steps + 1
        last = loop.next_save == len(run.save_log_times)
        status = jnp.where(landed & last, code(Outcome.horizon), status)
        status = jnp.where(accept & at_rest(end), code(Outcome.settled), status)
        if until is not None:
            status = jnp.where(accept & (new[0] > 0), code(Outcome.reached), status)
        running = status == RUNNING
        tiny = new_size < 1e-12 * (1 + state.v)
        status = jnp.where(
            running & (steps >= run.max_steps), code(Outcome.max_steps), status
        )
        status = jnp.where(running & tiny & ~good, code(Outcome.nonfinite), status)
        saved = loop.saved
        if len(run.save_log_times):
            row = jnp.minimum(loop.next_save, len(run.save_log_times) - 1)
            now = run.observe(path.log_probs(end))
            saved = saved.at[row].set(jnp.where(landed & ~last, now, saved[row]))
        return _Loop(
            select(accept, following, state),
            new_size,
            landing,
            jnp.where(accept, new, loop.values),
            brackets,
            jnp.where(landed, loop.next_save + 1, loop.next_save),
            saved,
            status,
            steps,
        )

    loop = _Loop(
        start,
        jnp.asarray(FIRST_SIZE, problem.log_policy.dtype),
        jnp.asarray(False),
        start_values,
        first_brackets(events, start, start_values, scores(path, events, start)),
        jnp.asarray(0),
        saved,
        status,
        jnp.asarray(0),
    )
    loop = jax.lax.while_loop(lambda c: c.status == RUNNING, body, loop)
    return report("exact", path, until, run, start, start_values, loop)

"""The gradient flow `d logits / dt = velocity`, integrated numerically.

Plateaus last for times of order `1/pi_*` and more, so physical time is a bad clock. We
integrate in `sigma`, with

    d sigma = |velocity| dt + dt / (t + t_ref),        t_ref = 1 / |velocity(0)|,

arc length of the logits plus logarithm of time: each unit of `sigma` either moves the
logits by one unit or multiplies the time by e, so nothing stalls, and the right-hand
side is bounded by 1. The state is the logits and `ell = log(1 + t / t_ref)`; sizes are
logarithms throughout (`logspace`), so a plateau of `1e600` is a number like any other.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from diffrax import Dopri8, Tsit5
from jaxtyping import Array, Float

from simulator import engine
from simulator.dynamics import Dynamics
from simulator.engine import Settings
from simulator.logspace import log_expm1
from simulator.marching import (
    RUNNING,
    AbstractPath,
    Bracket,
    code,
    first_brackets,
    report,
    scores,
    update_brackets,
    values,
)
from simulator.problem import Problem
from simulator.signals import AbstractSignal
from simulator.solution import Outcome, Solution
from simulator.stepping import Step, Stepper, select
from simulator.updates import AbstractUpdate

HIGH_ORDER_BELOW = 1e-6  # tolerance from which 12 stages of order 8 beat 6 of order 5
# In a batch: most lanes are done after the first number of steps, few need the last.
PASSES = (64, 1024)
FIRST_STEP = 0.05
SHRINK, GROW, SAFETY = 0.2, 6.0, 0.9


class FlowState(NamedTuple):
    """`logits` (0 outside the support) and `ell = log(1 + t / t_ref)`."""

    logits: Float[Array, " K"]
    ell: Float[Array, ""]


class FlowPath(AbstractPath):
    """The numerical solution, in the clock of the module's docstring."""

    dynamics: Dynamics
    log_t_ref: Float[Array, ""]
    stepper: Stepper

    def log_probs(self, state):
        inside = self.dynamics.problem.log_policy > -jnp.inf
        return jax.nn.log_softmax(jnp.where(inside, state.logits, -jnp.inf))

    def log_time(self, state):
        return self.log_t_ref + log_expm1(state.ell)

    def field(self, state: FlowState) -> FlowState:
        """`d state / d sigma`."""
        point = self.point(state)
        log_ratio = point.log_speed + self.log_t_ref + state.ell
        share = jax.nn.sigmoid(log_ratio)
        return FlowState(point.direction * share, jax.nn.sigmoid(-log_ratio))

    def step(self, start: FlowState, size, first: FlowState) -> Step:
        """One solver step; `first = field(start)`. A negative size is one in `ell`.

        With `ell` itself as the clock one step of known size lands on a given time.
        """
        in_ell = size < 0

        def clocked(state):
            return _rescale(self.field(state), in_ell)

        return self.stepper.step(clocked, start, jnp.abs(size), _rescale(first, in_ell))

    def look_ahead(self, start, size):
        return self.step(start, size, self.field(start)).end


def _rescale(field: FlowState, in_ell) -> FlowState:
    scale = jnp.where(in_ell, 1 / field.ell, 1.0)
    return jax.tree.map(lambda f: f * scale, field)


def flow(
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate | None = None,
    *,
    tolerance: float | None = None,
    **options,
) -> Solution:
    """Integrate the flow of one problem, or of a batch, until an event or a time.

    The numerical engine, for any signal and update. Options as in `simulator.solve`.

    `tolerance` bounds the error of one solver step in any logit and in `log t`
    (default 1e-8, in float32 1e-5). Measured on 10,000 random problems, the relative
    error of hitting times is below `tolerance`; see `benchmarks/`.

    Limit: with a KL penalty the policy gradient is stiff, every pattern relaxing at its
    own rate `beta pi_k`; below about a tenth of the reward gaps, `beta` costs so many
    steps that lanes end as `max_steps`. The natural gradient has no such limit.

    Raises `ValueError` if the signal does not fit the problem or a parameter is out of
    range. Never raises for what happens in a lane: see `Solution.outcome`.
    """
    if tolerance is None:
        single = problem.log_policy.dtype == jnp.float32
        tolerance = 1e-5 if single else 1e-8
    stepper = Stepper(Dopri8() if tolerance <= HIGH_ORDER_BELOW else Tsit5())
    return engine.run(
        _solve,
        problem,
        signal,
        update,
        tolerance=tolerance,
        passes=PASSES,
        options=stepper,
        **options,
    )


class _Loop(NamedTuple):
    state: FlowState
    field: FlowState
    size: Array
    landing: Array
    values: Array
    brackets: Bracket
    next_save: Array
    saved: Array
    status: Array
    steps: Array


def _solve(run: Settings, problem: Problem, signal, update, until) -> Solution:
    inside = problem.log_policy > -jnp.inf
    zero = jnp.zeros((), problem.log_policy.dtype)
    dynamics = Dynamics(problem, signal, update)
    first = dynamics.point(problem.log_policy)
    moving = first.log_speed > -jnp.inf
    log_t_ref = jnp.where(moving, -first.log_speed, 0.0)
    path = FlowPath(dynamics, log_t_ref, run.options)
    start = FlowState(jnp.where(inside, problem.log_policy, 0.0), zero)
    events = (() if until is None else (until,)) + run.events
    observe = run.observe

    targets = jnp.append(run.save_log_times, run.max_log_time)
    # ell of a log time, log(1 + t / t_ref), without overflow.
    targets = jnp.logaddexp(0.0, targets - log_t_ref)

    def at_rest(state):
        # First-order condition of the penalised objective: nobody has an advantage.
        advantage = jnp.abs(path.point(state).advantage.values())
        most = jnp.max(jnp.where(inside, advantage, 0))
        return (update.beta > 0) & (most <= update.beta * run.tolerance)

    start_values = values(path, events, start)
    status = jnp.asarray(RUNNING)
    if until is not None:
        status = jnp.where(start_values[0] >= 0, code(Outcome.reached), status)
    status = jnp.where(at_rest(start), code(Outcome.settled), status)
    status = jnp.where(~moving, code(Outcome.stationary), status)
    finite = jnp.isfinite(jnp.sum(start.logits)) & jnp.all(jnp.isfinite(first.rewards))
    finite &= ~jnp.isnan(first.log_speed)
    status = jnp.where(finite, status, code(Outcome.nonfinite))
    shape = jax.eval_shape(observe, problem.log_policy).shape
    saved = jnp.zeros((len(run.save_log_times), *shape), problem.log_policy.dtype)

    def body(loop: _Loop) -> _Loop:
        target = targets[loop.next_save]
        landing = loop.landing | (loop.state.ell + loop.size * loop.field.ell >= target)
        size = jnp.where(landing, loop.state.ell - target, loop.size)
        end, error, _ = path.step(loop.state, size, loop.field)
        sum_squares = jnp.sum(error.logits**2) + error.ell**2
        scaled = jnp.sqrt(sum_squares / (problem.num_patterns + 1)) / run.tolerance
        # A NaN or infinite error fails the comparison and shrinks the step.
        good = scaled <= 1
        exponent = -1 / (path.stepper.order() + 1.0)
        safe = jnp.where(jnp.isfinite(scaled), jnp.maximum(scaled, 1e-12), 1e12)
        factor = jnp.clip(SAFETY * safe**exponent, SHRINK, GROW)
        factor = jnp.where(good, factor, jnp.minimum(factor, SAFETY))
        overshoot = good & ~landing & (end.ell > target)
        accept = good & ~overshoot
        landed = accept & landing
        end = FlowState(end.logits, jnp.where(landed, target, end.ell))
        new_size = jnp.where(
            landing,
            jnp.where(good, loop.size, loop.size * 0.5),
            jnp.where(overshoot, loop.size, loop.size * factor),
        )
        field, new = path.field(end), values(path, events, end)
        brackets = update_brackets(
            events,
            loop.brackets,
            loop.values,
            new,
            scores(path, events, end),
            loop.state,
            size,
            accept,
        )
        status = loop.status
        broken = ~jnp.isfinite(jnp.sum(end.logits) + end.ell)
        last = loop.next_save == len(run.save_log_times)
        status = jnp.where(landed & last, code(Outcome.horizon), status)
        status = jnp.where(accept & at_rest(end), code(Outcome.settled), status)
        if until is not None:
            status = jnp.where(accept & (new[0] > 0), code(Outcome.reached), status)
        steps = loop.steps + 1
        running = status == RUNNING
        tiny = new_size < 1e-13
        status = jnp.where(
            running & (steps >= run.max_steps), code(Outcome.max_steps), status
        )
        status = jnp.where(
            running & tiny & (broken | ~good), code(Outcome.nonfinite), status
        )
        saved = loop.saved
        if len(run.save_log_times):
            row = jnp.minimum(loop.next_save, len(run.save_log_times) - 1)
            now = jnp.where(landed & ~last, observe(path.log_probs(end)), saved[row])
            saved = saved.at[row].set(now)
        return _Loop(
            select(accept, end, loop.state),
            select(accept, field, loop.field),
            new_size,
            overshoot,
            jnp.where(accept, new, loop.values),
            brackets,
            jnp.where(landed, loop.next_save + 1, loop.next_save),
            saved,
            status,
            steps,
        )

    loop = _Loop(
        start,
        path.field(start),
        zero + FIRST_STEP,
        jnp.asarray(False),
        start_values,
        first_brackets(events, start, start_values, scores(path, events, start)),
        jnp.asarray(0),
        saved,
        status,
        jnp.asarray(0),
    )
    loop = jax.lax.while_loop(lambda c: c.status == RUNNING, body, loop)
    return report("flow", path, until, run, start, start_values, loop)

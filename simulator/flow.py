"""The gradient flow `d logits / dt = velocity`, integrated numerically.

Plateaus last for times of order `1/pi_*` and more, so physical time is a bad clock. We
integrate in `sigma`, with

    d sigma = |velocity| dt + dt / (t + t_ref),        t_ref = 1 / |velocity(0)|,

arc length of the logits plus logarithm of time: each unit of `sigma` either moves the
logits by one unit or multiplies the time by e, so nothing stalls, and the right-hand
side is bounded by 1. The state is the logits and `ell = log(1 + t / t_ref)`; sizes are
logarithms throughout (`logspace`), so a plateau of `1e600` is a number like any other.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator import observables
from simulator.ensembles import map_lanes
from simulator.events import AbstractEvent, AbstractExtreme, Point
from simulator.logspace import log_expm1
from simulator.problem import Problem
from simulator.signals import AbstractSignal
from simulator.solution import OUTCOME_NAMES, Outcome, Solution
from simulator.stepping import Stepper, select
from simulator.updates import AbstractUpdate, PolicyGradient

MAX_STEPS = 20_000
# In a batch: most lanes are done after the first number of steps, few need the last.
PASSES = (64, 1024)
FIRST_STEP = 0.05
SHRINK, GROW, SAFETY = 0.2, 6.0, 0.9
RUNNING = -1
LOCATE_ITERATIONS = 9


class FlowState(NamedTuple):
    """`logits` (0 outside the support) and `ell = log(1 + t / t_ref)`."""

    logits: Float[Array, " K"]
    ell: Float[Array, ""]


class Bracket(NamedTuple):
    """A solver step inside which an event happens: its start and its size."""

    start: FlowState
    size: Float[Array, ""]
    found: Array
    score: Float[Array, ""]


class Flow(eqx.Module):
    """The equation of motion of one problem, in the clock of the module's docstring."""

    problem: Problem
    signal: AbstractSignal
    update: AbstractUpdate
    log_t_ref: Float[Array, ""]

    def log_probs(self, state: FlowState) -> Float[Array, " K"]:
        inside = self.problem.log_policy > -jnp.inf
        return jax.nn.log_softmax(jnp.where(inside, state.logits, -jnp.inf))

    def point(self, state: FlowState) -> Point:
        log_probs = self.log_probs(state)
        rewards = self.signal(self.problem, log_probs)
        rewards = jnp.where(log_probs > -jnp.inf, rewards, 0.0)
        advantage = self.update.advantage(self.problem, rewards, log_probs)
        mantissa, _ = self.update.velocity(advantage)
        size = _norm(mantissa)
        direction = mantissa / jnp.where(size > 0, size, 1.0)
        return Point(self.problem, log_probs, rewards, direction, advantage)

    def log_speed(self, state: FlowState) -> Float[Array, ""]:
        mantissa, log_scale = self.update.velocity(self.point(state).advantage)
        return jnp.log(_norm(mantissa)) + log_scale

    def field(self, state: FlowState) -> FlowState:
        point = self.point(state)
        mantissa, log_scale = self.update.velocity(point.advantage)
        log_speed = jnp.log(_norm(mantissa)) + log_scale
        log_ratio = log_speed + self.log_t_ref + state.ell
        share = jax.nn.sigmoid(log_ratio)
        return FlowState(point.direction * share, jax.nn.sigmoid(-log_ratio))

    def log_time(self, ell: Float[Array, ""]) -> Float[Array, ""]:
        return self.log_t_ref + log_expm1(ell)


def flow(
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate | None = None,
    *,
    until: AbstractEvent | None = None,
    events: Sequence[AbstractEvent] = (),
    save_log_times=None,
    max_log_time: float = 2000.0,
    tolerance: float | None = None,
    max_steps: int = MAX_STEPS,
    observe=observables.probs,
    progress=None,
) -> Solution:
    """Integrate the flow of one problem, or of a batch, until an event or a time.

    Stops at `until` (default: at rest, or at the time limit), at the time
    `exp(max_log_time)`, or where the policy comes to rest. `events` are located on the
    way; `save_log_times` (increasing) are times at which `observe(log_probs)` is saved.
    `progress(done, total)` is called after every chunk of a batch.

    `tolerance` bounds the error of one solver step in any logit and in `log t`
    (default 1e-8, in float32 1e-5). Measured on 10,000 random problems, the relative
    error of hitting times is below `tolerance`; see `benchmarks/`.

    Limit: with a KL penalty the policy gradient is stiff, every pattern relaxing at its
    own rate `beta pi_k`; below about a tenth of the reward gaps, `beta` costs so many
    steps that lanes end as `max_steps`. The natural gradient has no such limit.

    Leaves of `signal`, `update` and `until` with a leading batch axis go lane by lane.

    Raises `ValueError` if the signal does not fit the problem or a parameter is out of
    range. Never raises for what happens in a lane: see `Solution.outcome`.
    """
    update = PolicyGradient() if update is None else update
    signal.check(problem)
    update.check()
    if tolerance is None:
        single = problem.log_policy.dtype == jnp.float32
        tolerance = 1e-5 if single else 1e-8
    times = np.zeros(0) if save_log_times is None else np.asarray(save_log_times)
    if times.ndim != 1 or not (np.diff(times) > 0).all():
        raise ValueError("`save_log_times` must be one increasing list of numbers.")
    if len(times) and not times[-1] <= max_log_time:
        raise ValueError(
            f"`save_log_times` goes to {times[-1]:g}, beyond `max_log_time` = "
            f"{max_log_time:g}; raise the limit."
        )
    run = _Run(
        stepper=Stepper(),
        events=tuple(events),
        save_log_times=jnp.asarray(times, dtype=problem.log_policy.dtype),
        max_log_time=jnp.asarray(max_log_time, dtype=problem.log_policy.dtype),
        tolerance=jnp.asarray(tolerance, dtype=problem.log_policy.dtype),
        max_steps=jnp.asarray(max_steps),
        observe=observe,
    )
    lanes = (problem, signal, update, until)
    if not problem.batch_shape:
        return _run_one(run, *lanes)
    budgets = [steps for steps in PASSES if steps < max_steps] + [max_steps]
    passes = [
        dataclasses.replace(run, max_steps=jnp.asarray(steps)) for steps in budgets
    ]
    return map_lanes(_run_many, passes, lanes, unfinished=_ran_out, progress=progress)


def _ran_out(solution: Solution) -> np.ndarray:
    return np.asarray(solution.outcome == Outcome.max_steps)


class _Run(eqx.Module):
    """The settings of a call, shared by all lanes."""

    stepper: Stepper
    events: tuple[AbstractEvent, ...]
    save_log_times: Array
    max_log_time: Array
    tolerance: Array
    max_steps: Array
    observe: object = eqx.field(static=True)


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


def _norm(x):
    return jnp.sqrt(jnp.sum(jnp.square(x)))


def _code(outcome) -> Array:
    return outcome._value


def _solve(run: _Run, problem: Problem, signal, update, until) -> Solution:
    inside = problem.log_policy > -jnp.inf
    zero = jnp.zeros((), problem.log_policy.dtype)
    start = FlowState(jnp.where(inside, problem.log_policy, 0.0), zero)
    eq = Flow(problem, signal, update, zero)
    log_speed = eq.log_speed(start)
    moving = log_speed > -jnp.inf
    eq = Flow(problem, signal, update, jnp.where(moving, -log_speed, 0.0))
    events = (() if until is None else (until,)) + run.events
    observe = run.observe

    def values_at(state):
        point = eq.point(state)
        return jnp.stack([e.value(point) for e in events]) if events else jnp.zeros(0)

    def scores_at(state):
        point = eq.point(state)
        scores = [
            e.score(point) if isinstance(e, AbstractExtreme) else zero for e in events
        ]
        return jnp.stack(scores) if events else jnp.zeros(0)

    targets = jnp.append(run.save_log_times, run.max_log_time)
    # ell of a log time, log(1 + t / t_ref), without overflow.
    targets = jnp.logaddexp(0.0, targets - eq.log_t_ref)

    def at_rest(state):
        # First-order condition of the penalised objective: nobody has an advantage.
        advantage = jnp.max(
            jnp.where(inside, jnp.abs(eq.point(state).advantage.values()), 0)
        )
        return (update.beta > 0) & (advantage <= update.beta * run.tolerance)

    values = values_at(start)
    status = jnp.asarray(RUNNING)
    if until is not None:
        status = jnp.where(values[0] >= 0, _code(Outcome.reached), status)
    status = jnp.where(at_rest(start), _code(Outcome.settled), status)
    status = jnp.where(~moving, _code(Outcome.stationary), status)
    rewards0 = jnp.where(inside, signal(problem, problem.log_policy), 0.0)
    finite = jnp.isfinite(jnp.sum(jnp.where(inside, problem.log_policy, 0.0)))
    finite &= jnp.all(jnp.isfinite(rewards0)) & ~jnp.isnan(log_speed)
    status = jnp.where(finite, status, _code(Outcome.nonfinite))
    n = len(events)

    def repeat(x):
        return jnp.broadcast_to(x, (n, *x.shape))

    brackets = Bracket(
        jax.tree.map(repeat, start), jnp.zeros(n), jnp.zeros(n, bool), scores_at(start)
    )
    shape = jax.eval_shape(observe, problem.log_policy).shape
    saved = jnp.zeros((len(run.save_log_times), *shape), problem.log_policy.dtype)

    def body(loop: _Loop) -> _Loop:
        target = targets[loop.next_save]

        def clocked(state):
            # While landing on a saved time the clock is ell itself, so that one step
            # of the known size arrives there exactly.
            field = eq.field(state)
            scale = jnp.where(loop.landing, 1 / field.ell, 1.0)
            return jax.tree.map(lambda f: f * scale, field)

        first_scale = jnp.where(loop.landing, 1 / loop.field.ell, 1.0)
        first = jax.tree.map(lambda f: f * first_scale, loop.field)
        size = jnp.where(loop.landing, target - loop.state.ell, loop.size)
        end, error, _ = run.stepper.step(clocked, loop.state, size, first)
        sum_squares = jnp.sum(error.logits**2) + error.ell**2
        scaled = jnp.sqrt(sum_squares / (problem.num_patterns + 1)) / run.tolerance
        # A NaN or infinite error fails the comparison and shrinks the step.
        good = scaled <= 1
        exponent = -1 / (run.stepper.order() + 1.0)
        safe = jnp.where(jnp.isfinite(scaled), jnp.maximum(scaled, 1e-12), 1e12)
        factor = jnp.clip(SAFETY * safe**exponent, SHRINK, GROW)
        factor = jnp.where(good, factor, jnp.minimum(factor, SAFETY))
        overshoot = good & ~loop.landing & (end.ell > target)
        accept = good & ~overshoot
        landed = accept & loop.landing
        end = FlowState(end.logits, jnp.where(landed, target, end.ell))
        new_size = jnp.where(
            loop.landing,
            jnp.where(good, loop.size, loop.size * 0.5),
            jnp.where(overshoot, loop.size, loop.size * factor),
        )
        field, new = eq.field(end), values_at(end)
        crossed = accept & (loop.values <= 0) & (new > 0)
        # The step in sigma that was taken, also when it was measured in ell.
        brackets = _update_brackets(
            events,
            loop.brackets,
            crossed,
            loop.values,
            new,
            scores_at(end),
            loop.state,
            jnp.where(loop.landing, -size, size),
            accept,
        )
        status = loop.status
        broken = ~jnp.isfinite(jnp.sum(end.logits) + end.ell)
        last = loop.next_save == len(run.save_log_times)
        status = jnp.where(landed & last, _code(Outcome.horizon), status)
        status = jnp.where(accept & at_rest(end), _code(Outcome.settled), status)
        if until is not None:
            status = jnp.where(accept & (new[0] > 0), _code(Outcome.reached), status)
        steps = loop.steps + 1
        running = status == RUNNING
        tiny = new_size < 1e-13
        status = jnp.where(
            running & (steps >= run.max_steps), _code(Outcome.max_steps), status
        )
        status = jnp.where(
            running & tiny & (broken | ~good), _code(Outcome.nonfinite), status
        )
        saved = loop.saved
        if len(run.save_log_times):
            row = jnp.minimum(loop.next_save, len(run.save_log_times) - 1)
            now = jnp.where(landed & ~last, observe(eq.log_probs(end)), saved[row])
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
        eq.field(start),
        zero + FIRST_STEP,
        jnp.asarray(False),
        values,
        brackets,
        jnp.asarray(0),
        saved,
        status,
        jnp.asarray(0),
    )
    loop = jax.lax.while_loop(lambda c: c.status == RUNNING, body, loop)
    located = _locate_all(run, eq, events, loop.brackets, values_at)
    return _solution(run, eq, until, events, start, loop, located, values, moving)


def _update_brackets(
    events, brackets, crossed, old, new, scores, state, size, accept
) -> Bracket:
    """Remember, event by event, the step that has to be looked into."""
    take, found, score = [], [], []
    for i, event in enumerate(events):
        if event.keep == "first":
            take.append(crossed[i] & ~brackets.found[i])
            found.append(brackets.found[i] | crossed[i])
            score.append(brackets.score[i])
        elif event.keep == "last":
            take.append(crossed[i])
            still = brackets.found[i] & ~(accept & (new[i] < 0))
            found.append(crossed[i] | still)
            score.append(brackets.score[i])
        else:
            # Top of the parabola with the slopes -old and -new at the step's ends.
            span = jnp.where(crossed[i], new[i] - old[i], 1.0)
            peak = scores[i] + 0.5 * jnp.abs(size) * (jnp.square(new[i]) / span)
            better = crossed[i] & (peak > brackets.score[i])
            take.append(better)
            found.append(brackets.found[i] | better)
            score.append(jnp.where(better, peak, brackets.score[i]))
    if not events:
        return brackets
    take, found, score = jnp.stack(take), jnp.stack(found), jnp.stack(score)
    start = jax.tree.map(
        lambda s, b: jnp.where(take.reshape((-1,) + (1,) * s.ndim), s, b),
        state,
        brackets.start,
    )
    return Bracket(start, jnp.where(take, size, brackets.size), found, score)


def _locate_all(run, eq, events, brackets, values_at) -> FlowState:
    """The states at the events, each by root finding on the size of one true step.

    A step of the Runge-Kutta method itself is taken for every trial size (not an
    interpolant), so events are as accurate as the solver. A negative recorded size is
    a step in ell.
    """
    if not events:
        return brackets.start

    def locate(index, start, size):
        in_ell = size < 0
        first_field = eq.field(start)

        def clocked(state):
            field = eq.field(state)
            scale = jnp.where(in_ell, 1 / field.ell, 1.0)
            return jax.tree.map(lambda f: f * scale, field)

        first_scale = jnp.where(in_ell, 1 / first_field.ell, 1.0)
        first = jax.tree.map(lambda f: f * first_scale, first_field)

        def illinois(_, carry):
            (a, fa), (b, fb), h, _ = carry
            end = run.stepper.step(clocked, start, h, first).end
            f = values_at(end)[index]
            crossed = f * fb < 0
            # The end that stays twice has its value halved, to keep both moving.
            a, fa = jnp.where(crossed, b, a), jnp.where(crossed, fb, 0.5 * fa)
            next_h = jnp.where(f == fa, h, (a * f - h * fa) / (f - fa))
            return (a, fa), (h, f), next_h, end

        full = jnp.abs(size)
        low = values_at(start)[index]
        begin = ((full * 0, low), (full * 0, low), full, start)
        return jax.lax.fori_loop(0, LOCATE_ITERATIONS, illinois, begin)[-1]

    index = jnp.arange(len(events))
    return jax.lax.map(lambda a: locate(*a), (index, brackets.start, brackets.size))


def _solution(
    run, eq, until, events, start, loop, located, first_values, moving
) -> Solution:
    status, final, found = loop.status, loop.state, loop.brackets.found
    if events:
        ended = jax.tree.map(lambda x: x, final)
        if until is not None:
            reached = (status == _code(Outcome.reached)) & found[0]
            ended = select(reached, jax.tree.map(lambda x: x[0], located), final)
        final_log_time = eq.log_time(ended.ell)
        log_times, log_probs = [], []
        for i, event in enumerate(events):
            here = jax.tree.map(lambda x, i=i: x[i], located)
            # Events beyond the located end of the run did not happen in it.
            happened = found[i] & (here.ell <= ended.ell)
            if event.keep == "first":
                from_start = first_values[i] > 0
                missing = ended
            elif event.keep == "last":
                from_start = jnp.asarray(False)
                missing = ended
            else:
                # No interior extremum: one of the ends.
                first = event.score(eq.point(start))
                last = event.score(eq.point(ended))
                inner = event.score(eq.point(here))
                happened = happened & (inner >= jnp.maximum(first, last))
                from_start = ~happened & (first >= last)
                missing = select(first >= last, start, ended)
            time = jnp.where(happened, eq.log_time(here.ell), jnp.inf)
            if event.keep == "extreme":
                time = jnp.where(happened, time, final_log_time)
            time = jnp.where(from_start, -jnp.inf, time)
            where = select(from_start, start, select(happened, here, missing))
            log_times.append(time)
            log_probs.append(eq.log_probs(where))
        skip = 0 if until is None else 1
        event_log_times = jnp.stack([*log_times, jnp.inf])[skip:-1]
        event_log_probs = jnp.stack([*log_probs, eq.log_probs(ended)])[skip:-1]
    else:
        ended, final_log_time = final, eq.log_time(final.ell)
        event_log_times = jnp.zeros(0)
        event_log_probs = jnp.zeros((0, eq.problem.num_patterns))
    log_probs = jnp.where(moving, eq.log_probs(ended), eq.problem.log_policy)
    saved = loop.saved
    if len(run.save_log_times):
        after = run.save_log_times > final_log_time
        rest = run.observe(log_probs)
        after = after.reshape((-1,) + (1,) * rest.ndim)
        saved = jnp.where(after, rest, saved)
    return Solution(
        outcome=_as_outcome(status),
        log_time=final_log_time,
        log_probs=log_probs,
        event_log_times=event_log_times,
        event_log_probs=event_log_probs,
        saved=saved if len(run.save_log_times) else None,
        num_steps=loop.steps,
    )


def _as_outcome(code):
    outcome = Outcome.reached
    for name in OUTCOME_NAMES:
        member = getattr(Outcome, name)
        outcome = Outcome.where(code == _code(member), member, outcome)
    return outcome


@eqx.filter_jit
def _run_one(run, *lane):
    return _solve(run, *lane)


@eqx.filter_jit
def _run_many(run, lanes, axes):
    def solve(*lane):
        return _solve(run, *lane)

    return eqx.filter_vmap(solve, in_axes=axes)(*lanes)

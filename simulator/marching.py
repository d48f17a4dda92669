"""What every engine does while it walks along a solution: watch events, and report."""

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.dynamics import Dynamics
from simulator.engine import Settings
from simulator.events import AbstractExtreme, Point
from simulator.rootfinding import find_root
from simulator.solution import OUTCOME_NAMES, Outcome, Solution
from simulator.stepping import select

State = Any
RUNNING = -1  # in place of an outcome, while a lane is not done


class AbstractPath(eqx.Module):
    """A solution that is walked along; its states are the engine's own business."""

    dynamics: eqx.AbstractVar[Dynamics]

    @abstractmethod
    def log_probs(self, state: State) -> Float[Array, " K"]:
        """The policy at a state."""

    @abstractmethod
    def log_time(self, state: State) -> Float[Array, ""]:
        """Log of the physical time at a state."""

    @abstractmethod
    def look_ahead(self, start: State, size: Float[Array, ""]) -> State:
        """The state one step of `size` further; its time need not be known yet."""

    def settle(self, start: State, size: Float[Array, ""], end: State) -> State:
        """`end = look_ahead(start, size)`, with its time."""
        del start, size
        return end

    def point(self, state: State) -> Point:
        return self.dynamics.point(self.log_probs(state))


class Stretch(NamedTuple):
    """The end of a stretch of a closed-form path, and how well its time is known.

    `error`: estimated relative error of the time at the end. `log_rate`: log of `dt/dv`
    there.
    """

    end: State
    error: Float[Array, ""]
    log_rate: Float[Array, ""]


class AbstractExactPath(AbstractPath):
    """A path known in closed form; a state has a place `v` that grows along it."""

    largest_size: eqx.AbstractClassVar[float]

    @abstractmethod
    def start(self) -> State:
        """The base policy."""

    @abstractmethod
    def border(self, state: State) -> Float[Array, ""]:
        """The v at which the present piece ends, beyond which no stretch may go."""

    @abstractmethod
    def stretch(self, start: State, size: Float[Array, ""]) -> Stretch:
        """From `start` over `size` in v."""

    @abstractmethod
    def hand_over(self, state: State) -> State:
        """A state at the end of its piece, as the first of the next."""


class Bracket(NamedTuple):
    """For each event, the step inside which it happens: its start and its size."""

    start: State
    size: Float[Array, " E"]
    found: Array
    score: Float[Array, " E"]


def first_brackets(
    events, start: State, values: Float[Array, " E"], scores: Float[Array, " E"]
) -> Bracket:
    """Nothing found yet, except what holds from the start (a step of size 0)."""
    starts = jax.tree.map(
        lambda x: jnp.broadcast_to(x, (*scores.shape, *x.shape)), start
    )
    lasting = np.array([event.keep == "last" for event in events], bool)
    return Bracket(starts, jnp.zeros_like(scores), lasting & (values > 0), scores)


def values(path: AbstractPath, events, state: State) -> Float[Array, " E"]:
    """The events' values; see `AbstractEvent.value`."""
    if not events:
        return jnp.zeros(0)
    point = path.point(state)
    return jnp.stack([event.value(point) for event in events])


def scores(path: AbstractPath, events, state: State) -> Float[Array, " E"]:
    """What `AbstractExtreme` events maximise; 0 for the others."""
    if not events:
        return jnp.zeros(0)
    point = path.point(state)
    zero = jnp.zeros((), point.log_probs.dtype)
    return jnp.stack(
        [e.score(point) if isinstance(e, AbstractExtreme) else zero for e in events]
    )


def update_brackets(
    events, brackets: Bracket, old, new, scores, state: State, size, accept
) -> Bracket:
    """Remember, event by event, the step that has to be looked into.

    `old` and `new` are the events' values at the ends of the step that starts in
    `state`; nothing changes unless it is accepted.
    """
    crossed = accept & (old <= 0) & (new > 0)
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


def locate(path: AbstractPath, events, brackets: Bracket) -> State:
    """The states at the events, by root finding on the size of a true step.

    A step of the engine itself is taken for every trial size (not an interpolant), so
    events are as accurate as the engine.
    """
    if not events:
        return brackets.start

    def one(index, start, size):
        def value(h):
            return values(path, events, path.look_ahead(start, h))[index]

        h = find_root(value, jnp.zeros_like(size), size)
        return path.settle(start, h, path.look_ahead(start, h))

    index = jnp.arange(len(events))
    return jax.lax.map(lambda a: one(*a), (index, brackets.start, brackets.size))


def report(
    method: str, path: AbstractPath, until, run: Settings, start, first_values, loop
) -> Solution:
    """The solution of one lane whose walk ended in `loop`.

    `loop` has `state`, `status`, `brackets`, `saved` and `steps`; if there is an
    `until`, its bracket comes before those of `run.events`.
    """
    events = (() if until is None else (until,)) + run.events
    status, ended, found = loop.status, loop.state, loop.brackets.found
    located = locate(path, events, loop.brackets)
    if until is not None:
        reached = (status == code(Outcome.reached)) & found[0]
        ended = select(reached, jax.tree.map(lambda x: x[0], located), ended)
    log_times = [jnp.zeros(0)]
    log_probs = [jnp.zeros((0, path.dynamics.problem.num_patterns))]
    skip = 0 if until is None else 1
    for i, event in list(enumerate(events))[skip:]:
        here = jax.tree.map(lambda x, i=i: x[i], located)
        from_start = first_values[i] > 0
        if event.keep == "last":
            from_start = found[i] & (loop.brackets.size[i] == 0)
        time, where = _occurrence(path, event, start, from_start, found[i], here, ended)
        log_times.append(time[None])
        log_probs.append(path.log_probs(where)[None])
    base = path.dynamics.problem.log_policy
    still = status == code(Outcome.stationary)
    final_log_probs = jnp.where(still, base, path.log_probs(ended))
    saved = None
    if len(run.save_log_times):
        rest = run.observe(final_log_probs)
        after = run.save_log_times > path.log_time(ended)
        saved = jnp.where(after.reshape((-1,) + (1,) * rest.ndim), rest, loop.saved)
    return Solution(
        outcome=as_outcome(status),
        log_time=path.log_time(ended),
        log_probs=final_log_probs,
        event_log_times=jnp.concatenate(log_times),
        event_log_probs=jnp.concatenate(log_probs),
        saved=saved,
        num_steps=loop.steps,
        method=method,
    )


def _occurrence(path, event, start, from_start, found, here, ended):
    """`(log_time, state)` of one event; see `Solution.event_log_times`."""
    # Events beyond the located end of the run did not happen in it.
    happened = found & (path.log_time(here) <= path.log_time(ended))
    time = jnp.where(happened, path.log_time(here), jnp.inf)
    missing = ended
    if event.keep == "extreme":
        # No interior extremum: one of the ends.
        first = event.score(path.point(start))
        last = event.score(path.point(ended))
        happened &= event.score(path.point(here)) >= jnp.maximum(first, last)
        from_start = ~happened & (first >= last)
        missing = select(first >= last, start, ended)
        time = path.log_time(select(happened, here, ended))
    time = jnp.where(from_start, -jnp.inf, time)
    return time, select(from_start, start, select(happened, here, missing))


def code(outcome: Outcome) -> Array:
    """The number of an outcome, to compute with."""
    return outcome._value


def as_outcome(status: Array) -> Outcome:
    """The outcome of a number; a lane that is still running does not occur."""
    outcome = Outcome.reached
    for name in OUTCOME_NAMES:
        member = getattr(Outcome, name)
        outcome = Outcome.where(status == code(member), member, outcome)
    return outcome

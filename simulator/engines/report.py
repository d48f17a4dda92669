"""The report of a walk that is done."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.engines.path import State
from simulator.engines.walker import Settings, Walker, code, watched
from simulator.engines.watch import locate, look_at, slots
from simulator.numerics.trees import select
from simulator.outcome import OUTCOME_NAMES, Outcome
from simulator.solution import Solution


class Ends(NamedTuple):
    """Where a walk that is done ended, and where its events are.

    For each event: its log time (see `Solution`), the state there, and whether that is
    a place on the way (not an end of the walk).
    """

    ended: State
    log_times: list[Float[Array, ""]]
    states: list[State]
    on_the_way: list[Array]


def ends(run: Settings, walker: Walker) -> Ends:
    """Locate everything that the walk has seen."""
    path, until = walker.path, walker.until
    events, start = watched(run, until), path.start()
    first_values, _ = look_at(path, events, start)
    ended, found = walker.state, walker.brackets.found
    located = locate(path, events, walker.brackets)
    owners = np.array(slots(events), int)

    def at(slot):
        return jax.tree.map(lambda x: x[slot], located)

    if until is not None:
        reached = (walker.status == code(Outcome.reached)) & found[0]
        ended = select(reached, at(0), ended)
    result = Ends(ended, [], [], [])
    skip = 0 if until is None else 1
    for i, event in list(enumerate(events))[skip:]:
        (mine,) = np.nonzero(owners == i)
        slot = mine[0]
        from_start = event.holds_at_start(first_values[i])
        if event.lasts:
            from_start = found[slot] & (walker.brackets.size[slot] == 0)
        scores = None
        if event.scored:
            scores = _scores(path, event, [*map(at, mine), start, ended], found[mine])
            slot = mine[0] + jnp.argmax(scores[:-2])
        log_time, state, on_the_way = _occurrence(
            path, event, start, from_start, found[slot], at(slot), ended, scores
        )
        result.log_times.append(log_time)
        result.states.append(state)
        result.on_the_way.append(on_the_way)
    return result


def _scores(path, event, states: list[State], found):
    """Scores of located extrema (-inf of those not on the way), start and end."""
    many = stacked(states)
    scores = jax.vmap(lambda state: event.score(path.point(state)))(many)
    log_times = jax.vmap(path.log_time)(many)
    counts = jnp.append(found & (log_times[:-2] <= log_times[-1]), jnp.full(2, True))
    return jnp.where(counts, scores, -jnp.inf)


def stacked(trees: list[Any]) -> Any:
    """Trees of one structure as one, with a new first axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def report(run: Settings, walker: Walker) -> Solution:
    """The solution of a lane that is done."""
    return solution(run, walker, ends(run, walker))


def solution(run: Settings, walker: Walker, found: Ends) -> Solution:
    """The solution that a walk and its ends amount to."""
    path, ended = walker.path, found.ended
    status = verdict(walker, found)
    base = path.dynamics.problem.log_policy
    still = status == code(Outcome.stationary)
    final_log_probs = jnp.where(still, base, path.log_probs(ended))
    saved = None
    if len(run.save_log_times):
        rest = run.observe(final_log_probs)
        after = run.save_log_times > path.log_time(ended)
        after = after.reshape((-1,) + (1,) * rest.ndim)
        saved = jnp.where(after, rest[None], walker.saved)
    log_time = path.log_time(ended)
    # A limit so early that the path has no number for it.
    early = (status == code(Outcome.horizon)) & (log_time == -jnp.inf)
    log_time = jnp.where(early, run.max_log_time, log_time)
    never = status == code(Outcome.unreachable)
    if walker.until is not None:
        never = never | still
    log_time = jnp.where(never, jnp.inf, log_time)
    nothing = jnp.zeros((0, *base.shape), base.dtype)
    states = found.states
    return Solution(
        outcome=as_outcome(status),
        log_time=log_time,
        log_probs=final_log_probs,
        event_log_times=jnp.stack(found.log_times) if states else nothing[:, 0],
        event_log_probs=jax.vmap(path.log_probs)(stacked(states))
        if states
        else nothing,
        saved=saved,
        num_steps=walker.steps,
        method=path.method,
    )


def verdict(walker: Walker, found: Ends) -> Array:
    """The outcome of a walk that is done, with all that is known at its end.

    No NaN leaves an engine with an outcome that is not a failure.
    """
    path, status, until = walker.path, walker.status, walker.until
    if until is not None:
        dynamics, leads = path.dynamics, None
        if dynamics.rewards is not None:
            lines = dynamics.update.lines(dynamics.problem, dynamics.rewards)
            leads = None if lines is None else lines.ever()
        waited = (status == code(Outcome.horizon)) | (status == code(Outcome.settled))
        never = waited & until.impossible(dynamics.problem, leads)
        status = jnp.where(never, code(Outcome.unreachable), status)
    ends = [found.ended, *found.states]
    numbers = [x for end in ends for x in (path.log_probs(end), path.log_time(end))]
    broken = [jnp.any(jnp.isnan(x)) for x in (*numbers, *found.log_times)]
    return jnp.where(jnp.any(jnp.stack(broken)), code(Outcome.nonfinite), status)


def _occurrence(path, event, start, from_start, found, here, ended, scores):
    """`(log_time, state, on_the_way)` of one event; see `Ends`."""
    # Events beyond the located end of the run did not happen in it.
    happened = found & (path.log_time(here) <= path.log_time(ended))
    time = jnp.where(happened, path.log_time(here), jnp.inf)
    missing = ended
    if event.scored:
        # No interior extremum: one of the ends.
        first, last = scores[-2], scores[-1]
        happened &= jnp.max(scores[:-2]) >= jnp.maximum(first, last)
        from_start = ~happened & (first >= last)
        missing = select(first >= last, start, ended)
        time = path.log_time(select(happened, here, ended))
    time = jnp.where(from_start, -jnp.inf, time)
    state = select(from_start, start, select(happened, here, missing))
    return time, state, happened & ~from_start


def as_outcome(status: Array) -> Outcome:
    """The outcome of a number; a lane still running, of which there is none, failed."""
    outcome = Outcome.nonfinite
    for name in OUTCOME_NAMES:
        member = getattr(Outcome, name)
        outcome = Outcome.where(status == code(member), member, outcome)
    return outcome

"""One lane on its way along a path; see `path` for what an engine supplies."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simulator.engines.path import AbstractPath, State, Stride, Target
from simulator.engines.watch import (
    Bracket,
    along,
    first_brackets,
    look_at,
    update_brackets,
)
from simulator.outcome import Outcome
from simulator.recording import AbstractEvent

RUNNING = -1  # instead of an outcome, while a lane is not done


class Settings(eqx.Module):
    """The settings of a call, shared by all lanes.

    `save_log_times`: the first `num_saves` count, `inf` fills up (see `requests`).
    """

    events: tuple[AbstractEvent, ...]
    save_log_times: Array
    num_saves: Array
    max_log_time: Array
    tolerance: Array
    max_steps: Array
    observe: Any = eqx.field(static=True)


class Walker(NamedTuple):
    """One lane on its way: where it is, what it has seen, and whether it is done."""

    path: AbstractPath
    until: AbstractEvent | None
    stride: Stride
    values: Float[Array, " E"]
    scores: Float[Array, " E"]
    brackets: Bracket
    next_save: Array
    saved: Array
    status: Array
    steps: Array

    @property
    def state(self) -> State:
        return self.stride.state

    @property
    def running(self) -> Array:
        return self.status == RUNNING


def begin(run: Settings, path: AbstractPath, until: AbstractEvent | None) -> Walker:
    """A walker at the base policy."""
    events = watched(run, until)
    start = path.start()
    log_policy = path.dynamics.problem.log_policy
    first = path.first()
    first_values, first_scores = look_at(path, events, start)
    status = jnp.asarray(RUNNING)
    status = jnp.where(
        path.at_rest(start, run.tolerance), code(Outcome.settled), status
    )
    status = jnp.where(first.log_speed > -jnp.inf, status, code(Outcome.stationary))
    if until is not None:
        holds = until.holds_at_start(first_values[0])
        status = jnp.where(holds, code(Outcome.reached), status)
    finite = jnp.all(jnp.isfinite(first.rewards)) & ~jnp.isnan(first.log_speed)
    status = jnp.where(finite, status, code(Outcome.nonfinite))
    shape = jax.eval_shape(run.observe, log_policy).shape
    size = jnp.asarray(path.first_size, log_policy.dtype)
    return Walker(
        path=path,
        until=until,
        stride=Stride(start, size, size, jnp.asarray(False)),
        values=first_values,
        scores=first_scores,
        brackets=first_brackets(events, start, first_values),
        next_save=jnp.asarray(0),
        saved=jnp.zeros((len(run.save_log_times), *shape), log_policy.dtype),
        status=status,
        steps=jnp.asarray(0),
    )


def advance(run: Settings, walker: Walker) -> Walker:
    """The walker after one attempt to move; it must not be done."""
    path, events = walker.path, watched(run, walker.until)
    targets = jnp.append(run.save_log_times, run.max_log_time)
    last = walker.next_save == run.num_saves
    place = jnp.where(last, len(run.save_log_times), walker.next_save)
    target = Target(targets[place], len(run.save_log_times) > 0)
    move = path.move(walker.stride, target, run.tolerance)
    accepted = move.accepted
    before = walker.values, walker.scores
    new, new_scores = look_at(path, events, move.end)
    brackets = update_brackets(
        events,
        walker.brackets,
        along(path, events, walker.state, move, before, (new, new_scores)),
        walker.state,
        move.size,
        accepted,
    )
    status, steps = walker.status, walker.steps + 1
    status = jnp.where(move.landed & last, code(Outcome.horizon), status)
    resting = accepted & path.at_rest(move.end, run.tolerance)
    status = jnp.where(resting, code(Outcome.settled), status)
    if walker.until is not None:
        # What is undone before the step ends has happened all the same.
        within = brackets.found[0] & walker.until.counts_if_undone
        happens = accepted & ((new[0] > 0) | within)
        status = jnp.where(happens, code(Outcome.reached), status)
    running = status == RUNNING
    late = running & (steps >= run.max_steps)
    status = jnp.where(late, code(Outcome.max_steps), status)
    broken = accepted & jnp.any(jnp.isnan(path.log_probs(move.end)))
    broken = broken | (running & move.hopeless)
    status = jnp.where(broken, code(Outcome.nonfinite), status)
    saved = walker.saved
    if len(run.save_log_times):
        row = jnp.minimum(walker.next_save, len(run.save_log_times) - 1)
        now = run.observe(path.log_probs(move.end))
        saved = saved.at[row].set(jnp.where(move.landed & ~last, now, saved[row]))
    return walker._replace(
        stride=move.next,
        values=jnp.where(accepted, new, walker.values),
        scores=jnp.where(accepted, new_scores, walker.scores),
        brackets=brackets,
        next_save=jnp.where(move.landed, walker.next_save + 1, walker.next_save),
        saved=saved,
        status=status,
        steps=steps,
    )


def watched(run: Settings, until: AbstractEvent | None) -> tuple[AbstractEvent, ...]:
    """The events of a walk; the one to stop at, if any, comes first."""
    return (() if until is None else (until,)) + run.events


def code(outcome: Outcome) -> Int[Array | np.ndarray, ""]:
    """The number of an outcome, to compute with."""
    return outcome._value

r"""Derivatives of event times by the problem and the recipe; no loop is differentiated.

An event is where `g(log pi, problem) = 0`. If the problem changes by a little, the
policy at a fixed place on the path changes by `shift`, the place of the event moves by
`step` along the path, and

    dg + step g' = 0,       d log t = shift + step (log t)',

with ' the derivative along the path. A path has to know `shift` and ' (see `Shift`):
in closed form, or by quadratures (`simulator.slopes`). All is linear in the change, so
reverse mode works as well as forward mode.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from simulator.dynamics import Dynamics
from simulator.exact_path import AbstractSmoothPath, Shift
from simulator.marching import Ends, Settings, Walker, code
from simulator.solution import Outcome, Solution


class Change(eqx.Module):
    """What the path and the events depend on, or a small change of it."""

    dynamics: Dynamics
    rewards: Any
    until: Any


def tangent(
    run: Settings, walker: Walker, found: Ends, solved: Solution, lane, change
) -> Solution:
    """The change of the solution when the lane changes (None: by nothing).

    What does not move with the problem (an event that holds from the start, or does not
    happen) has no change; a lane that did not come to its end has NaN.
    """
    arrays, rest = eqx.partition(lane, eqx.is_inexact_array)

    def zero(array, given):
        return given if given is not None or array is None else jnp.zeros_like(array)

    change = jax.tree.map(zero, arrays, change, is_leaf=lambda x: x is None)

    def parts(arrays):
        problem, signal, update, until = eqx.combine(arrays, rest)
        dynamics = Dynamics(problem, signal, update)
        # Where there is a closed form, they are the same at every policy.
        return Change(dynamics, dynamics.rewards, until)

    _, changed = eqx.filter_jvp(parts, (arrays,), (change,))
    path, until = walker.path, walker.until
    times, policies = [], []
    for event, state, happens in zip(
        run.events, found.states, found.on_the_way, strict=True
    ):
        moved = _event_shift(path, changed, event, None, state, happens)
        times.append(moved.log_time)
        policies.append(moved.log_probs)
    ended = found.ended
    horizon = walker.status == code(Outcome.horizon)
    final = _fixed_time_shift(path, changed, ended, horizon)
    if until is not None:
        reached = (walker.status == code(Outcome.reached)) & (walker.steps > 0)
        at_event = _event_shift(path, changed, until, changed.until, ended, reached)
        final = jax.tree.map(jnp.add, final, at_event)
    lost = (walker.status == code(Outcome.max_steps)) | (
        walker.status == code(Outcome.nonfinite)
    )
    final = jax.tree.map(lambda x: jnp.where(lost, jnp.nan, x), final)
    return dataclasses.replace(
        jax.tree.map(lambda _: None, solved),
        log_time=final.log_time,
        log_probs=final.log_probs,
        event_log_times=jnp.stack(times) if times else None,
        event_log_probs=jnp.stack(policies) if times else None,
    )


def _event_shift(
    path: AbstractSmoothPath, change: Change, event, d_event, state, happens
) -> Shift:
    """The change of an event's time and policy; 0 unless it `happens`."""
    shift, along = path.shift(state, change.dynamics, change.rewards), path.along(state)
    log_probs = path.log_probs(state)

    def value(dynamics, event, log_probs):
        return event.value(dynamics.point(log_probs))

    def slope(d_dynamics, d_event, d_log_probs):
        primals = (path.dynamics, event, log_probs)
        return eqx.filter_jvp(value, primals, (d_dynamics, d_event, d_log_probs))[1]

    nothing = jax.tree.map(lambda _: None, (path.dynamics, event))
    d_event = nothing[1] if d_event is None else d_event
    moving = slope(*nothing, along.log_probs)
    direct = slope(change.dynamics, d_event, shift.log_probs)
    return _moved(shift, along, -direct / jnp.where(happens, moving, 1.0), happens)


def _fixed_time_shift(path: AbstractSmoothPath, change: Change, state, holds) -> Shift:
    """The change at a fixed time; 0 unless this `holds`."""
    shift, along = path.shift(state, change.dynamics, change.rewards), path.along(state)
    step = -shift.log_time / jnp.where(holds, along.log_time, 1.0)
    return _moved(shift, along, step, holds)


def _moved(shift: Shift, along: Shift, step, holds) -> Shift:
    return jax.tree.map(lambda s, a: jnp.where(holds, s + step * a, 0.0), shift, along)

r"""Derivatives of event times by the problem and the recipe; no loop is differentiated.

An event is where `g(log pi, problem) = 0`. If the problem changes by a little, the
policy at a fixed place on the path changes by `shift`, the place of the event moves by
`step` along the path, and

    dg + step g' = 0,       d log t = shift + step (log t)',

with ' the derivative along the path. A path has to know `shift` and ' (see `Shift`):
in closed form, or by quadratures (`exact.time_derivatives`). All is linear in the
change, so reverse mode works as well as forward mode.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from simulator.dynamics import Dynamics
from simulator.engines.exact.path import AbstractSmoothPath, Shift
from simulator.engines.report import Ends
from simulator.engines.walker import Settings, Walker, code
from simulator.outcome import Outcome
from simulator.solution import Solution


class Change(eqx.Module):
    """All inputs of the path and of the events, or a small change of them."""

    dynamics: Dynamics
    rewards: Any
    until: Any


def tangent(
    run: Settings, walker: Walker, found: Ends, solved: Solution, lane, change
) -> Solution:
    """The change of the solution when the lane changes (None: by nothing).

    A time that is given or infinite has no change (the time limit; an event that holds
    from the start, or does not happen), nor has that at which a lane settles. At a
    given time, and at rest, the policy changes all the same. A lane that did not come
    to its end has NaN.
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
    assert isinstance(path, AbstractSmoothPath)
    ended = found.ended
    moved = walker.steps > 0
    waited = walker.status == code(Outcome.horizon)
    settled = (walker.status == code(Outcome.settled)) & moved
    final = _fixed_time_shift(path, changed, ended, waited | settled)
    reached = jnp.asarray(False)
    if until is not None:
        reached = (walker.status == code(Outcome.reached)) & moved
        at_event = _event_shift(path, changed, until, changed.until, ended, reached)
        final = jax.tree.map(jnp.add, final, at_event)
    lost = (walker.status == code(Outcome.max_steps)) | (
        walker.status == code(Outcome.nonfinite)
    )
    inside = path.dynamics.problem.log_policy > -jnp.inf
    d_base = jnp.where(inside, changed.dynamics.problem.log_policy, 0.0)
    still = ~(waited | settled | reached | lost)
    final = final._replace(log_probs=jnp.where(still, d_base, final.log_probs))
    final = jax.tree.map(lambda x: jnp.where(lost, jnp.nan, x), final)
    times, policies = [], []
    for event, log_time, state, happens in zip(
        run.events, found.log_times, found.states, found.on_the_way, strict=True
    ):
        shift = _event_shift(path, changed, event, None, state, happens)
        # If not on the way it is at an end, or never, with the policy of the end.
        at_end = jnp.where(log_time < jnp.inf, final.log_time, 0.0)
        at_end = jnp.where(log_time > -jnp.inf, at_end, 0.0)
        end = jnp.where(log_time > -jnp.inf, final.log_probs, d_base)
        times.append(jnp.where(happens, shift.log_time, at_end))
        policies.append(jnp.where(happens, shift.log_probs, end))
    return eqx.tree_at(
        lambda x: (x.log_time, x.log_probs, x.event_log_times, x.event_log_probs),
        jax.tree.map(lambda _: None, solved),
        (
            final.log_time,
            final.log_probs,
            jnp.stack(times) if times else None,
            jnp.stack(policies) if times else None,
        ),
        is_leaf=lambda x: x is None,
    )


def _event_shift(
    path: AbstractSmoothPath, change: Change, event, d_event, state, happens
) -> Shift:
    """The change of an event's time and policy; 0 unless it `happens`."""
    d_event = jax.tree.map(lambda _: None, event) if d_event is None else d_event
    change, d_event = _only_if(happens, (change, d_event))
    shift, along = path.shift(state, change.dynamics, change.rewards), path.along(state)
    log_probs = path.log_probs(state)

    def value(dynamics, event, log_probs):
        return event.value(dynamics.point(log_probs))

    def slope(d_dynamics, d_event, d_log_probs):
        primals = (path.dynamics, event, log_probs)
        return eqx.filter_jvp(value, primals, (d_dynamics, d_event, d_log_probs))[1]

    still, same = jax.tree.map(lambda _: None, (path.dynamics, event))
    moving = slope(still, same, along.log_probs)
    direct = slope(change.dynamics, d_event, shift.log_probs)
    step = -direct / jnp.where(happens, moving, 1.0)
    moved = jax.tree.map(lambda s, a: s + step * a, shift, along)
    return _only_if(happens, moved)


def _fixed_time_shift(path: AbstractSmoothPath, change: Change, state, holds) -> Shift:
    """The change of the policy at a fixed time; 0 unless this `holds`."""
    change = _only_if(holds, change)
    shift, along = path.shift(state, change.dynamics, change.rewards), path.along(state)
    step = -shift.log_time / jnp.where(holds, along.log_time, 1.0)
    moved = Shift(shift.log_probs + step * along.log_probs, jnp.zeros_like(step))
    return _only_if(holds, moved)


def _only_if(holds, change):
    """A change if this holds, else 0.

    To be asked of what goes in as well as of what comes out: where a factor in between
    is infinite, 0 in one direction of differentiation would be NaN in the other.
    """
    return jax.tree.map(lambda x: jnp.where(holds, x, 0.0), change)

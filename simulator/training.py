"""Discrete training with exact expected gradients and any Optax optimizer.

One step hands `-velocity` to the optimizer as the gradient. With `optax.sgd(eta)` this
is Euler's method for the flow: it converges to it, at order 1, as `eta -> 0` with
`eta * num_steps` fixed.

The parameters are the base model's log-probabilities, so that the weight decay of an
optimizer like `optax.adamw` pulls towards the uniform policy (in `simulator.rollouts`
it pulls towards the base model).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from simulator.dynamics import Dynamics
from simulator.engines import sharing
from simulator.engines.lanes import check_lanes, lane_axes, per_lane
from simulator.engines.requests import check_events, check_parts
from simulator.outcome import IN_STEPS, AbstractResult, Outcome
from simulator.problem import Problem
from simulator.recording import AbstractEvent
from simulator.reporting import display
from simulator.reporting.rows import training_rows
from simulator.rules import AbstractSignal, AbstractUpdate
from simulator.updates import PolicyGradient
from simulator.validation import Result, check_optimizer, check_whole

__all__ = [
    "Training",
    "train",
]

if TYPE_CHECKING:
    import optax

NARROWEST, WIDEST = 8, 1024  # lanes that one device trains at once
ELEMENTS = 2**22  # at most about so many saved numbers at once


class Training(AbstractResult):
    """A discrete run, or a batch `*B` of them: its end, and what was saved on the way.

    - `outcome`: `reached` (the event happened), `horizon` (all steps done) or
      `nonfinite`; see `outcome_names`, `failed`, `advice`.
    - `first_step`: the first step after which the event holds; -1 if none.
    - `log_probs`: the final policy.
    - `saved_steps`, `saved_log_probs`: the policy after those numbers of steps, as
      log-probabilities.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> run = sim.train(
    ...     problem, sim.Verifiable(), optimizer=optax.sgd(0.1), num_steps=50
    ... )
    >>> run
    Training of one problem, 50 steps
      outcome  horizon: All steps were taken.
      policy   [0.04679 0.8097 0.1435]
      saved    50 times, up to step 50
    >>> run.outcome_counts, run.saved_log_probs.shape
    ({'horizon': 1}, (50, 3))
    """

    outcome: Outcome
    first_step: Int[Result, "*B"]
    log_probs: Float[Result, "*B K"]
    saved_steps: Int[Result, " T"]
    saved_log_probs: Float[Result, "*B T K"]

    def _texts(self) -> dict[str, str]:
        return IN_STEPS

    def __repr__(self) -> str:
        if not display.known(self):
            return "Training of numbers that are not known"
        return display.as_text(*training_rows(self))

    def _repr_html_(self) -> str:
        if not display.known(self):
            return f"<pre>{self!r}</pre>"
        return display.as_html(*training_rows(self))


def train(
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate | None = None,
    optimizer: optax.GradientTransformation | None = None,
    *,
    num_steps: int,
    save_every: int = 1,
    until: AbstractEvent | None = None,
) -> Training:
    """Take `num_steps` optimizer steps on one problem, or on every lane of a batch.

    Each step hands `-velocity` of `problem`, as the gradient, to `optimizer`, one of
    Optax, which has to be given. With `optax.sgd(eta)` it is Euler's method for the
    flow, of time `eta` per step.

    The policy is saved after every `save_every` steps (which must divide `num_steps`).
    With an event `until`, `first_step` tells when its value was first 0 or positive;
    the run goes on. Leaves of `signal`, `update` (default `PolicyGradient()`) and
    `until` with a leading batch axis go lane by lane, as in `simulator.solve`; each
    lane has an optimizer state of its own, and does not depend on the others.

    Raises `ValueError` if `save_every` does not divide `num_steps`, the signal does not
    fit the problem, a parameter is out of range, or the optimizer cannot take a step.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> run = sim.train(
    ...     problem,
    ...     sim.Verifiable(),
    ...     optimizer=optax.sgd(0.5),
    ...     num_steps=200,
    ...     until=sim.T0(),
    ... )
    >>> int(run.first_step)
    86
    """
    check_parts(problem, signal, update)
    update = PolicyGradient() if update is None else update
    signal.check(problem)
    update.check(signal)
    check_events(problem, until, ())
    check_lanes(problem, signal=signal, update=update, until=until)
    check_optimizer(optimizer)
    num_steps = check_whole("num_steps", num_steps, 1, 10**9)
    save_every = check_whole("save_every", save_every, 1, num_steps)
    if num_steps % save_every:
        raise ValueError(
            f"`num_steps` = {num_steps} must be a multiple of `save_every` = "
            f"{save_every}."
        )
    lanes = problem, signal, update, until
    axes = tuple(lane_axes(member) for member in lanes)
    how = optimizer, num_steps // save_every, save_every
    if not problem.batch_shape:
        found = _one(lanes, how)
    else:
        found = _batch(lanes, axes, how)
    steps = save_every * (1 + jnp.arange(num_steps // save_every))
    outcome, first, log_probs, saved = found
    return Training(outcome, first, log_probs, steps, saved)


def _batch(lanes: tuple, axes: tuple, how: tuple) -> Any:
    """Every lane by itself, in blocks of few widths, shared by all devices."""
    shape = lanes[0].batch_shape
    flat = per_lane(lambda x: x.reshape((-1, *x.shape[len(shape) :])), lanes, axes)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(lanes)):
        found = _block(flat, axes, how, None)
    else:
        cells = how[1] * lanes[0].num_patterns
        found = sharing.in_blocks(
            int(np.prod(shape)),
            lambda rows, devices: _block(rows, axes, how, devices),
            lambda index: per_lane(lambda x: x[index], flat, axes),
            min(WIDEST, ELEMENTS // cells),
            NARROWEST,
        )
    return jax.tree.map(lambda x: x.reshape((*shape, *x.shape[1:])), found)


@eqx.filter_jit
def _block(lanes, axes, how, devices):
    numbers, rest = eqx.partition(lanes, eqx.is_array)

    def all_of(numbers):
        own = eqx.combine(numbers, rest)
        return eqx.filter_vmap(lambda lane: _one(lane, how), in_axes=(axes,))(own)

    return sharing.shared_out(all_of, numbers, axes, devices)


@eqx.filter_jit
def _one(lane, how):
    """One lane: outcome, first step at which the event holds, final policy, saved."""
    problem, signal, update, until = lane
    optimizer, blocks, save_every = how
    zero = jnp.zeros((), problem.log_policy.dtype)
    dynamics = Dynamics(problem, signal, update)
    inside = problem.log_policy > -jnp.inf
    logits = jnp.where(inside, problem.log_policy, zero)

    def log_probs(logits):
        return jax.nn.log_softmax(jnp.where(inside, logits, -jnp.inf))

    def holds(logits):
        if until is None:
            return jnp.asarray(False)
        return until.value(dynamics.point(log_probs(logits))) >= 0

    def one_step(carry, _):
        logits, opt_state, step, first = carry
        point = dynamics.point(log_probs(logits))
        velocity = point.direction * jnp.exp(point.log_speed)
        change, opt_state = optimizer.update(-velocity, opt_state, logits)
        logits = logits + change
        step = step + 1
        first = jnp.where((first < 0) & holds(logits), step, first)
        return (logits, opt_state, step, first), None

    def block(carry, _):
        carry, _ = jax.lax.scan(one_step, carry, None, length=save_every)
        return carry, log_probs(carry[0])

    first = jnp.where(holds(logits), 0, -1)
    carry = (logits, optimizer.init(logits), jnp.asarray(0), first)
    carry, saved = jax.lax.scan(block, carry, None, length=blocks)
    logits, _, _, first = carry
    outcome = Outcome.where(first >= 0, Outcome.reached, Outcome.horizon)
    finite = jnp.all(jnp.isfinite(logits))
    outcome = Outcome.where(finite, outcome, Outcome.nonfinite)
    return outcome, first, log_probs(logits), saved

"""Discrete training with exact expected gradients and any Optax optimizer.

One step hands `-velocity` to the optimizer as the gradient. With `optax.sgd(eta)` this
is Euler's method for the flow: it converges to it, at order 1, as `eta -> 0` with
`eta * num_steps` fixed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from simulator.dynamics import Dynamics
from simulator.problem import Problem
from simulator.signals import AbstractSignal
from simulator.solution import Outcome
from simulator.updates import AbstractUpdate

if TYPE_CHECKING:
    import optax


class Training(eqx.Module):
    """A discrete run: what it ended with, and what was saved on the way.

    - `outcome`: `reached`, `horizon` (all steps done) or `nonfinite`.
    - `first_step`: the first step after which the event holds; -1 if none.
    - `saved_steps`, `saved_log_probs`: the policy after those numbers of steps.
    """

    outcome: Outcome
    first_step: Int[Array, ""]
    log_probs: Float[Array, " K"]
    saved_steps: Int[Array, " T"]
    saved_log_probs: Float[Array, "T K"]


@eqx.filter_jit
def train(
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate,
    optimizer: optax.GradientTransformation,
    *,
    num_steps: int,
    save_every: int = 1,
    until=None,
) -> Training:
    """Take `num_steps` optimizer steps on one problem; `vmap` it for a batch.

    The policy is saved after every `save_every` steps (which must divide `num_steps`).
    With an event `until`, `first_step` tells when it first held; the run goes on.

    Raises `ValueError` if `save_every` does not divide `num_steps`.
    """
    if num_steps < 1 or save_every < 1 or num_steps % save_every:
        raise ValueError(
            f"`num_steps` = {num_steps} must be a positive multiple of `save_every` = "
            f"{save_every}."
        )
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
    blocks = num_steps // save_every
    carry, saved = jax.lax.scan(block, carry, None, length=blocks)
    logits, _, _, first = carry
    outcome = Outcome.where(first >= 0, Outcome.reached, Outcome.horizon)
    finite = jnp.all(jnp.isfinite(logits))
    outcome = Outcome.where(finite, outcome, Outcome.nonfinite)
    steps = save_every * (1 + jnp.arange(blocks))
    return Training(outcome, first, log_probs(logits), steps, saved)

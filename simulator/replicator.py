r"""The natural-gradient flow with fixed rewards, in closed form.

Without KL `theta(t) = theta(0) + rho t`, so `pi(t)` is proportional to
`pi(0) e^(rho t)`: the replicator equation. With KL of weight beta to a reference, up to
a constant,

    theta(t) = theta_ref + rho / beta + e^(-beta t) (theta(0) - theta_ref - rho / beta).

Proof: with f_k = rho_k - beta (theta_k - theta_ref_k) the flow is `theta_k' = f_k` up
to a shift common to all k, which softmax does not see; each coordinate is a linear
equation.  []  Source: standard; this project's notation.

A place on the path is named by `v = log(1 + t / t_ref)`, `1 / t_ref` the first speed.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simulator.dynamics import Dynamics
from simulator.exact_path import AbstractSmoothPath, Shift, Stretch
from simulator.logspace import log_expm1


class ReplicatorState(NamedTuple):
    """A place: `v = log(1 + t / t_ref)`."""

    v: Float[Array, ""]


class ReplicatorPath(AbstractSmoothPath):
    """The closed-form solution of one problem."""

    dynamics: Dynamics
    rewards: Float[Array, " K"]
    log_t_ref: Float[Array, ""]

    first_size = largest_size = 0.75

    def start(self):
        return ReplicatorState(jnp.zeros_like(self.log_t_ref))

    def place(self, state):
        return state.v

    def border(self, state):
        return jnp.full_like(state.v, jnp.inf)

    def waiting(self, state, log_time):
        del state
        return ReplicatorState(jnp.logaddexp(0.0, log_time - self.log_t_ref))

    def hand_over(self, state, arrived):
        del arrived
        return state

    def log_time(self, state):
        return self.log_t_ref + log_expm1(state.v)

    def log_probs(self, state):
        return _log_probs(self.dynamics, self.rewards, self.log_time(state))

    def shift(self, state, d_dynamics, d_rewards):
        log_t = self.log_time(state)
        _, moved = eqx.filter_jvp(
            lambda dynamics, rewards: _log_probs(dynamics, rewards, log_t),
            (self.dynamics, self.rewards),
            (d_dynamics, d_rewards),
        )
        return Shift(moved, jnp.zeros_like(log_t))

    def along(self, state):
        log_t = self.log_time(state)
        _, moved = jax.jvp(
            lambda x: _log_probs(self.dynamics, self.rewards, x),
            (log_t,),
            (jnp.ones_like(log_t),),
        )
        return Shift(moved, jnp.ones_like(log_t))

    def stretch(self, start, size):
        end = ReplicatorState(start.v + size)
        inner = ReplicatorState(start.v + size * jnp.asarray(self.looks, size.dtype))
        passed = jax.vmap(self.log_probs)(inner)
        log_rates = self.log_t_ref + jnp.append(inner.v, end.v)
        return Stretch(end, passed, None, jnp.zeros_like(size), log_rates)

    def has_to_look(self, event):
        del event  # With a penalty even the mean reward may fall.
        return True

    def inside(self, view, size):
        return ReplicatorState(view.v + size)


def _log_probs(dynamics: Dynamics, rewards, log_t):
    """The closed form of the module's docstring."""
    problem, beta = dynamics.problem, dynamics.update.beta
    inside = problem.log_policy > -jnp.inf
    base = jnp.where(inside, problem.log_policy, 0.0)
    pull = jnp.where(inside, base - problem.log_reference, 0.0)
    t = jnp.exp(log_t)
    # (1 - exp(-beta t)) / beta, the time that counts.
    penalised = beta > 0
    some_beta = jnp.where(penalised, beta, 1.0)
    forgotten = jnp.where(penalised, -jnp.expm1(-some_beta * t), 0.0)
    counted = jnp.where(penalised, forgotten / some_beta, t)
    shown = rewards - jnp.max(jnp.where(inside, rewards, -jnp.inf))
    logits = base - forgotten * pull + counted * shown
    return jax.nn.log_softmax(jnp.where(inside, logits, -jnp.inf))

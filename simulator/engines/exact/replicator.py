r"""The natural-gradient flow with fixed rewards, in closed form.

Without KL `theta(t) = theta(0) + rho t`, so `pi(t)` is proportional to
`pi(0) e^(rho t)`: the replicator equation. With KL of weight beta to a reference, up to
a constant,

    theta(t) = theta_ref + rho / beta + e^(-beta t) (theta(0) - theta_ref - rho / beta).

Proof: with f_k = rho_k - beta (theta_k - theta_ref_k) the flow is `theta_k' = f_k` up
to a shift common to all k, which softmax does not see; each coordinate is a linear
equation.  []  Source: standard; this project's notation.

So the most likely pattern is that of a lower envelope of lines in `x = t`, with KL in
`x = (1 - e^(-beta t)) / beta` (`numerics.envelope`), and the path falls into pieces.

A place on the path is named by `v = log(1 + t / t_ref)`, `1 / t_ref` the first speed.

Limit: times may be beyond all floats, and log-probabilities are as large. Those below
minus a quarter of the largest float are given as that, and their patterns stay in the
support.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from simulator.dynamics import Dynamics
from simulator.engines.exact.path import AbstractSmoothPath, Shift, Stretch
from simulator.numerics.envelope import Lines
from simulator.numerics.logspace import log_expm1
from simulator.numerics.trees import select

FLOOR = 0.25  # of the largest float: no log-probability is below minus that


class ReplicatorState(NamedTuple):
    """A place: `v = log(1 + t / t_ref)`, who leads there, and the v where it ends."""

    v: Float[Array, ""]
    leader: Int[Array, ""]
    reach: Float[Array, ""]


class ReplicatorPath(AbstractSmoothPath):
    """The closed-form solution of one problem."""

    dynamics: Dynamics
    rewards: Float[Array, " K"]
    log_t_ref: Float[Array, ""]

    first_size = largest_size = 0.75

    @property
    def lines(self) -> Lines:
        """Whose lower envelope says who leads."""
        lines = self.dynamics.update.lines(self.dynamics.problem, self.rewards)
        assert lines is not None
        return lines

    def start(self):
        v = jnp.zeros_like(self.log_t_ref)
        return self._piece(ReplicatorState(v, self.lines.first(), v))

    def _piece(self, state: ReplicatorState) -> ReplicatorState:
        """The same place, on the piece of its leader."""
        log_x = self.lines.after(state.leader).log_place
        beta = jnp.asarray(self.dynamics.update.beta, log_x.dtype)
        # x = t without a penalty, else (1 - exp(-beta t)) / beta.
        share = jnp.exp(jnp.log(beta) + log_x)
        penalised = (beta > 0) & (log_x < jnp.inf)
        some_share = jnp.where(penalised, share, 0.5)
        some_beta = jnp.where(penalised, beta, 1.0)
        log_t = jnp.log(-jnp.log1p(-some_share)) - jnp.log(some_beta)
        log_t = jnp.where(penalised, log_t, log_x)
        reach = jnp.logaddexp(0.0, log_t - self.log_t_ref)
        return state._replace(reach=jnp.maximum(reach, state.v))

    def place(self, state):
        return state.v

    def border(self, state):
        return state.reach

    def leader(self, state):
        return state.leader

    def waiting(self, state, log_time):
        v = jnp.logaddexp(0.0, log_time - self.log_t_ref)
        return state._replace(v=v)

    def hand_over(self, state, arrived):
        heir = self.lines.after(state.leader).heir
        following = self._piece(state._replace(leader=heir))
        return select(arrived, following, state)

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
        end = start._replace(v=start.v + size)
        inner = start.v + size * jnp.asarray(self.looks, size.dtype)
        passed = jax.vmap(lambda v: self.log_probs(start._replace(v=v)))(inner)
        log_rates = self.log_t_ref + jnp.append(inner, end.v)
        return Stretch(end, passed, None, jnp.zeros_like(size), log_rates)

    def has_to_look(self, event):
        del event  # With a penalty even the mean reward may fall.
        return True

    def inside(self, view, size):
        return view._replace(v=view.v + size)


def _log_probs(dynamics: Dynamics, rewards, log_t):
    """The closed form of the module's docstring."""
    problem, beta = dynamics.problem, dynamics.update.beta
    inside = problem.log_policy > -jnp.inf
    base = jnp.where(inside, problem.log_policy, 0.0)
    pull = jnp.where(inside, base - problem.log_reference, 0.0)
    largest = jnp.finfo(log_t.dtype).max
    longest = jnp.log(largest) - 1
    t = jnp.exp(jnp.minimum(log_t, longest))
    # (1 - exp(-beta t)) / beta, the time that counts.
    penalised = beta > 0
    some_beta = jnp.where(penalised, beta, 1.0)
    forgotten = jnp.where(penalised, -jnp.expm1(-some_beta * t), 0.0)
    counted = jnp.where(penalised, forgotten / some_beta, t)
    shown = rewards - jnp.max(jnp.where(inside, rewards, -jnp.inf))
    gained, floor = counted * shown, -FLOOR * largest
    lost = (gained <= floor) | ((log_t > longest) & ~penalised & (shown < 0))
    gained = jnp.where(lost, floor, gained)
    logits = base - forgotten * pull + gained
    return jax.nn.log_softmax(jnp.where(inside, logits, -jnp.inf))

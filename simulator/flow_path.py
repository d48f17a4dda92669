"""What the numerical paths of the flow have in common: logits, and a clock."""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from simulator.dynamics import Dynamics
from simulator.logspace import log_expm1
from simulator.marching import AbstractPath, Move

SHRINK, GROW, SAFETY = 0.2, 6.0, 0.9


class FlowPoint(NamedTuple):
    """`logits` (0 outside the support) and `ell = log(1 + t / t_ref)`.

    `t_ref = 1 / |velocity(0)|`, the time that the first unit of logits would take.
    """

    logits: Float[Array, " K"]
    ell: Float[Array, ""]


class AbstractFlowPath(AbstractPath):
    """A numerical solution of one problem."""

    dynamics: eqx.AbstractVar[Dynamics]
    log_t_ref: eqx.AbstractVar[Float[Array, ""]]

    first_size: ClassVar[float] = 0.05

    @abstractmethod
    def here(self, state: Any) -> FlowPoint:
        """The point of a state."""

    @property
    def support(self) -> Bool[Array, " K"]:
        """The patterns that the base policy may choose."""
        return self.dynamics.problem.log_policy > -jnp.inf

    def base(self) -> FlowPoint:
        """The point of the base policy."""
        log_policy = self.dynamics.problem.log_policy
        zero = jnp.zeros((), log_policy.dtype)
        return FlowPoint(jnp.where(self.support, log_policy, zero), zero)

    def log_probs(self, state):
        return self.policy_of(self.here(state).logits)

    def policy_of(self, logits: Float[Array, " K"]) -> Float[Array, " K"]:
        """Log-probabilities."""
        return jax.nn.log_softmax(jnp.where(self.support, logits, -jnp.inf))

    def log_time(self, state):
        return self.log_t_ref + log_expm1(self.here(state).ell)

    def ell_at(self, log_time: Float[Array, ""]) -> Float[Array, ""]:
        """`log(1 + t / t_ref)`, without overflow."""
        return jnp.logaddexp(0.0, log_time - self.log_t_ref)

    def attempt(self, end: Any, next_size: Float[Array, ""], **rest: Any) -> Move:
        """A move that sees nothing in passing and goes on from its end."""
        logits = self.here(end).logits
        return Move(
            end=end,
            passed=jnp.zeros((0, *logits.shape), logits.dtype),
            passage=None,
            following=end,
            next_size=next_size,
            pace=next_size,
            **rest,
        )


def rescaling(error: Float[Array, ""], order: int) -> Float[Array, ""]:
    """By how much to change a step whose error is `error` times what is allowed.

    A NaN or infinite error shrinks the step.
    """
    safe = jnp.where(jnp.isfinite(error), jnp.maximum(error, 1e-12), 1e12)
    return jnp.clip(SAFETY * safe ** (-1.0 / order), SHRINK, GROW)

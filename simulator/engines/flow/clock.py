"""Base class of the numerical paths: logits, parametrised by a clock."""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from simulator.dynamics import Dynamics, Point
from simulator.engines.path import AbstractPath, Move, Seen, Stride, look
from simulator.numerics.logspace import log_expm1
from simulator.numerics.trees import select

SHRINK, GROW, SAFETY = 0.2, 6.0, 0.9
# Parts of a step at which it is interpolated: closer to its ends, where much may happen
# that an event undoes before the middle.
GLIMPSES = np.concatenate([0.5 ** np.arange(9, 0, -1), 1 - 0.5 ** np.arange(2, 10)])


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

    @abstractmethod
    def slope(self, state: Any, size: Float[Array, ""]) -> Float[Array, " K"]:
        """The derivative of the logits in the unit in which a step has this size."""

    def has_to_look(self, event):
        """Whether an event may happen and be undone within a step."""
        dynamics = self.dynamics
        plain = dynamics.signal.fixed and not dynamics.update.penalised
        known = plain and event.changes_once(dynamics.signal)
        return event.counts_if_undone and not known

    def look_within(self, events, start, move, ends):
        """States of the engine where an interpolated step says that events hold."""
        if not events:
            return []
        fractions = jnp.asarray(GLIMPSES, move.size.dtype)
        between = self._interpolated(start, move, fractions)
        there = jax.vmap(lambda logits: look(events, self.seen_at(logits))[0])
        found = self.highest(events, start, move, ends, fractions, there(between).T)
        # What is interpolated is no more than a hint.
        before = jnp.stack([seen.values[0] for seen in ends])
        values = jnp.where(found.doubtful, found.value, before)
        places = jnp.where(found.doubtful, found.f, 0.0)
        pairs = zip(places[:, None], values[:, None], strict=True)
        return [Seen(f, x, 0 * x) for f, x in pairs]

    def _interpolated(self, start, move: Move, f) -> Float[Array, "N K"]:
        """About the logits at parts f of a step, by Hermite's cubic."""
        first, size = self.here(start).logits, move.size
        change = self.here(move.end).logits - first
        left, right = (size * self.slope(end, size) for end in (start, move.end))

        def at(f):
            bend = (1 - f) * left - f * right + (2 * f - 1) * change
            return first + f * change + f * (1 - f) * bend

        return jax.vmap(at)(f)

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

    def seen_at(self, logits: Float[Array, " K"]) -> Point:
        """What can be said about these logits."""
        return self.dynamics.point(self.policy_of(logits))

    def policy_of(self, logits: Float[Array, " K"]) -> Float[Array, " K"]:
        """Log-probabilities."""
        return jax.nn.log_softmax(jnp.where(self.support, logits, -jnp.inf))

    def log_time(self, state):
        return self.log_t_ref + log_expm1(self.here(state).ell)

    def ell_at(self, log_time: Float[Array, ""]) -> Float[Array, ""]:
        """`log(1 + t / t_ref)`, without overflow."""
        return jnp.logaddexp(0.0, log_time - self.log_t_ref)

    def attempt(
        self,
        start: Any,
        end: Any,
        next_size: Float[Array, ""],
        *,
        landing: Array,
        accepted: Array,
        **rest: Any,
    ) -> Move:
        """A move that sees nothing in passing and goes on from its end, if accepted."""
        logits = self.here(end).logits
        following = select(accepted, end, start)
        return Move(
            end=end,
            next=Stride(following, next_size, next_size, landing),
            accepted=accepted,
            passed=jnp.zeros((0, *logits.shape), logits.dtype),
            **rest,
        )


def rescaling(error: Float[Array, ""], order: int) -> Float[Array, ""]:
    """By how much to change a step whose error is `error` times what is allowed.

    A NaN or infinite error shrinks the step.
    """
    safe = jnp.where(jnp.isfinite(error), jnp.maximum(error, 1e-12), 1e12)
    return jnp.clip(SAFETY * safe ** (-1.0 / order), SHRINK, GROW)

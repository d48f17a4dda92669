"""What the numerical paths of the flow have in common: logits, and a clock."""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from simulator.dynamics import Dynamics
from simulator.logspace import log_expm1
from simulator.marching import AbstractPath, Move, Seen

SHRINK, GROW, SAFETY = 0.2, 6.0, 0.9
# Parts of a step at which it is interpolated: closer to its ends, where much may happen
# that an event undoes before the middle.
GLIMPSES = np.concatenate([0.5 ** np.arange(9, 0, -1), 1 - 0.5 ** np.arange(2, 10)])
DOUBT = 0.02  # of an event's value there
SECTIONS = 12  # of an interval in which a value is largest
GOLDEN = 0.5 * (3 - 5**0.5)


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
        return event.keep == "first" and not known

    def look_within(self, events, walker, move, ends):
        """A place within the step where an event holds, though at no end of it.

        Where an interpolated step says that it may, states of the engine are looked at.
        """
        if not events:
            return []
        size, start = move.size, walker.state
        view = self.view(start, size)

        def values(log_probs):
            point = self.dynamics.point(log_probs)
            return jnp.stack([event.value(point) for event in events])

        fractions = jnp.asarray(GLIMPSES, size.dtype)
        glimpses = jax.vmap(values)(self._interpolated(start, move, fractions))
        before = jnp.stack([seen.values[0] for seen in ends])
        outside = jnp.maximum(before, jnp.stack([seen.values[1] for seen in ends]))
        most = jnp.max(glimpses, axis=0)
        doubtful = move.accepted & (outside <= 0) & (most > outside) & (most > -DOUBT)

        def one(index, top, doubtful, before):
            def value(f):
                return values(self.log_probs(self.inside(view, f * size)))[index]

            f, most = _towards_maximum(value, *borders[top + jnp.arange(3)], doubtful)
            nothing = jnp.zeros_like(f)
            seen = Seen(f, jnp.where(doubtful, most, before), nothing)
            return jax.tree.map(lambda x: x[None], seen)

        borders = jnp.pad(fractions, 1, constant_values=(0, 1))
        tops = jnp.argmax(glimpses, axis=0)
        given = (jnp.arange(len(events)), tops, doubtful, before)
        found = jax.lax.map(lambda given: one(*given), given)
        return [jax.tree.map(lambda x, i=i: x[i], found) for i in range(len(events))]

    def _interpolated(self, start, move: Move, f) -> Float[Array, "N K"]:
        """About the log-probabilities at parts f of a step, by Hermite's cubic."""
        first, size = self.here(start).logits, move.size
        change = self.here(move.end).logits - first
        left, right = (size * self.slope(end, size) for end in (start, move.end))
        f = f[:, None]
        bend = (1 - f) * left - f * right + (2 * f - 1) * change
        return jax.vmap(self.policy_of)(first + f * change + f * (1 - f) * bend)

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


def _towards_maximum(function, low, middle, high, wanted):
    """A place between low and high at which a function is large, and its value.

    From the middle by golden sections, no more than until it is positive. Unless it is
    `wanted` nothing is computed: 0, and minus infinity.
    """

    def go_on(carry):
        low, x, high, most, count = carry
        away = jnp.where(high - x > x - low, GOLDEN * (high - x), GOLDEN * (low - x))
        new = x + jnp.where(count == 0, 0.0, away)
        found = function(new)
        better = (found > most) | (count == 0)
        worse, best = jnp.where(better, x, new), jnp.where(better, new, x)
        low = jnp.where(worse < best, worse, low)
        high = jnp.where(worse > best, worse, high)
        return low, best, high, jnp.where(better, found, most), count + 1

    nothing = jnp.full_like(middle, -jnp.inf)
    begin = (low, middle, high, nothing, jnp.asarray(0))
    end = jax.lax.while_loop(
        lambda carry: wanted & (carry[3] <= 0) & (carry[4] < SECTIONS), go_on, begin
    )
    return jnp.where(wanted, end[1], 0.0), end[3]


def rescaling(error: Float[Array, ""], order: int) -> Float[Array, ""]:
    """By how much to change a step whose error is `error` times what is allowed.

    A NaN or infinite error shrinks the step.
    """
    safe = jnp.where(jnp.isfinite(error), jnp.maximum(error, 1e-12), 1e12)
    return jnp.clip(SAFETY * safe ** (-1.0 / order), SHRINK, GROW)

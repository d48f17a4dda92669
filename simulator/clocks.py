"""Clocks: how fast a rule moves along the path of the plain policy gradient.

Rules whose advantages depend only on the 0/1 rewards of a group move along that path:
the mean update is `h pi_k (rho_k - p)` with p the chance of a reward, because given its
reward a rollout's pattern is independent of the rest of the group (`P(k|1) =
pi_k rho_k / p`). They differ by h only.
"""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.numerics.envelope import Lines
from simulator.numerics.logspace import log_sum
from simulator.problem import Problem
from simulator.rules import AbstractUpdate

__all__ = ["AbstractClock", "AbstractCounted", "Terms"]

FEW = 16  # several terms are filled up to 16, 32, 64, ...


class Terms(eqx.Module):
    """`sum_j exp(log_weight_j) p^right_j q^wrong_j`, with `q = 1 - p`.

    A factor with the power 0 is 1, also for `p = 0`.

    >>> mean_of_two = sim.Terms.of(jnp.log(jnp.array([1.0, 2.0])), [2, 1], [0, 1])
    >>> float(jnp.exp(mean_of_two.log_sum(jnp.log(0.25), jnp.log(0.75))))  # p^2 + 2 p q
    0.4375
    """

    log_weight: Float[Array | np.ndarray, " n"]
    right: Float[Array | np.ndarray, " n"]
    wrong: Float[Array | np.ndarray, " n"]

    @classmethod
    def of(cls, log_weight: Any, right: Any, wrong: Any) -> "Terms":
        """From lists, or from numbers for a single term."""
        given = (log_weight, right, wrong)
        if any(isinstance(one, jax.Array) for one in given):  # of a parameter, maybe
            arrays = [jnp.atleast_1d(jnp.asarray(one)) for one in given]
            return cls(*jnp.broadcast_arrays(*arrays))
        rows = np.broadcast_arrays(*map(np.atleast_1d, given))
        return cls(*(np.asarray(row, np.float64) for row in rows))

    def log_sum(
        self, log_p: Float[Array, ""], log_q: Float[Array, ""]
    ) -> Float[Array, ""]:
        """The logarithm of the sum."""

        def power(exponent, log):
            exponent = jnp.asarray(exponent, log_p.dtype)
            return jnp.where(exponent == 0, 0.0, exponent * log)

        logs = power(self.right, log_p) + power(self.wrong, log_q)
        return jax.nn.logsumexp(jnp.asarray(self.log_weight, log_p.dtype) + logs)

    def filled_up(self) -> "Terms":
        """The same sum with terms of weight 0, of one of few lengths."""
        number = len(self.log_weight)
        size = FEW if number > 1 else 1
        while size < number:
            size *= 2
        pad = (0, size - number)
        log_weight = np.pad(self.log_weight, pad, constant_values=-np.inf)
        rows = (log_weight, np.pad(self.right, pad), np.pad(self.wrong, pad))
        return Terms(*map(jnp.asarray, rows))


def harmonic_lines(problem: Problem, rewards: Float[Array, " K"]) -> Lines:
    """The lines of the plain policy gradient, which no clock moves."""
    slopes = jnp.where(problem.log_policy > -jnp.inf, rewards, 0.0)
    never = jnp.full((), jnp.inf, slopes.dtype)
    return Lines(problem.log_policy, slopes, never, jnp.asarray(True), harmonic=True)


class AbstractClock(AbstractUpdate):
    """The policy gradient on 0/1 rewards, with a speed h that depends on their mean.

    >>> class Slow(sim.AbstractClock):
    ...     def log_factor(self, log_p, log_q):
    ...         return jnp.full_like(log_p, jnp.log(0.5))
    ...
    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> times = [
    ...     sim.solve(problem, sim.Verifiable(), rule, until=sim.T0()).time
    ...     for rule in (None, Slow())
    ... ]
    >>> round(float(times[1] / times[0]), 6)
    2.0
    """

    @property
    def beta(self):
        """No KL: it would move the path, not only the clock."""
        return 0.0

    @property
    def closed_form(self):
        return "orbit"

    @abstractmethod
    def log_factor(
        self, log_p: Float[Array, ""], log_q: Float[Array, ""]
    ) -> Float[Array, ""]:
        """`log h(p)`, from `log p` and `log q = log(1 - p)`."""

    def velocity(self, advantage):
        return advantage.weighted_by_policy()

    def lines(self, problem, rewards):
        return harmonic_lines(problem, rewards)

    def log_clock(self, rewards, log_probs):
        inside = log_probs > -jnp.inf
        log_p = log_sum(log_probs, jnp.where(inside, rewards, 0.0))
        log_q = log_sum(log_probs, jnp.where(inside, 1 - rewards, 0.0))
        return self.log_factor(log_p, log_q)

    def check(self, signal):
        if not signal.binary:
            raise ValueError(
                f"`{type(self).__name__}` needs rewards that are 0 or 1, and "
                f"`{type(signal).__name__}` pays other amounts; use `Verifiable` or "
                "`NoisyVerifier`."
            )


class AbstractCounted(AbstractClock):
    """A clock h that is a ratio of two sums of powers of p and 1 - p.

    As in rules for groups, which count the correct answers. All of them with as many
    terms (one, or several, filled up to 16, 32, 64, ...) share one compiled program.

    >>> class Squared(sim.AbstractCounted):
    ...     def terms(self):
    ...         return sim.Terms.of(0.0, 2, 0), None
    ...
    >>> log_p = jnp.log(0.25)
    >>> np.exp(Squared().log_factor(log_p, jnp.log1p(-0.25))).round(4)
    np.float64(0.0625)
    """

    @abstractmethod
    def terms(self) -> tuple[Terms, Terms | None]:
        """Numerator and denominator (None: 1) of `h(p)`."""

    def log_factor(self, log_p, log_q):
        above, below = self.terms()
        log_h = above.log_sum(log_p, log_q)
        return log_h if below is None else log_h - below.log_sum(log_p, log_q)

    def as_numbers(self):
        if jax.tree.leaves(self):  # they may be of one lane each, or be differentiated
            return self
        above, below = self.terms()
        return _Counted(above.filled_up(), None if below is None else below.filled_up())


class _Counted(AbstractCounted):
    """The numbers of another clock."""

    above: Terms
    below: Terms | None

    def terms(self):
        return self.above, self.below

    def as_numbers(self):
        return self

"""Events at which another pattern becomes the most likely one.

Like those in `events`. What counts is a lead, in log-probability; where patterns are
level, who gains.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from simulator.dynamics import Point, alike
from simulator.observables import best_patterns
from simulator.recording import AbstractFirst
from simulator.validation import Given, as_pattern

__all__ = [
    "Crossing",
    "Leads",
]

Scalar = Float[Array, ""]
Group = Bool[Array, " K"]


class Crossing(AbstractFirst):
    """A best pattern becomes the most likely one.

    That is when no other pattern is more likely than the likeliest of the best any
    more. So a tie at the start counts as from the start, whoever gains then, and a tie
    of a best pattern and another one that lasts for ever counts from the moment when
    these two take the lead.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(problem, sim.Verifiable(), events=[sim.Crossing()])
    >>> solution["crossing"]
    crossing  t = 91.86  (10^1.963): policy [0.4876 0.4876 0.02483]
    """

    def value(self, point):
        best = best_patterns(point.log_probs, point.problem.success_rates)
        top = jnp.max(jnp.where(best, point.log_probs, -jnp.inf))
        equal = _equals(point, best & (point.log_probs == top))
        lead = _ahead(point.log_probs, best | equal)
        return _with_sign(lead, jnp.ones_like(lead))

    def in_training(self, problem, log_probs):
        question, policy = self.only(problem, log_probs)
        return _ahead(policy, best_patterns(policy, question.success_rates))

    def while_leading(self, problem, leaders):
        log_policy = problem.log_policy
        best = best_patterns(log_policy, problem.success_rates)
        # What holds from the start has happened.
        return jnp.any(best & leaders) | (_ahead(log_policy, best) >= 0)

    def impossible(self, problem, leads):
        if leads is None:
            return jnp.asarray(False)
        best = best_patterns(problem.log_policy, problem.success_rates)
        return ~jnp.any(best & leads.equals)


class Leads(AbstractFirst):
    """The pattern of this number (from 0) becomes the most likely one.

    Of several that stay equally likely for ever the one with the lowest number leads.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(problem, sim.Verifiable(), events=[sim.Leads(0)])
    >>> solution["leads=0"]
    leads=0  t = 91.86  (10^1.963): policy [0.4876 0.4876 0.02483]
    """

    pattern: Given[Int[Array, ""]] = eqx.field(converter=as_pattern)

    def value(self, point):
        # Equals lead together: against each other the lead would stay 0, or rounding.
        equal = _equals(point, jnp.arange(len(point.log_probs)) == self.pattern)
        first = jnp.argmax(equal) == self.pattern
        return jnp.where(first, _lead(point, equal), -1.0)

    def in_training(self, problem, log_probs):
        _, policy = self.only(problem, log_probs)
        return jnp.where(jnp.argmax(policy) == self.pattern, 1.0, -1.0)

    def while_leading(self, problem, leaders):
        del problem
        return jnp.argmax(leaders) == self.pattern

    def impossible(self, problem, leads):
        return jnp.asarray(False) if leads is None else ~leads.first[self.pattern]

    def check(self, problem):
        if isinstance(self.pattern, jax.core.Tracer):
            return
        wrong = ~np.isin(np.asarray(self.pattern), np.arange(problem.num_patterns))
        if wrong.any():
            raise ValueError(
                f"Leads({np.asarray(self.pattern)[wrong].flat[0]}): patterns are "
                f"numbered from 0 to {problem.num_patterns - 1}."
            )


def _lead(point: Point, group: Group) -> Scalar:
    """How far the likeliest of a group is ahead of all others, in log-probability.

    Where they are level what counts is who gains. Negative if the group is outside the
    support.
    """
    log_probs = point.log_probs
    top = log_probs == jnp.max(log_probs)

    def gain(those):
        return jnp.max(jnp.where(top & those, point.direction, -jnp.inf))

    lead = _ahead(log_probs, group)
    gaining = jnp.sign(jnp.where(lead == 0, gain(group) - gain(~group), 0.0))
    return _with_sign(lead, gaining)


def _ahead(log_probs: Float[Array, " K"], group: Group) -> Scalar:
    """`max log pi_k` of a group minus that of all others; -1 outside the support."""
    ahead = jnp.max(jnp.where(group, log_probs, -jnp.inf))
    behind = jnp.max(jnp.where(group, -jnp.inf, log_probs))
    return jnp.where(ahead > -jnp.inf, ahead - behind, -1.0)


def _with_sign(lead: Scalar, sign: Scalar) -> Scalar:
    """The lead, with this sign where it is 0; its slope is that of the lead."""
    still = lead - jax.lax.stop_gradient(lead)
    return jnp.where(lead == 0, sign * jnp.finfo(lead.dtype).tiny + still, lead)


def _equals(point: Point, those: Group) -> Group:
    """Equally likely patterns and their equals, which stay equally likely.

    For ever, by what they are, whatever rounding does to them on the way; or for now,
    as long as they are equally likely and go the same way.
    """
    now = alike(jnp.stack([point.log_probs, point.direction]), those)
    return those | now | alike(point.traits, those)

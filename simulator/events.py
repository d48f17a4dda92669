"""Moments on the way from the base model to the end of training.

An event has a value whose sign changes from negative to positive when it happens. What
is recorded is the first such change, the last one (`After...`), or the change at which
a quantity is extreme (`Peak`, `Lowest`). To add one, write a small class here, see
CONTRIBUTING.md; the first events whose only field is a level are offered as `--until`.
Who is the most likely one: see `leading`; accuracy and other means: see `means`.
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from simulator.means import PeakAccuracy
from simulator.numerics.logspace import balance_of_mean, centre, sign_of_mean
from simulator.observables import (
    best_patterns,
    log_gap,
    log_optimal_probability,
)
from simulator.problem import Problem
from simulator.recording import AbstractExtreme, AbstractFirst, AbstractLast
from simulator.signals import Verifiable
from simulator.validation import Given, check_level, real

__all__ = [
    "BelowBase",
    "Gap",
    "LowestOptimalProbability",
    "OptimalProbability",
    "SuboptimalMass",
    "T0",
]

Scalar = Float[Array, ""]


class Gap(AbstractFirst):
    """The gap `rho_* - rho_bar` of the reward that training sees falls to `level`.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(problem, sim.Verifiable(), events=[sim.Gap(0.01)])
    >>> solution["gap=0.01"]
    gap=0.01  t = 164  (10^2.215): policy [0.9729 0.02344 0.003712]
    """

    level: Given[Scalar] = eqx.field(converter=real("level"))

    def value(self, point):
        return jnp.log(self.level) - log_gap(point.log_probs, point.rewards)

    def impossible(self, problem, leads):
        return self.level <= 0

    def check(self, problem):
        del problem
        check_level(self, np.inf)

    def changes_once(self, signal):
        del signal
        return True


class OptimalProbability(AbstractFirst):
    """The total probability `pi_*` of the best patterns rises to `level`.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(
    ...     problem, sim.Verifiable(), events=[sim.OptimalProbability(0.5)]
    ... )
    >>> solution["optimal-probability"]
    optimal-probability=0.5  t = 92.2  (10^1.965): policy [0.5 0.4754 0.02463]
    """

    level: Given[Scalar] = eqx.field(converter=real("level"))

    def value(self, point):
        rates = point.problem.success_rates
        best = best_patterns(point.log_probs, rates)
        return sign_of_mean(point.log_probs, jnp.where(best, 1.0, 0.0) - self.level)

    def in_training(self, problem, log_probs):
        best, ranked = _ranked(problem, log_probs)
        excess = jnp.where(best, 1.0, 0.0) - self.level
        return sign_of_mean(ranked.ravel(), excess.ravel())

    def impossible(self, problem, leads):
        return self.level >= 1

    def check(self, problem):
        del problem
        check_level(self, 1)


class SuboptimalMass(AbstractFirst):
    """`1 - pi_*` falls to `level`, compared on a log scale.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(
    ...     problem, sim.Verifiable(), events=[sim.SuboptimalMass(0.01)]
    ... )
    >>> solution["suboptimal-mass"]
    suboptimal-mass=0.01  t = 271  (10^2.433): policy [0.99 0.008352 0.001648]
    """

    level: Given[Scalar] = eqx.field(converter=real("level"))

    def value(self, point):
        best = best_patterns(point.log_probs, point.problem.success_rates)
        return jnp.log(self.level) - _log_mass(~best, point.log_probs)

    def in_training(self, problem, log_probs):
        best, ranked = _ranked(problem, log_probs)
        questions = jnp.sum(jnp.any(ranked > -jnp.inf, axis=1))
        mass = _log_mass(~best.ravel(), ranked.ravel()) - jnp.log(questions)
        return jnp.log(self.level) - mass

    def impossible(self, problem, leads):
        return self.level <= 0

    def check(self, problem):
        del problem
        check_level(self, 1)


def _log_mass(those: Bool[Array, " N"], log_probs: Float[Array, " N"]) -> Scalar:
    """`log sum pi_k` of those patterns."""
    rest = jnp.where(those, log_probs, -jnp.inf)
    top = jnp.max(rest)
    shift = jnp.where(top == -jnp.inf, 0.0, top)
    return jnp.log(jnp.sum(jnp.exp(rest - shift))) + shift


def _ranked(
    problem: Problem, log_probs: Float[Array, "Q K"]
) -> tuple[Bool[Array, "Q K"], Float[Array, "Q K"]]:
    """The best patterns, and the policies of questions that have better and worse ones.

    `-inf` in the rows of the others, over which `pi_*` is not averaged; if there are
    only such, all of their patterns are best.
    """
    best = best_patterns(log_probs, problem.success_rates)
    ranked = jnp.any((log_probs > -jnp.inf) & ~best, axis=1)
    ranked = ranked | ~jnp.any(ranked)
    return best, jnp.where(ranked[:, None], log_probs, -jnp.inf)


class T0(AbstractFirst):
    """Accuracy passes the highest suboptimal success rate: the rival stops growing.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(problem, sim.Verifiable(), events=[sim.T0()])
    >>> solution["t0"]
    t0  t = 42.68  (10^1.63): policy [0.05341 0.9145 0.03204]
    """

    def value(self, point):
        return sign_of_mean(point.log_probs, self.lead(point.problem))

    @staticmethod
    def lead(problem):
        """By how much each pattern is better than the best suboptimal one."""
        rates, inside = problem.success_rates, problem.log_policy > -jnp.inf
        best = best_patterns(problem.log_policy, rates)
        runner_up = jnp.max(jnp.where(inside & ~best, rates, -jnp.inf))
        # All rates equal: there is no rival, and nothing to pass.
        lead = jnp.where(jnp.isfinite(runner_up), rates - runner_up, -1.0)
        # Its own lead is 0 whatever its rate, in both directions of differentiation.
        return jnp.where(rates == runner_up, 0.0, lead)

    def impossible(self, problem, leads):
        return jnp.all(self.lead(problem) < 0)

    def changes_once(self, signal):
        return isinstance(signal, Verifiable)


class BelowBase(AbstractLast):
    """Accuracy falls below that of the base model for good.

    Here it rises at first, while the worst pattern dies out; then the pattern of the
    highest confidence, which is not the best one, takes over.

    >>> problem = sim.Problem([0.9, 0.3, 0.1], [0.4, 0.2, 0.4])
    >>> solution = sim.solve(
    ...     problem, sim.FixedConfidence([0.5, 0.6, 0.1]), events=[sim.BelowBase()]
    ... )
    >>> solution["below-base"]
    below-base  t = 46.54  (10^1.668): policy [0.2781 0.6875 0.03435]
    """

    linear: ClassVar[bool] = True

    def value(self, point):
        lost = balance_of_mean(point.log_probs, self.loss(point.problem))
        return self.shown(lost, PeakAccuracy().value(point))

    @staticmethod
    def loss(problem):
        """By how much each pattern is worse than the base model."""
        return -centre(problem.log_policy, problem.success_rates).values()

    @staticmethod
    def shown(lost, falling):
        """At the start nothing is lost yet; what counts is where it is heading."""
        level = jnp.abs(lost) <= 16 * jnp.finfo(lost.dtype).eps
        heading = jnp.sign(falling) * jnp.finfo(lost.dtype).tiny
        # The slope is that of what is lost.
        still = lost - jax.lax.stop_gradient(lost)
        return jnp.where(level, heading + still, lost)


class LowestOptimalProbability(AbstractExtreme):
    """The total probability `pi_*` of the best patterns is lowest.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(
    ...     problem, sim.Verifiable(), events=[sim.LowestOptimalProbability()]
    ... )
    >>> solution["lowest-optimal-probability"]
    lowest-optimal-probability  t = 17.46  (10^1.242): policy [0.0434 0.8923 0.06432]
    """

    def score(self, point):
        rates = point.problem.success_rates
        return -log_optimal_probability(point.log_probs, rates)

    def value(self, point):
        log_probs, rates = point.log_probs, point.problem.success_rates
        best = best_patterns(log_probs, rates)
        within = jnp.where(best, log_probs, -jnp.inf)
        share = jnp.exp(within - jnp.max(within))
        share = share / jnp.sum(share)
        return jnp.sum(share * centre(log_probs, point.direction).values())

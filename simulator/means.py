"""Moments of a mean under the policy: of accuracy, or of an attribute."""

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from simulator.attribute_signals import Attribute
from simulator.numerics.logspace import centre, ratio, sign_of_mean
from simulator.observables import best_value
from simulator.problem import Problem
from simulator.recording import AbstractExtreme, AbstractFirst
from simulator.signals import Verifiable
from simulator.validation import Given, check_finite, check_level, real

__all__ = [
    "Accuracy",
    "AttributeFalls",
    "AttributeRises",
    "HighestAttribute",
    "LowestAttribute",
    "PeakAccuracy",
]

Scalar = Float[Array, ""]


class AbstractMeanFirst(AbstractFirst):
    """The mean of `excess` becomes positive: `sum_k pi_k excess_k > 0`."""

    @abstractmethod
    def excess(self, problem: Problem) -> Float[Array, "*B K"]:
        """By how much each pattern is beyond the level."""

    def value(self, point):
        return sign_of_mean(point.log_probs, self.excess(point.problem))

    def in_training(self, problem, log_probs):
        # The mean over the questions.
        return sign_of_mean(log_probs.ravel(), self.excess(problem).ravel())

    def impossible(self, problem, leads):
        return best_value(problem.log_policy, self.excess(problem)) <= 0


class AbstractHighestMean(AbstractExtreme):
    """The mean of `values` is highest: `sum_k pi_k values_k`."""

    linear: ClassVar[bool] = True

    @abstractmethod
    def values(self, problem: Problem) -> Float[Array, " K"]:
        """What is averaged."""

    def score(self, point):
        return jnp.sum(jnp.exp(point.log_probs) * self.values(point.problem))

    def value(self, point):
        moves = centre(point.log_probs, point.direction)
        # d mean = sum_k pi_k (d theta_k - mean) v_k, with v measured from the mode's.
        values = centre(point.log_probs, self.values(point.problem))
        slope = jnp.sum(values.weighted * moves.values())
        return -ratio(slope, values.spread())


class Accuracy(AbstractMeanFirst):
    """Accuracy rises to `level`.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(problem, sim.Verifiable(), events=[sim.Accuracy(0.8)])
    >>> solution["accuracy=0.8"]
    accuracy=0.8  t = 98.35  (10^1.993): policy [0.6992 0.2813 0.01953]
    """

    level: Given[Scalar] = eqx.field(converter=real("level"))

    def excess(self, problem):
        return problem.success_rates - self.level

    def check(self, problem):
        del problem
        check_level(self, 1)

    def changes_once(self, signal):
        return isinstance(signal, Verifiable)


class AttributeRises(AbstractMeanFirst):
    """The mean of the attribute `column` rises to `level`.

    >>> columns = {"facts": [0.1, 0.7, 0.2]}
    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25], attributes=columns)
    >>> event = sim.AttributeRises("facts", 0.65)
    >>> solution = sim.solve(problem, sim.Verifiable(), events=[event])
    >>> solution["attribute-rises"]
    attribute-rises=facts,0.65  t = 26.31  (10^1.42): policy [0.04466 0.9089 0.04641]
    """

    column: str = eqx.field(static=True)
    level: Given[Scalar] = eqx.field(converter=real("level"))

    def excess(self, problem):
        return problem.attribute(self.column) - self.level

    def check(self, problem):
        problem.attribute(self.column)
        check_finite("level", self.level)

    def changes_once(self, signal):
        return isinstance(signal, Attribute) and signal.column == self.column


class AttributeFalls(AbstractMeanFirst):
    """The mean of the attribute `column` falls to `level`.

    >>> columns = {"facts": [0.1, 0.7, 0.2]}
    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25], attributes=columns)
    >>> event = sim.AttributeFalls("facts", 0.3)
    >>> solution = sim.solve(problem, sim.Verifiable(), events=[event])
    >>> solution["attribute-falls=facts,0.3"]
    attribute-falls=facts,0.3  t = 96.57  (10^1.985): policy [0.649 0.3298 0.02115]
    """

    column: str = eqx.field(static=True)
    level: Given[Scalar] = eqx.field(converter=real("level"))

    def excess(self, problem):
        return self.level - problem.attribute(self.column)

    def check(self, problem):
        problem.attribute(self.column)
        check_finite("level", self.level)

    def changes_once(self, signal):
        return isinstance(signal, Attribute) and signal.column == self.column


class PeakAccuracy(AbstractHighestMean):
    """Accuracy is highest.

    Here the confidence is highest in a pattern that is not the best one: accuracy rises
    from 0.46 to 0.61, and falls to 0.3.

    >>> problem = sim.Problem([0.9, 0.3, 0.1], [0.4, 0.2, 0.4])
    >>> solution = sim.solve(
    ...     problem, sim.FixedConfidence([0.5, 0.6, 0.1]), events=[sim.PeakAccuracy()]
    ... )
    >>> solution["peak-accuracy"]
    peak-accuracy  t = 15.4  (10^1.188): policy [0.5492 0.3338 0.117]
    """

    def values(self, problem):
        return problem.success_rates


class HighestAttribute(AbstractHighestMean):
    """The mean of the attribute `column` is highest.

    Here it is a trait of the rival, which grows at first.

    >>> columns = {"facts": [0.1, 0.7, 0.2]}
    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25], attributes=columns)
    >>> event = sim.HighestAttribute("facts")
    >>> solution = sim.solve(problem, sim.Verifiable(), events=[event])
    >>> solution["highest-attribute"]
    highest-attribute=facts  t = 36.88  (10^1.567): policy [0.04925 0.9151 0.03563]
    """

    column: str = eqx.field(static=True)

    def values(self, problem):
        return problem.attribute(self.column)

    def check(self, problem):
        problem.attribute(self.column)


class LowestAttribute(AbstractHighestMean):
    """The mean of the attribute `column` is lowest.

    >>> columns = {"length": [2.0, 1.0, 3.0]}
    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25], attributes=columns)
    >>> event = sim.LowestAttribute("length")
    >>> solution = sim.solve(problem, sim.Verifiable(), events=[event])
    >>> solution["lowest-attribute"]
    lowest-attribute=length  t = 44.74  (10^1.651): policy [0.05523 0.9137 0.03103]
    """

    column: str = eqx.field(static=True)

    def values(self, problem):
        return -problem.attribute(self.column)

    def check(self, problem):
        problem.attribute(self.column)

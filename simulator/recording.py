"""How an event is recorded: at its first change of sign, its last, or an extremum.

An event has a value whose sign changes from negative to positive when it happens. The
events themselves are in `simulator.events` and `simulator.leading`.
"""

from abc import abstractmethod
from typing import ClassVar, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool as Bools, Float, Int

from simulator.dynamics import KnownPolicy, Point
from simulator.numerics.envelope import Ever
from simulator.problem import Problem
from simulator.reporting.display import Part
from simulator.rules import AbstractSignal

__all__ = [
    "AbstractEvent",
    "AbstractExtreme",
    "AbstractFirst",
    "AbstractLast",
]

Scalar = Float[Array, ""]
Bool = Bools[Array, ""]


class AbstractEvent(Part):
    """An event; see the module's docstring.

    `slots`: how many changes of sign are kept, to be located at the end.
    `counts_if_undone`: whether it has happened though its value is negative again.
    `lasts`: whether what holds at the start counts as found.
    `scored`: whether it has a score, which is compared at the end.
    `linear`: whether it is about a mean of numbers per pattern, which has a meaning for
    several questions too.

    >>> isinstance(sim.T0(), sim.AbstractEvent), sim.PeakAccuracy().slots
    (True, 3)
    """

    slots: ClassVar[int] = 1
    counts_if_undone: ClassVar[bool] = False
    lasts: ClassVar[bool] = False
    scored: ClassVar[bool] = False
    linear: ClassVar[bool] = False

    @abstractmethod
    def value(self, point: Point) -> Scalar:
        """Negative before, positive after."""

    def score(self, point: Point) -> Scalar:
        """The quantity to maximise; 0 where there is none."""
        return jnp.zeros((), point.log_probs.dtype)

    def check(self, problem: Problem) -> None:
        """Raise `ValueError` if this cannot be an event of the problem."""
        del problem

    def holds_at_start(self, value: Scalar) -> Bool:
        """Whether an event of this first value holds from the start."""
        return value > 0

    @abstractmethod
    def change(
        self, values: Float[Array, " M"], scores: Float[Array, " M"]
    ) -> tuple[Int[Array, ""], Bool]:
        """The part of a step in which it happens, and whether it does.

        `values` and `scores` at M places along the step, the ends included.
        """

    def replaces(
        self, found: Bools[Array, " S"], scores: Float[Array, " S"], score: Scalar
    ) -> Bools[Array, " S"]:
        """The slots that a new change of sign takes; `scores` of what they hold."""
        del scores, score
        return jnp.ones_like(found)

    def forgets(self, value: Scalar) -> Bool:
        """Whether a step that ends with this value undoes what was found before."""
        del value
        return jnp.asarray(False)

    def while_leading(
        self, problem: Problem, leaders: Bools[Array, " K"]
    ) -> Bool | None:
        """Whether it holds while these patterns lead, if that is all that counts.

        One, or several that are equal for ever, of which the first is said to lead.
        Engines that know who leads then look at nothing else. None: more counts.
        """
        del problem, leaders
        return None

    def impossible(self, problem: Problem, leads: Ever | None) -> Bool:
        """Whether it cannot happen, however long the run, unless it holds at the start.

        `leads`: who is ever the most likely, if that is known. Claimed only where it
        follows from the problem: no policy is there, or only the limit of policies.
        """
        del problem, leads
        return jnp.asarray(False)

    def changes_once(self, signal: AbstractSignal) -> bool:
        """Whether the sign changes at most once.

        Along a policy-gradient flow of fixed rewards. If not, the sign is looked at
        within steps too.
        """
        del signal
        return False


def _upward(values: Float[Array, " M"]) -> Bools[Array, " M-1"]:
    """The parts of a step in which a value changes from negative to positive."""
    return (values[:-1] <= 0) & (values[1:] > 0)


class AbstractFirst(AbstractEvent):
    """Recorded at its first change of sign.

    >>> class Even(sim.AbstractFirst):
    ...     def value(self, point):
    ...         return jnp.exp(point.log_probs[0]) - 0.5
    ...
    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(problem, sim.Verifiable(), events=[Even()])
    >>> solution["even"]
    even  t = 92.2  (10^1.965): policy [0.5 0.4754 0.02463]
    """

    counts_if_undone: ClassVar[bool] = True

    def in_training(
        self, problem: Problem, log_probs: Float[Array, "Q K"]
    ) -> Float[Array, ""]:
        """The value after a step of sampled training: 0 or positive if it holds.

        Of the policies of all questions, of which nothing else is known. An event that
        has a meaning for the mean over several questions says which.

        Raises `ValueError` for several questions, and if the event looks at rewards or
        at where the policy is heading.

        >>> asked = sim.Problem([[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.4, 0.6]])
        >>> events = sim.Accuracy(0.5), sim.Accuracy(0.6)
        >>> [bool(e.in_training(asked, asked.log_policy) >= 0) for e in events]
        [True, False]
        """
        return self.value(cast(Point, KnownPolicy(*self.only(problem, log_probs))))

    @staticmethod
    def only(
        problem: Problem, log_probs: Float[Array, "Q K"]
    ) -> tuple[Problem, Float[Array, " K"]]:
        """The only question, and its policy. Raises `ValueError` for several."""
        if len(log_probs) > 1:
            raise ValueError(f"it is of one question, and there are {len(log_probs)}")
        return jax.tree.map(lambda leaf: leaf[0], problem), log_probs[0]

    def holds_at_start(self, value):
        # A level that is met is reached.
        return value >= 0

    def change(self, values, scores):
        up = _upward(values)
        return jnp.argmax(up), jnp.any(up)

    def replaces(self, found, scores, score):
        return ~found


class AbstractLast(AbstractEvent):
    """Recorded at its last change of sign, if the value is positive at the end.

    If the value is positive all along, that was from the start.

    >>> isinstance(sim.BelowBase(), sim.AbstractLast), sim.BelowBase().lasts
    (True, True)
    """

    lasts: ClassVar[bool] = True

    def change(self, values, scores):
        up = _upward(values)
        # What is undone before the step ends does not last.
        return len(up) - 1 - jnp.argmax(up[::-1]), jnp.any(up) & (values[-1] > 0)

    def forgets(self, value):
        return value < 0


class AbstractExtreme(AbstractEvent):
    """Recorded where `score` is largest over the whole run, both ends included.

    `value` is minus the slope of the score. The three most promising local extrema are
    located, and compared by their true scores.

    >>> isinstance(sim.PeakAccuracy(), sim.AbstractExtreme)
    True
    """

    slots: ClassVar[int] = 3
    scored: ClassVar[bool] = True

    def change(self, values, scores):
        up = _upward(values)
        score = jnp.maximum(scores[:-1], scores[1:])
        return jnp.argmax(jnp.where(up, score, -jnp.inf)), jnp.any(up)

    def replaces(self, found, scores, score):
        # The least promising makes room.
        weakest = jnp.arange(self.slots) == jnp.argmin(scores)
        return weakest & (score > scores)

    @abstractmethod
    def score(self, point: Point) -> Scalar:
        """The quantity to maximise."""

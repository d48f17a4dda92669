"""Events of a population: of one question, and of the mean over questions."""

from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from simulator.dynamics import Point
from simulator.engines.lanes import own_ranks
from simulator.means import AbstractMeanFirst, Accuracy
from simulator.numerics.logspace import centre
from simulator.observables import best_value
from simulator.populations.dynamics import PopulationPoint
from simulator.recording import (
    AbstractEvent,
    AbstractExtreme,
    AbstractFirst,
    AbstractLast,
)
from simulator.reporting.labels import label
from simulator.validation import check_kind, shown, whole_numbers

__all__ = ["of_question"]


class AbstractOfQuestion(AbstractEvent):
    """An event of one question; recorded as that event is."""

    event: eqx.AbstractVar[AbstractEvent]
    question: eqx.AbstractVar[Int[Array, ""]]

    def value(self, point):
        return self.event.value(_seen(point).of_question(self.question))

    def score(self, point):
        return self.event.score(_seen(point).of_question(self.question))

    def check(self, problem):
        if not problem.batch_shape:
            raise ValueError(
                "`of_question` looks at a population; follow it with "
                "`solve_population`, or give the event itself."
            )
        number = problem.batch_shape[-1]
        if not 0 <= int(self.question) < number:
            raise ValueError(
                f"`question` is {int(self.question)} and there are {number} questions; "
                "they count from 0."
            )
        self.event.check(problem)


class _First(AbstractOfQuestion, AbstractFirst):
    event: AbstractEvent
    question: Int[Array, ""]


class _Last(AbstractOfQuestion, AbstractLast):
    event: AbstractEvent
    question: Int[Array, ""]


class _Extreme(AbstractOfQuestion, AbstractExtreme):
    event: AbstractEvent
    question: Int[Array, ""]


def of_question(event: AbstractEvent, question: int) -> AbstractOfQuestion:
    """An event of one question of a population, numbered from 0.

    It looks at the question as if it were alone, and at how its logits really move.

    Raises `ValueError` for what is no event, or no whole number.

    >>> problem = sim.Problem([[0.9, 0.1], [0.2, 0.6]], [[0.3, 0.7], [0.5, 0.5]])
    >>> event = sim.of_question(sim.Crossing(), 0)
    >>> run = sim.solve_population(
    ...     sim.Population(problem, ro.Shared()), sim.Verifiable(), until=event
    ... )
    >>> np.round(run.policy, 4)
    Array([[0.5, 0.5],
           [0.7, 0.3]], dtype=float64)
    """
    check_kind("event", event, AbstractEvent, "Crossing()")
    number = whole_numbers("question", question)
    if number.ndim or isinstance(event, AbstractOfQuestion):
        raise ValueError(
            f"`of_question` got {shown(event)} and question {shown(question)}; give an "
            "event of one problem, and one whole number."
        )
    kinds = (AbstractFirst, _First), (AbstractLast, _Last), (AbstractExtreme, _Extreme)
    kind = next(own for its, own in kinds if isinstance(event, its))
    return kind(event, number)


class _FirstInMean(AbstractFirst):
    event: AbstractFirst

    def value(self, point):
        seen = _seen(point)
        return self.event.in_training(seen.problem, seen.log_probs)

    def check(self, problem):
        self.event.check(problem)
        one = problem[(0,) * (len(problem.batch_shape) - 1)]
        try:
            jax.eval_shape(self.event.in_training, one, one.log_policy)
        except ValueError as error:
            raise _meaningless(self.event) from error

    def impossible(self, problem, leads):
        if not isinstance(self.event, AbstractMeanFirst):
            return jnp.asarray(False)
        excess = self.event.excess(problem)
        return jnp.mean(best_value(problem.log_policy, excess)) <= 0


class _LastInMean(AbstractLast):
    event: AbstractEvent

    def value(self, point):
        return self.event.value(flattened(_seen(point)))


class _ExtremeInMean(AbstractExtreme):
    event: AbstractEvent

    def value(self, point):
        return self.event.value(flattened(_seen(point)))

    def score(self, point):
        return self.event.score(flattened(_seen(point)))


class _TaskSuccess(AbstractFirst):
    """The mean success over the tasks of a joint signal rises to a level."""

    event: Accuracy

    def value(self, point):
        return jnp.mean(_seen(point).success) - self.event.level


def flattened(seen: PopulationPoint) -> Point:
    """The questions as one, whose patterns are chosen with `pi_qk / Q`.

    Means of numbers per pattern are those over the questions then, and so are their
    slopes.
    """
    number = jnp.log(jnp.asarray(len(seen.log_probs), seen.log_probs.dtype))

    def moves(log_probs, direction):
        return centre(log_probs, direction).values()

    def as_one(leaf):
        return leaf.reshape(-1, *leaf.shape[2:])

    problem = jax.tree.map(as_one, seen.problem)
    problem = eqx.tree_at(lambda p: p.log_policy, problem, problem.log_policy - number)
    log_probs = (seen.log_probs - number).ravel()
    return Point(
        problem=problem,
        log_probs=log_probs,
        rewards=seen.rewards.ravel(),
        direction=jax.vmap(moves)(seen.log_probs, seen.direction).ravel(),
        log_speed=seen.log_speed,
        advantage=centre(log_probs, seen.rewards.ravel()),
        traits=jnp.arange(len(log_probs), dtype=log_probs.dtype)[None, :],
    )


def _seen(point: Point) -> PopulationPoint:
    if not isinstance(point, PopulationPoint):
        raise ValueError(
            "`of_question` looks at a population; follow it with `solve_population`."
        )
    return cast(PopulationPoint, point)


def of_population(event: AbstractEvent, joint: bool) -> AbstractEvent:
    """The event as one of a population: of the mean, unless it names a question.

    `joint`: whether choices are paid together; then accuracy is the mean success.

    Raises `ValueError` for an event that has no meaning for several questions.
    """
    check_kind("events", event, AbstractEvent, "Accuracy(0.5)")
    if isinstance(event, AbstractOfQuestion):
        return event
    if joint:
        if isinstance(event, Accuracy):
            return _TaskSuccess(event)
    elif isinstance(event, AbstractFirst):
        return _FirstInMean(event)
    elif event.linear:
        last = isinstance(event, AbstractLast)
        return _LastInMean(event) if last else _ExtremeInMean(event)
    raise _meaningless(event)


def _meaningless(event: AbstractEvent) -> ValueError:
    return ValueError(
        f"`{type(event).__name__}` has no meaning for several questions; give "
        "`of_question(event, number)`, or `Accuracy(level)` of their mean."
    )


def check_shared(event: AbstractEvent) -> None:
    """Raise `ValueError` for levels by lane: events are the same for all."""

    def check(leaf, own):
        if np.ndim(leaf) > own:
            raise ValueError(
                f"`{type(event).__name__}` has numbers of shape {np.shape(leaf)}; "
                "events of populations are the same for all: give one number."
            )

    jax.tree.map(check, event, own_ranks(event))


def name_of(event: AbstractEvent) -> str:
    """The name of an event, with the number of its question.

    >>> name_of(sim.of_question(sim.Accuracy(0.5), 3)), name_of(sim.Accuracy(0.5))
    ('accuracy=0.5 of question 3', 'accuracy=0.5')
    """
    if isinstance(event, AbstractOfQuestion):
        return f"{label(event.event)} of question {int(event.question)}"
    return label(event)

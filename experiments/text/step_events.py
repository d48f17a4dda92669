"""Events of `--until` that are looked at after every step of sampled training."""

import contextlib
from typing import Any

from experiments.text import events
from experiments.text.errors import UserError


def forms(questions: int) -> list[str]:
    """How each event is written that has a meaning at a step."""
    import simulator as sim

    some = sim.Problem([[0.9, 0.1]] * questions, [[0.5, 0.5]] * questions)
    known = []
    for name, entry in events.entries().items():
        event = events.example(entry)
        with contextlib.suppress(ValueError):
            event.in_training(some, some.log_policy)
            known.append(events.forms()[name])
    return known


def read(text: str, option: str):
    """The event written as `text`. Raises `UserError` if it is none."""
    event = events.read(text, option, forms(1))
    if event is None:
        raise UserError(
            f"{option} {text}: sampled training takes all of its steps, and does not "
            f"come to rest; give one of {', '.join(forms(1))}."
        )
    return event


def at_start(event: Any, given: str, problem: Any) -> Any:
    """The value of the event at the base model of these questions.

    `given`: how it was asked for, as in `--until accuracy=0.5`.

    Raises `UserError` if it has no meaning there, `ValueError` if it is no event of
    these questions.
    """
    event.check(problem)
    try:
        return event.in_training(problem, problem.log_policy)
    except ValueError as error:
        raise UserError(
            f"{given} has no meaning at a step: {error}; give one of "
            f"{', '.join(forms(len(problem.success_rates)))}."
        ) from None


def check(event: Any, given: str, problem: Any) -> None:
    """Raise `UserError` if `event` says nothing of these questions, or cannot happen.

    `given`: see `at_start`.
    """
    import numpy as np

    import simulator as sim

    value = at_start(event, given, problem)
    rates, base = problem.success_rates, problem.log_policy
    best = np.asarray(sim.best_value(base, rates))
    of_best = isinstance(event, sim.OptimalProbability | sim.SuboptimalMass)
    if of_best and (best == -np.asarray(sim.best_value(base, -rates))).all():
        raise UserError(
            f"{given} has no meaning here: no question has a pattern that is better "
            "than another one; give accuracy=LEVEL."
        )
    if value < 0 and _is_impossible(event, problem, float(best.mean())):
        raise events.never(event, given, float(best.mean()), "")


def _is_impossible(event: Any, problem: Any, best: float) -> bool:
    import jax

    import simulator as sim

    if isinstance(event, sim.Accuracy):
        return float(event.level) >= best
    if len(problem.success_rates) > 1:
        return False
    question = jax.tree.map(lambda leaf: leaf[0], problem)
    return bool(event.impossible(question, None))

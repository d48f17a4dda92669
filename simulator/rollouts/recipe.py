"""A training recipe: everything a run needs besides the questions and the seed."""

import dataclasses
import math
import textwrap
from typing import Any

import equinox as eqx
import jax
import numpy as np
import optax
from jaxtyping import Array, Float

from simulator.problem import Problem
from simulator.reporting import display
from simulator.rollouts.draws.multinomial import LARGEST_GROUP
from simulator.rollouts.estimators import GRPO, AbstractEstimator
from simulator.rollouts.feedback import AbstractFeedback, Verifier
from simulator.rollouts.optimizers import Optimizer
from simulator.rollouts.penalties import AbstractPenalty
from simulator.rollouts.policies import AbstractPolicy, PerQuestion
from simulator.rollouts.surrogates import (
    AbstractSurrogate,
    NaturalGradient,
    NormalisedGradient,
    PolicyGradient,
)
from simulator.validation import (
    Given,
    check_bool,
    check_kind,
    check_optimizer,
    check_whole,
    plain,
    real,
)

__all__ = [
    "Recipe",
]


class Recipe(eqx.Module):
    """How to train, step by step. See `train`.

    - `feedback`, `estimator`, `surrogate`, `penalties`: from rollouts to a gradient.
    - `group_size`: rollouts per question and step.
    - `redraws`: how many more times a group whose feedback is equal for all is drawn
      (dynamic sampling): of the same question, or if `replaced`, of one drawn at random
      from all of them, as in DAPO. Then a question may have several groups in a step,
      which count in full, and one that is hopeless (or solved) gives its place away.
      Under a policy per question, one that is drawn twice moves about twice as far
      (with sgd).
    - `policy`: who shares parameters with whom.
    - `teacher_decay`: the teacher's parameters are a moving average of the policy's
      with this decay: 0 is the policy itself, 1 the frozen base model.
    - `optimizer`: an `Optimizer`, or any Optax transformation; `learning_rate`: its
      result is multiplied by this. `num_steps`: batches; each is used for as many
      optimizer updates as the surrogate has epochs, and schedules count updates.

    >>> ro.Recipe(estimator=ro.RLOO(), group_size=16)
    Recipe(feedback=Verifier(), estimator=RLOO(), group_size=16, optimizer=Optimizer(),
        learning_rate=0.1, num_steps=1000)
    """

    feedback: AbstractFeedback = Verifier()
    """What each rollout is paid."""
    estimator: AbstractEstimator = GRPO()
    """From the rewards of a group to advantages."""
    surrogate: AbstractSurrogate = PolicyGradient()
    """What is climbed, and how often a batch is used."""
    penalties: tuple[AbstractPenalty, ...] = ()
    """Added to rewards or to the loss, as KL and entropy."""
    policy: AbstractPolicy = PerQuestion()
    """Who shares parameters with whom."""
    group_size: int = eqx.field(default=8, static=True, converter=plain)
    """Rollouts per question and step."""
    redraws: int = eqx.field(default=0, static=True, converter=plain)
    """How many more times a group of equal rewards is drawn."""
    replaced: bool = eqx.field(default=False, static=True, converter=plain)
    """Draw it of a random question, as DAPO, instead of the same one."""
    teacher_decay: Given[Float[Array, "*B"]] = eqx.field(
        default=0.0, converter=real("teacher_decay")
    )
    """Of the moving average: 0 is the policy itself, 1 the frozen base model."""
    optimizer: Any = eqx.field(default=Optimizer(), static=True)
    """One of Optax, by name or as a table with its parameters."""
    learning_rate: Given[Float[Array, "*B"]] = eqx.field(
        default=0.1, converter=real("learning_rate")
    )
    """The optimizer's result is multiplied by this."""
    num_steps: int = eqx.field(default=1000, static=True, converter=plain)
    """Batches that are drawn."""

    def __repr__(self) -> str:
        """As one would write it, with what decides most, or differs from the default.

        >>> Recipe(group_size=16, redraws=2)
        Recipe(feedback=Verifier(), estimator=GRPO(), group_size=16, redraws=2,
            optimizer=Optimizer(), learning_rate=0.1, num_steps=1000)
        """
        always = "feedback", "estimator", "group_size", *LAST
        given = [
            f"{name}={text}"
            for name, text in self._parts()
            if name in always or not display.same(getattr(self, name), DEFAULTS[name])
        ]
        return textwrap.fill(
            f"Recipe({', '.join(given)})",
            88,
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _repr_html_(self) -> str:
        return display.as_html("Recipe", self._parts())

    def _parts(self) -> list[tuple[str, str]]:
        return [(name, display.short(getattr(self, name))) for name in DEFAULTS]

    def check(self, problem: Problem) -> None:
        """Raise `ValueError` if this recipe cannot be used on the questions."""
        self.check_alone()
        self.feedback.check(problem, self.group_size)
        self.policy.check(problem)
        groups = self.num_steps * problem.success_rates.shape[-2] * (1 + self.redraws)
        if groups >= 2**31:
            raise ValueError(
                f"`num_steps` = {self.num_steps:,} times the number of questions and "
                "1 + `redraws` must stay below 2^31: groups are told apart by it."
            )

    def check_alone(self) -> None:
        """Raise `ValueError` if this recipe cannot be used, whatever the questions."""
        for name, kind, example in (
            ("feedback", AbstractFeedback, "Verifier()"),
            ("estimator", AbstractEstimator, "GRPO()"),
            ("surrogate", AbstractSurrogate, "PolicyGradient()"),
            ("policy", AbstractPolicy, "PerQuestion()"),
        ):
            check_kind(name, getattr(self, name), kind, example)
        if not isinstance(self.penalties, tuple):
            raise ValueError("`penalties` must be a tuple of penalties.")
        for penalty in self.penalties:
            check_kind("penalties", penalty, AbstractPenalty, "KLLoss3(0.1)")
            penalty.check()
        check_whole("group_size", self.group_size, 1, LARGEST_GROUP)
        check_whole("redraws", self.redraws, 0, 1000)
        check_bool("replaced", self.replaced)
        if self.replaced and not self.redraws:
            raise ValueError(
                "`replaced` says of which question a group is drawn again, and "
                "`redraws` is 0; give how often, for example redraws = 10."
            )
        check_whole("num_steps", self.num_steps, 1, 10**9)
        for name, low, high in (
            ("learning_rate", 0.0, math.inf),
            ("teacher_decay", 0.0, 1.0),
        ):
            value = getattr(self, name)
            if isinstance(value, jax.core.Tracer):
                continue
            given = np.asarray(value)
            if given.ndim > 1:
                raise ValueError(
                    f"`{name}` has shape {given.shape}; give one number, or one per "
                    "lane."
                )
            if not ((given >= low) & (given <= high) & np.isfinite(given)).all():
                limit = "0 or positive" if high == math.inf else "between 0 and 1"
                raise ValueError(f"`{name}` is {given}; it must be {limit}.")
        self.estimator.check(self.feedback, self.penalties, self.group_size)
        self.surrogate.check()
        if isinstance(self.surrogate, NormalisedGradient):
            for penalty in self.penalties:
                if not penalty.in_reward:
                    raise ValueError(
                        "`NormalisedGradient` has length 1, and "
                        f"`{type(penalty).__name__}` would be added to it; use "
                        "`KLReward`, or another surrogate."
                    )
        shares = not isinstance(self.policy, PerQuestion)
        if isinstance(self.surrogate, NaturalGradient) and shares:
            raise ValueError(
                "`NaturalGradient` inverts the Fisher matrix of one question; use the "
                "policy `PerQuestion`."
            )
        check_optimizer(self.transformation())

    def transformation(self) -> optax.GradientTransformation:
        """The optimizer, at learning rate 1."""
        if isinstance(self.optimizer, Optimizer):
            return self.optimizer.build()
        return self.optimizer


LAST = "optimizer", "learning_rate", "num_steps"
DEFAULTS = {field.name: field.default for field in dataclasses.fields(Recipe)}


def check_lanes(axes: Any, part: Any, name: str, shape: tuple[int, ...]) -> None:
    """Raise `ValueError` if a number of a part is not there for every lane."""
    along: list[tuple[int, ...]] = []
    jax.tree.map(
        lambda axis, leaf: along.append(leaf.shape) if axis == 0 else None,
        axes,
        part,
        is_leaf=lambda x: x is None,
    )
    lanes = int(np.prod(shape))
    for given in along:
        if not shape or given[0] != lanes:
            raise ValueError(
                f"a number of {name} has shape {given} and there are "
                f"{lanes if shape else 'no'} lanes; give one number, or one per lane."
            )

"""Who shares parameters with whom: from parameters to the logits of all questions.

Parameters start at 0 and are added to the base model's logits. To add a policy, write a
small class here.
"""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.problem import Problem
from simulator.reporting.display import Part
from simulator.validation import Given, real

__all__ = [
    "AbstractPolicy",
    "Linear",
    "PerQuestion",
    "Shared",
]

Logits = Float[Array, "Q K"]


class AbstractPolicy(Part):
    """Logits of every question, from parameters that questions may share.

    >>> issubclass(ro.Shared, ro.AbstractPolicy)
    True
    """

    @abstractmethod
    def start(self, problem: Problem) -> Array:
        """The parameters of the base model: zeros."""

    @abstractmethod
    def change(self, parameters: Array, problem: Problem) -> Logits:
        """Logits that the parameters add to those of the base model."""

    def pull(self, gradient: Logits, parameters: Array, problem: Problem) -> Array:
        """The gradient of the mean over questions in the parameters.

        From that of each question in its logits: the transpose of the derivative of
        `change`, over Q.
        """
        _, back = jax.vjp(lambda x: self.change(x, problem), parameters)
        (pulled,) = back(gradient / len(gradient))
        return pulled

    def log_probs(self, parameters: Array, problem: Problem) -> Logits:
        """`log pi` for each question."""
        base = problem.log_policy
        inside = base > -jnp.inf
        logits = jnp.where(inside, base, 0.0) + self.change(parameters, problem)
        return jax.nn.log_softmax(jnp.where(inside, logits, -jnp.inf))

    def check(self, problem: Problem) -> None:
        """Raise `ValueError` if the questions do not fit."""
        del problem


class PerQuestion(AbstractPolicy):
    """Each question has logits of its own and climbs its own objective.

    >>> ro.Recipe().policy
    PerQuestion()
    """

    def start(self, problem):
        return jnp.zeros_like(problem.success_rates)

    def change(self, parameters, problem):
        return parameters

    def pull(self, gradient, parameters, problem):
        del parameters, problem
        return gradient


class Shared(AbstractPolicy):
    """One logit per pattern for all questions; climbs the mean over questions.

    >>> problem = sim.Problem([[0.9, 0.1], [0.1, 0.9]], [[0.5, 0.5], [0.5, 0.5]])
    >>> recipe = ro.Recipe(policy=ro.Shared(), num_steps=20)
    >>> run = ro.train(problem, recipe)
    >>> bool((run.log_probs[0, 0] == run.log_probs[0, 1]).all())
    True
    """

    def start(self, problem):
        return jnp.zeros_like(problem.success_rates[0])

    def change(self, parameters, problem):
        return jnp.broadcast_to(parameters, problem.success_rates.shape)

    def pull(self, gradient, parameters, problem):
        del parameters, problem
        return jnp.mean(gradient, axis=0)


class Linear(AbstractPolicy):
    """Logits linear in features: `logits[q, k] = base[q, k] + features[q, k] . theta`.

    `features`: `[Q, K, D]`. Questions with overlapping features interfere. Climbs the
    mean over questions.

    >>> features = [[[1.0], [0.0]], [[0.0], [1.0]]]
    >>> problem = sim.Problem([[0.9, 0.1], [0.1, 0.9]], [[0.5, 0.5], [0.5, 0.5]])
    >>> recipe = ro.Recipe(policy=ro.Linear(features), num_steps=20)
    >>> ro.train(problem, recipe).log_probs.shape
    (1, 2, 2)
    """

    features: Given[Float[Array, "*B Q K D"]] = eqx.field(converter=real("features"))
    """Numbers of each pattern of each question, `[Q, K, D]`."""

    def start(self, problem):
        del problem
        return jnp.zeros(self.features.shape[-1:], self.features.dtype)

    def change(self, parameters, problem):
        return self.features @ parameters

    def pull(self, gradient, parameters, problem):
        del parameters, problem
        return jnp.einsum("qk,qkd->d", gradient, self.features) / len(gradient)

    def check(self, problem):
        shape = problem.success_rates.shape[-2:]
        given = self.features.shape
        if len(given) < 3 or given[-3:-1] != shape or given[-1] < 1:
            raise ValueError(
                f"`features` has shape {given}; {shape[0]} questions with {shape[1]} "
                f"patterns need {shape + ('D',)}."
            )
        if isinstance(self.features, jax.core.Tracer):
            return
        if not np.isfinite(np.asarray(self.features)).all():
            raise ValueError("`features` contain NaN or an infinity.")

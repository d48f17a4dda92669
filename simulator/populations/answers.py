"""A trained answer layer: patterns whose success rates move too."""

import jax.numpy as jnp

from simulator.populations.population import Population
from simulator.problem import Problem, two_answer_kernel
from simulator.rollouts.features import Weighted
from simulator.rollouts.policies import PerQuestion
from simulator.validation import Numbers, check_kind, real_array

__all__ = ["answer_layer"]


def answer_layer(problem: Problem, rate: Numbers) -> Population:
    """A problem whose answers are trained as well, at a relative `rate` alpha.

    A population for the signal `TrainedAnswers`: question 0 chooses the pattern,
    question 1 + k the answer of pattern k (right or wrong, or those of the problem's
    answer kernel). At `rate = 0` it is the problem itself. A batch of problems makes a
    batch of populations; `rate` is one number, or one per problem.

    Raises `ValueError` for other numbers of rates, or a rate that is not finite.

    >>> problem = sim.Problem([0.9, 0.5, 0.2], [0.1, 0.6, 0.3])
    >>> sim.answer_layer(problem, rate=0.1).problem.success_rates.shape
    (4, 3)
    """
    check_kind("problem", problem, Problem, "Problem(success_rates, policy)")
    rate = real_array("rate", rate)
    batch = problem.batch_shape
    if rate.shape not in ((), batch):
        raise ValueError(
            f"`rate` has shape {rate.shape} and the problems {batch}; give one number, "
            "or one per problem."
        )
    kernel = problem.answer_kernel
    if kernel is None:
        kernel = two_answer_kernel(problem.success_rates)
    number, answers = kernel.shape[-2:]
    width = max(number, answers)

    def joined(first, rows, fill):
        """Question 0 and the others, up to as many columns."""

        def filled(rows):
            pad = [(0, 0)] * (rows.ndim - 1) + [(0, width - rows.shape[-1])]
            return jnp.pad(rows, pad, constant_values=fill)

        return jnp.concatenate([filled(first[..., None, :]), filled(rows)], axis=-2)

    right = jnp.broadcast_to(jnp.arange(answers) == 0, kernel.shape)
    rates = joined(problem.success_rates, right.astype(kernel.dtype), 0.0)
    logits = joined(problem.log_policy, jnp.log(kernel), -jnp.inf)
    alpha = jnp.broadcast_to(rate[..., None], (*batch, number))
    weights = jnp.concatenate([jnp.ones((*batch, 1), alpha.dtype), alpha], axis=-1)
    return Population(Problem(rates, logits=logits), Weighted(PerQuestion(), weights))

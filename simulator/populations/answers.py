"""A trained answer layer: patterns whose success rates move too."""

import jax.numpy as jnp

from simulator.populations.population import Population
from simulator.problem import Problem, check_one, two_answer_kernel
from simulator.rollouts.features import Weighted
from simulator.rollouts.policies import PerQuestion
from simulator.validation import Numbers, real_array

__all__ = ["answer_layer"]


def answer_layer(problem: Problem, rate: Numbers) -> Population:
    """One problem whose answers are trained as well, at a relative `rate` alpha.

    A population for the signal `TrainedAnswers`: question 0 chooses the pattern,
    question 1 + k the answer of pattern k (right or wrong, or those of the problem's
    answer kernel). At `rate = 0` it is the problem itself.

    Raises `ValueError` for a batch of problems, or a rate that is not finite.

    >>> problem = sim.Problem([0.9, 0.5, 0.2], [0.1, 0.6, 0.3])
    >>> sim.answer_layer(problem, rate=0.1).problem.success_rates.shape
    (4, 3)
    """
    check_one(problem)
    kernel = problem.answer_kernel
    if kernel is None:
        kernel = two_answer_kernel(problem.success_rates)
    number, answers = kernel.shape
    width = max(number, answers)

    def filled(rows, fill):
        pad = ((0, 0), (0, width - rows.shape[-1]))
        return jnp.pad(rows, pad, constant_values=fill)

    right = jnp.broadcast_to(jnp.arange(answers) == 0, (number, answers))
    rates = jnp.concatenate(
        [
            filled(problem.success_rates[None], 0.0),
            filled(right.astype(kernel.dtype), 0.0),
        ]
    )
    logits = jnp.concatenate(
        [filled(problem.log_policy[None], -jnp.inf), filled(jnp.log(kernel), -jnp.inf)]
    )
    rate = real_array("rate", rate)
    weights = jnp.concatenate([jnp.ones(1, rate.dtype), jnp.full(number, rate)])
    return Population(Problem(rates, logits=logits), Weighted(PerQuestion(), weights))

"""A population: many questions, and the policy through which they share parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.engines.lanes import lane_axes, per_lane
from simulator.problem import Problem
from simulator.reporting import display
from simulator.rollouts.policies import AbstractPolicy, PerQuestion
from simulator.validation import Numbers, check_finite, check_kind, real_array, shown

if TYPE_CHECKING:
    from simulator.populations.solution import PopulationSolution

__all__ = ["Population"]


class Population(eqx.Module):
    """Q questions whose logits follow from shared parameters.

    - `problem`: success rates and base policies `[Q, K]`, or `[*B, Q, K]` for a batch
      of populations.
    - `policy`: who shares parameters with whom, of `simulator.rollouts`, like `Shared`,
      `Clusters`, `Features` (default `PerQuestion`). Its arrays may have the axes `*B`.
    - `parameters`: where to start; default the base model. See `at`.

    `simulator.solve_population` follows it.

    Raises `ValueError` if the policy does not fit the questions.

    >>> problem = sim.Problem([[0.9, 0.1], [0.2, 0.6]], [[0.3, 0.7], [0.5, 0.5]])
    >>> shared = sim.Population(problem, ro.Shared())
    >>> event = sim.Accuracy(0.54)
    >>> run = sim.solve_population(shared, sim.Verifiable(), until=event)
    >>> np.round(run.accuracy, 4)
    Array([0.8744, 0.2056], dtype=float64)
    """

    problem: Problem
    policy: AbstractPolicy
    parameters: Float[Array, "*B P"]

    def __init__(
        self,
        problem: Problem,
        policy: AbstractPolicy | None = None,
        *,
        parameters: Numbers | None = None,
    ):
        check_kind("problem", problem, Problem, "Problem(success_rates, policy)")
        if not problem.batch_shape:
            raise ValueError(
                "`problem` is one question; give rows of success rates, one per "
                "question."
            )
        if 0 in problem.batch_shape:
            raise ValueError("the batch of questions is empty; give at least one.")
        policy = PerQuestion() if policy is None else policy
        check_kind("policy", policy, AbstractPolicy, "Shared()")
        policy.check(problem)
        self.problem = problem
        self.policy = policy
        if parameters is None:
            parameters = jnp.zeros((*self.batch_shape, self.size), self.dtype)
        self.parameters = real_array("parameters", parameters)
        wanted = (*self.batch_shape, self.size)
        if self.parameters.shape != wanted:
            raise ValueError(
                f"`parameters` has shape {self.parameters.shape}; this policy has "
                f"{self.size}: give {wanted}."
            )
        check_finite("parameters", self.parameters)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The leading axes `*B`; `()` for one population."""
        return self.problem.batch_shape[:-1]

    @property
    def dtype(self) -> Any:
        """That of its numbers."""
        return self.problem.log_policy.dtype

    @property
    def num_questions(self) -> int:
        """`Q`."""
        return self.problem.batch_shape[-1]

    @property
    def size(self) -> int:
        """The number of parameters."""
        return int(np.prod(parameter_shape(self.problem, self.policy)))

    def log_probs(self) -> Float[Array, "*B Q K"]:
        """The policies `log pi` where it starts."""

        def one(problem, policy, parameters):
            shaped = parameters.reshape(parameter_shape(problem, policy))
            return policy.log_probs(shaped, problem)

        axes = lane_axes(self.policy)
        start = one
        for _ in self.batch_shape:
            start = eqx.filter_vmap(start, in_axes=(0, axes, 0))
        return start(self.problem, self.policy, self.parameters)

    def at(self, solution: PopulationSolution) -> Population:
        """The same population where a solution ended, to go on from there.

        >>> problem = sim.Problem([[0.9, 0.1], [0.2, 0.6]], [[0.3, 0.7], [0.5, 0.5]])
        >>> shared, rlvr = sim.Population(problem, ro.Shared()), sim.Verifiable()
        >>> first = sim.solve_population(shared, rlvr, until=sim.Accuracy(0.52))
        >>> there = shared.at(first)
        >>> on = sim.solve_population(there, rlvr, until=sim.Accuracy(0.54))
        >>> np.round(on.accuracy, 4)
        Array([0.8744, 0.2056], dtype=float64)
        """
        parameters = getattr(solution, "parameters", None)
        if parameters is None:
            raise ValueError(
                f"`solution` is {shown(solution)}; give one of `solve_population`."
            )
        return Population(self.problem, self.policy, parameters=parameters)

    def __repr__(self) -> str:
        sizes = [display.count(n, "population") for n in self.batch_shape]
        questions = display.count(self.num_questions, "question")
        title = ", ".join([*sizes, questions])
        patterns = self.problem.num_patterns
        return f"Population({title}, {patterns} patterns, {self.policy!r})"


def parameter_shape(problem: Problem, policy: AbstractPolicy) -> tuple[int, ...]:
    """The shape of the parameters of one population."""
    lanes = problem.batch_shape[:-1]
    one = problem[(0,) * len(lanes)] if lanes else problem
    # Arrays of the policy with axes `*B` first stand for as many policies.
    own = per_lane(lambda x: x[(0,) * len(lanes)], policy, lane_axes(policy))
    return own.start(one).shape

"""Rewards that depend on the policies of several questions at once.

Several choices, each with a softmax of its own, that are paid together: the levels of a
chain, two independent decisions, a pattern and its answers. A joint signal gives the
success of its tasks, and the reward of each choice, `rho[q, k] = dJ / dpi[q, k]` of the
objective `J`, so that the policy gradient of every choice is `pi (rho - rho_bar)`.
"""

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.clocks import AbstractClock
from simulator.engines.lanes import WHOLE
from simulator.numerics.logspace import log_sum
from simulator.problem import Problem
from simulator.reporting.display import Part
from simulator.rules import AbstractSignal
from simulator.validation import (
    Given,
    Numbers,
    check_finite,
    check_kind,
    real,
    real_array,
)

__all__ = [
    "AbstractJointSignal",
    "Chain",
    "CountBonus",
    "SuccessTable",
    "TrainedAnswers",
]

Policies = Float[Array, "Q K"]


class AbstractJointSignal(Part):
    """What every choice of a population is paid, given the policies of all questions.

    `has_tasks`: whether `success` is that of tasks, for which choices work together,
    and not that of each question.

    >>> issubclass(sim.Chain, sim.AbstractJointSignal)
    True
    """

    has_tasks: ClassVar[bool] = True

    @abstractmethod
    def success(self, problem: Problem, log_probs: Policies) -> Float[Array, " T"]:
        """The chance of success at each task."""

    @abstractmethod
    def rewards(
        self, problem: Problem, log_probs: Policies, memory: Float[Array, "Q K"]
    ) -> Policies:
        """The reward of each pattern of each question."""

    def remembers(self, problem: Problem) -> Float[Array, "R K"]:
        """The memory at the start, one row per question; without rows there is none."""
        return jnp.zeros((0, problem.num_patterns), problem.log_policy.dtype)

    def learns(
        self, log_probs: Policies, memory: Float[Array, "R K"]
    ) -> Float[Array, "R K"]:
        """The velocity of the memory."""
        del log_probs
        return jnp.zeros_like(memory)

    def check(self, problem: Problem) -> None:
        """Raise `ValueError` if this cannot be paid for the questions `[Q, K]`."""
        del problem


class Chain(AbstractJointSignal):
    """Tasks that succeed if every choice they need comes out right.

    Question l is level l of a chain; its patterns have the chance `s_lk` to take it, so
    that level l is right with `p_l = pi_l . s_l`, and task d with

        P_d = prod_{l in d} p_l,        rho_lk = sum_d w_d h(P_d) s_lk prod_{m != l} p_m

    where d goes over the tasks that need l. This is pattern selection over the product
    of all choices, with a policy that factorises.

    - `tasks`: `[T, Q]`, 1 where a task needs a level, else 0.
    - `weights`: `[T]`, the share w of each task in training (default 1/T).
    - `clock`: h, as of `GRPO(8)`; default 1.

    >>> problem = sim.Problem([[1.0, 0.0]] * 3, [[0.9, 0.1], [0.8, 0.2], [0.5, 0.5]])
    >>> chain = sim.Chain([[1, 0, 0], [1, 1, 1]])
    >>> np.round(chain.success(problem, problem.log_policy), 4)
    Array([0.9 , 0.36], dtype=float64)
    """

    tasks: Float[Array, "T Q"]
    weights: Float[Array, " T"]
    clock: AbstractClock | None

    def __init__(
        self,
        tasks: Numbers,
        weights: Numbers | None = None,
        clock: AbstractClock | None = None,
    ):
        self.tasks = real_array("tasks", tasks)
        if self.tasks.ndim != 2 or not np.isin(np.asarray(self.tasks), (0, 1)).all():
            raise ValueError(
                "`tasks` are rows of 0 and 1: give one row per task, with a 1 for each "
                "level that it needs."
            )
        number = self.tasks.shape[-2]
        even = np.full(number, 1 / number)
        self.weights = real_array("weights", even if weights is None else weights)
        self.clock = clock

    def _logs(self, problem, log_probs):
        """Log chances of the levels `[Q]` and of the tasks `[T]`."""
        inside = log_probs > -jnp.inf
        rates = jnp.where(inside, problem.success_rates, 0.0)
        failures = jnp.where(inside, 1 - problem.success_rates, 0.0)
        right, wrong = log_sum(log_probs, rates), log_sum(log_probs, failures)
        # Near 1 from the chance to fail, which may be less than rounding.
        near = jnp.log1p(-jnp.exp(jnp.minimum(wrong, jnp.log(0.5))))
        levels = jnp.where(wrong < jnp.log(0.5), near, right)
        needed = self.tasks > 0
        return levels, jnp.sum(jnp.where(needed, levels[None, :], 0.0), axis=1)

    def success(self, problem, log_probs):
        return jnp.exp(self._logs(problem, log_probs)[1])

    def rewards(self, problem, log_probs, memory):
        del memory
        levels, tasks = self._logs(problem, log_probs)
        needed = self.tasks > 0
        never = levels == -jnp.inf
        known = jnp.where(needed & ~never, levels, 0.0)
        rest = jnp.sum(known, axis=1, keepdims=True) - known
        if self.clock is not None:
            # Groups that are all right or all wrong pay nothing.
            both = (tasks > -jnp.inf) & (tasks < 0)
            held = jnp.where(both, tasks, -1.0)
            factor = jax.vmap(self.clock.log_factor)
            speed = factor(held, jnp.log(-jnp.expm1(held)))
            rest = rest + jnp.where(both, speed, -jnp.inf)[:, None]
        missing = jnp.sum(needed & never, axis=1, keepdims=True) - (needed & never)
        others = jnp.where(needed & (missing == 0), rest, -jnp.inf)
        share = jnp.sum(self.weights[:, None] * jnp.exp(others), axis=0)
        return share[:, None] * problem.success_rates

    def check(self, problem):
        questions = problem.batch_shape[-1]
        if self.tasks.shape[-1] != questions:
            raise ValueError(
                f"`tasks` has {self.tasks.shape[-1]} columns and there are {questions} "
                "levels; give one column per level."
            )
        if self.weights.shape != self.tasks.shape[:1]:
            raise ValueError(
                f"`weights` has shape {self.weights.shape} and there are "
                f"{self.tasks.shape[-2]} tasks; give one number per task."
            )
        check_finite("weights", self.weights)
        check_kind("clock", self.clock, AbstractClock | None, "GRPO(8)")


class SuccessTable(AbstractJointSignal):
    """Independent choices that are paid by one reward: success rates in a table.

    `rates`: `[K, K]` for two questions, `[K, K, K]` for three, and so on: the success
    rate for each combination. With policies pi, pi' the objective is `pi S pi'`, the
    rewards are `S pi'` and `S^T pi`. Attributes may be tables too, like
    `rates = S + 0.3 kappa`.

    >>> problem = sim.Problem(np.full((2, 2), 0.5), [[0.2, 0.8], [0.75, 0.25]])
    >>> table = sim.SuccessTable([[0.34, 0.42], [0.58, 0.54]])
    >>> np.round(table.success(problem, problem.log_policy), 4)
    Array([0.528], dtype=float64)
    """

    rates: Given[Float[Array, "*K"]] = eqx.field(
        converter=real("rates"), metadata={"ndim": WHOLE}
    )

    def success(self, problem, log_probs):
        del problem
        return self.mean(self.rates, log_probs)[None]

    @staticmethod
    def mean(table: Array, log_probs: Policies, but: int | None = None) -> Array:
        """The table's mean over the policies, of all questions `but` one."""
        number = len(log_probs)
        axes = "".join(chr(ord("a") + i) for i in range(number))
        rest = [i for i in range(number) if i != but]
        inner = ",".join([axes, *(axes[i] for i in rest)])
        result = "" if but is None else axes[but]
        shares = [jnp.exp(log_probs[i]) for i in rest]
        return jnp.einsum(f"{inner}->{result}", table, *shares)

    def rewards(self, problem, log_probs, memory):
        del problem, memory
        rows = [self.mean(self.rates, log_probs, i) for i in range(len(log_probs))]
        return jnp.stack(rows)

    def check(self, problem):
        questions, patterns = problem.batch_shape[-1], problem.num_patterns
        wanted = (patterns,) * questions
        if self.rates.shape != wanted:
            raise ValueError(
                f"`rates` has shape {self.rates.shape}; {questions} questions with "
                f"{patterns} patterns need {wanted}."
            )
        check_finite("rates", self.rates)


class TrainedAnswers(AbstractJointSignal):
    """A pattern, and an answer given the pattern: both are trained.

    Question 0 chooses a pattern; question 1 + k the answer of pattern k, of which
    answer 0 is correct. So the success rates `s_k` move: with `z_k` the log odds of the
    correct answer (two answers), `z_k' = 2 alpha pi_k s_k (1 - s_k)` at the relative
    rate alpha. See `answer_layer`, which puts the questions together.

    >>> problem = sim.Problem([0.9, 0.5, 0.2], [0.1, 0.6, 0.3])
    >>> population = sim.answer_layer(problem, rate=0.01)
    >>> run = sim.solve_population(
    ...     population, sim.TrainedAnswers(), until=sim.Accuracy(0.85)
    ... )
    >>> np.round(run.policy[1:, 0], 4)  # the success rates at that time
    Array([0.9027, 0.5208, 0.2024], dtype=float64)
    """

    def success(self, problem, log_probs):
        return jnp.sum(
            jnp.exp(
                log_probs[0, : self._patterns(problem)]
                + self._right(problem, log_probs)
            )
        )[None]

    @staticmethod
    def _patterns(problem: Problem) -> int:
        return problem.batch_shape[-1] - 1

    @staticmethod
    def _right(problem: Problem, log_probs: Policies) -> Float[Array, " K"]:
        del problem
        return log_probs[1:, 0]

    def rewards(self, problem, log_probs, memory):
        del memory
        number = self._patterns(problem)
        rewards = jnp.zeros_like(log_probs)
        rewards = rewards.at[0, :number].set(jnp.exp(log_probs[1:, 0]))
        return rewards.at[1:, 0].set(jnp.exp(log_probs[0, :number]))

    def check(self, problem):
        if problem.batch_shape[-1] - 1 > problem.num_patterns:
            raise ValueError(
                "`TrainedAnswers` needs one question for the pattern and one for the "
                "answers of each pattern; use `answer_layer`."
            )


class CountBonus(AbstractJointSignal):
    """A signal plus a bonus for what was rarely tried: `rho_k + b / sqrt(1 + n_k)`.

    The count n grows as `n_k' = pi_k`: in flow time, n_k rollouts of pattern k. It
    starts at 0 with every solution, so that a run cut in two is another run.

    - `signal`: what is paid without the bonus. `weight`: b, or one per question `[Q]`.

    >>> problem = sim.Problem([[0.9, 0.5, 0.2]], [[0.01, 0.7326, 0.2574]])
    >>> times = [
    ...     sim.solve_population(
    ...         sim.Population(problem),
    ...         sim.CountBonus(sim.Verifiable(), weight),
    ...         until=sim.OptimalProbability(0.5),
    ...     ).time
    ...     for weight in (0.0, 2.0)
    ... ]
    >>> [round(float(time)) for time in times]
    [665, 46]
    """

    has_tasks: ClassVar[bool] = False
    signal: AbstractSignal
    weight: Given[Float[Array, "*B"]] = eqx.field(converter=real("weight"))

    def success(self, problem, log_probs):
        return jnp.sum(jnp.exp(log_probs) * problem.success_rates, axis=-1)

    def rewards(self, problem, log_probs, memory):
        from simulator.populations.dynamics import of_each_question

        paid = of_each_question(self.signal.paid, self.signal, problem, log_probs)
        return paid + self.weight[..., None] * jnp.exp(-memory / 2)

    def remembers(self, problem):
        return jnp.zeros_like(problem.log_policy)

    def learns(self, log_probs, memory):
        # Of log(1 + n), which grows slowly.
        return jnp.exp(log_probs - memory)

    def check(self, problem):
        check_kind("signal", self.signal, AbstractSignal, "Verifiable()")
        self.signal.check(problem)
        check_finite("weight", self.weight)

"""A sampled group of rollouts, as counts.

Rollouts of one question that chose the same pattern, gave the same answer and met the
same verdict are interchangeable. So a group is a table of counts `[K, M]`: `K` patterns
and `M` results, a result being an answer and the verdict of the verifier on it. Without
an answer kernel there are two answers, right and wrong.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from simulator.problem import Problem, two_answer_kernel
from simulator.rollouts.draws import threefry
from simulator.rollouts.draws.multinomial import multinomial
from simulator.validation import check_kind, real_array

__all__ = [
    "Group",
    "Results",
    "results",
]


def rounding(dtype) -> float:
    """Threshold below which a difference of O(1) numbers is treated as rounding.

    2e-13 in float64, 1e-4 in float32.
    """
    return 1024 * float(jnp.finfo(dtype).eps)


class Results(eqx.Module):
    """Possible results of a rollout, and their probabilities for each pattern.

    - `chance`: `[K, M]`, rows sum to 1.
    - `answer`, `passed`: for each of the `M` results its answer (0 is right) and
      whether the verifier says right; the same for all questions.

    >>> found = ro.results(sim.Problem([0.9, 0.1], [0.2, 0.8]))
    >>> found.answer, found.passed
    ((0, 1), (True, False))
    """

    chance: Float[Array, "K M"]
    answer: tuple[int, ...] = eqx.field(static=True)
    passed: tuple[bool, ...] = eqx.field(static=True)

    @property
    def one_hot(self) -> np.ndarray:
        """`[A, M]`: 1 where the result has the answer."""
        answers = np.asarray(self.answer)
        return (np.arange(answers.max() + 1)[:, None] == answers) * 1.0


def results(problem: Problem, noise: tuple[Any, Any] | None = None) -> Results:
    """The results of one question.

    `noise`: chances `[K]` that a wrong answer passes, and that a right one does not;
    with `None` the verdict is the truth and needs no results of its own.

    >>> np.round(ro.results(sim.Problem([0.9, 0.1], [0.2, 0.8])).chance, 4).tolist()
    [[0.9, 0.1], [0.1, 0.9]]
    """
    check_kind("problem", problem, Problem, "Problem(success_rates, policy)")
    kernel = problem.answer_kernel
    if kernel is None:
        kernel = two_answer_kernel(problem.success_rates)
    answers = kernel.shape[-1]
    right = [answer == 0 for answer in range(answers)]
    if noise is None:
        return Results(kernel, tuple(range(answers)), tuple(right))
    wrong_passes, right_fails = (
        real_array("noise", chance)[..., None] for chance in noise
    )
    passes = jnp.where(jnp.asarray(right), 1 - right_fails, wrong_passes)
    chance = jnp.concatenate([kernel * passes, kernel * (1 - passes)], axis=-1)
    verdicts = (True,) * answers + (False,) * answers
    return Results(chance, 2 * tuple(range(answers)), verdicts)


class Group(eqx.Module):
    """One group, with all that a reward or an estimator may look at.

    - `problem`: the question. `results`: what its rollouts can end in.
    - `log_probs`: `[K]`, the policy that was sampled. `teacher`: `[K]`, the policy that
      judges where the reward asks for one.
    - `counts`: `[K, M]`, how many rollouts chose which pattern and ended how.
    - `priority`: `[A]`, random order of the answers, which breaks ties of a vote.
    - `size`: `G`, the number of rollouts.
    - `question`: the number of the question among those that are trained together.
      `redrawn`: how many groups were drawn before this one, and thrown away.

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> counts = jnp.array([[2.0, 0.0], [1.0, 1.0]])
    >>> group = ro.Group(
    ...     problem,
    ...     ro.results(problem),
    ...     problem.log_policy,
    ...     problem.log_policy,
    ...     counts,
    ...     jnp.zeros(2),
    ...     4,
    ... )
    >>> group.votes.tolist(), float(group.mean(ro.Verifier()(group)))
    ([3.0, 1.0], 0.75)
    """

    problem: Problem
    results: Results
    log_probs: Float[Array, " K"]
    teacher: Float[Array, " K"]
    counts: Float[Array, "K M"]
    priority: Float[Array, " A"]
    size: int = eqx.field(static=True)
    question: Int[Array, ""] = eqx.field(default=0, converter=jnp.asarray)
    redrawn: Int[Array, ""] = eqx.field(default=0, converter=jnp.asarray)

    @property
    def votes(self) -> Float[Array, " A"]:
        """How many rollouts gave each answer."""
        one_hot = jnp.asarray(self.results.one_hot, self.counts.dtype)
        return one_hot @ jnp.sum(self.counts, axis=0)

    @property
    def answer_chances(self) -> Float[Array, "K A"]:
        """The chance of each answer given the pattern."""
        one_hot = jnp.asarray(self.results.one_hot, self.counts.dtype)
        return self.results.chance @ one_hot.T

    def mean(self, values: Float[Array, "K M"]) -> Float[Array, ""]:
        """Mean of `values` over the rollouts."""
        return jnp.sum(self.counts * self.seen(values)) / self.size

    def all_equal(self, values: Float[Array, "K M"]) -> Array:
        """Whether `values` are the same for all rollouts, except for rounding.

        Relative to 1 at least: the terms that were added up are not known here, as they
        are to a signal (`simulator.numerics.ties`).
        """
        seen = self.counts > 0
        most = jnp.max(jnp.where(seen, values, -jnp.inf))
        least = jnp.min(jnp.where(seen, values, jnp.inf))
        size = jnp.maximum(jnp.maximum(jnp.abs(most), jnp.abs(least)), 1.0)
        close = most - least <= rounding(size.dtype) * size
        return (most == least) | (close & jnp.isfinite(size))

    def seen(self, values: Float[Array, "K M"]) -> Float[Array, "K M"]:
        """`values` where the group has rollouts, else 0.

        A cell without rollouts may be worth infinity.
        """
        return jnp.where(self.counts > 0, values, 0.0)


def draw_counts(
    key: Key[Array, ""],
    results: Results,
    log_probs: Float[Array, " K"],
    size: int,
) -> Float[Array, "K M"]:
    """The counts of `size` independent rollouts of one question."""
    cells = jnp.exp(log_probs)[:, None] * results.chance
    return multinomial(key, cells.ravel(), size).reshape(cells.shape)


def draw_priority(key: Key[Array, ""], results: Results, dtype) -> Float[Array, " A"]:
    """A random order of the answers."""
    return threefry.uniform(threefry.words(key), max(results.answer) + 1, dtype)

"""The exact mean of one training step, by going through all groups.

A group of `G` rollouts over `C` cells has `binomial(G + C - 1, C - 1)` tables of
counts; each is weighed by its multinomial probability, votes by all orders of the
answers that may break a tie. No sampling, no formula of the estimators.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.engines.lanes import lane_axes
from simulator.engines.requests import check_functions
from simulator.problem import Problem
from simulator.rollouts.draws.multinomial import LARGEST_GROUP
from simulator.rollouts.feedback import MajorityVote
from simulator.rollouts.groups import Group
from simulator.rollouts.recipe import Recipe, check_lanes
from simulator.rollouts.step import move, possible_results, start
from simulator.validation import check_kind, check_whole

__all__ = [
    "all_counts",
    "expected_step",
]

MOST_GROUPS = 2_000_000


def all_counts(size: int, cells: int) -> np.ndarray:
    """Every way `[N, C]` to put `size` rollouts into `cells` cells.

    Raises `ValueError` beyond two million ways.

    >>> ro.all_counts(2, 3).tolist()
    [[0, 0, 2], [0, 1, 1], [0, 2, 0], [1, 0, 1], [1, 1, 0], [2, 0, 0]]
    """
    size = check_whole("size", size, 1, LARGEST_GROUP)
    cells = check_whole("cells", cells, 1, MOST_GROUPS)
    number = math.comb(size + cells - 1, cells - 1)
    _check_room(number, f"groups of {size} in {cells} cells")
    each = itertools.combinations(range(size + cells - 1), cells - 1)
    bars = np.fromiter(
        itertools.chain.from_iterable(each), np.int64, number * (cells - 1)
    ).reshape(number, cells - 1)
    edges = np.concatenate(
        [np.full((number, 1), -1), bars, np.full((number, 1), size + cells - 1)], axis=1
    )
    return np.diff(edges, axis=1) - 1


def expected_step(
    problem: Problem,
    recipe: Recipe,
    observe: Callable[[Float[Array, " K"], Float[Array, " K"]], Any] | None = None,
) -> Any:
    """Mean `[K]` of what one step from the base model adds to the logits.

    With `observe`, the mean of `observe(log_probs before, log_probs after)` instead.
    `problem` is one question `[K]`. All epochs on the batch and redraws count (a group
    of the only question is replaced by another one of it); the optimizer starts fresh.

    Raises `ValueError` if the recipe cannot be used, or has too many groups.

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> recipe = ro.Recipe(estimator=ro.RLOO(), group_size=4, learning_rate=1.0)
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.128, -0.128], dtype=float64)
    """
    check_kind("problem", problem, Problem, "Problem(success_rates, policy)")
    check_kind("recipe", recipe, Recipe, "Recipe()")
    check_functions(observe=observe)
    if problem.batch_shape:
        raise ValueError("the expectation is for one question; give no batch axes.")
    question = jax.tree.map(lambda leaf: leaf[None], problem)
    recipe.check(question)
    check_lanes(lane_axes(recipe), recipe, "the recipe", ())
    cells = jax.eval_shape(lambda p: possible_results(p, recipe), question)
    patterns, results = cells.chance.shape[1:]
    counts = all_counts(recipe.group_size, patterns * results)
    answers = max(cells.answer) + 1
    orders = np.arange(answers)[None]
    if _votes(recipe.feedback):
        number = len(counts) * math.factorial(answers)
        _check_room(number, f"orders of {answers} answers in all groups")
        orders = np.array(list(itertools.permutations(range(answers))))
    return _mean_step(question, recipe, counts, (1 + orders) / (1 + answers), observe)


def _check_room(number: int, what: str) -> None:
    if number > MOST_GROUPS:
        raise ValueError(
            f"{number:,} {what} are too many to go through (at most {MOST_GROUPS:,}); "
            "take a smaller group, fewer patterns or fewer answers."
        )


def _votes(feedback) -> bool:
    """Whether ties may have to be broken."""
    parts = jax.tree.leaves(feedback, is_leaf=lambda x: isinstance(x, MajorityVote))
    return any(isinstance(part, MajorityVote) for part in parts)


@eqx.filter_jit
def _mean_step(question, recipe, counts, priorities, observe):
    outcomes = possible_results(question, recipe)
    begin = start(question, recipe)
    dtype = question.log_policy.dtype
    one = jax.tree.map(lambda leaf: leaf[0], (question, outcomes))
    log_probs = recipe.policy.log_probs(begin.parameters, question)[0]
    cells = log_probs[:, None] + jnp.log(one[1].chance)
    log_factorial = jnp.asarray(
        [math.lgamma(n + 1) for n in range(recipe.group_size + 1)], dtype
    )

    def group(table, priority):
        table = table.reshape(cells.shape).astype(dtype)
        size = recipe.group_size
        lone, results = one
        return Group(lone, results, log_probs, log_probs, table, priority, size)

    def visit(table):
        number = table.reshape(cells.shape)
        log_weight = jnp.sum(
            jnp.where(number > 0, number.astype(cells.dtype) * cells, 0.0)
            - log_factorial[number]
        )
        weight = jnp.exp(log_weight + log_factorial[recipe.group_size])

        def step(priority):
            drawn = group(table, priority.astype(dtype))
            equal = drawn.all_equal(recipe.feedback(drawn))
            drawn = jax.tree.map(lambda leaf: leaf[None], drawn)
            after = move(question, recipe, begin, drawn)
            if observe is None:
                moved = after.parameters - begin.parameters
                seen = recipe.policy.change(moved, question)[0]
            else:
                new = recipe.policy.log_probs(after.parameters, question)[0]
                seen = observe(log_probs, new)
            # A group that cannot happen may be worth infinity.
            seen = jax.tree.map(lambda x: jnp.where(weight > 0, x, 0.0), seen)
            mixed = jax.tree.map(lambda x: jnp.where(equal, 0.0, x), seen)
            same = jax.tree.map(lambda x: jnp.where(equal, x, 0.0), seen)
            return mixed, same, equal.astype(dtype)

        parts = jax.vmap(step)(priorities)
        return jax.tree.map(lambda x: weight * jnp.mean(x, axis=0), parts)

    parts = jax.lax.map(visit, jnp.asarray(counts), batch_size=4096)
    mixed, same, equal = jax.tree.map(lambda rows: jnp.sum(rows, axis=0), parts)
    again = equal**recipe.redraws
    # After r redraws a group of equal rewards is left with probability equal^(r + 1).
    tries = sum(equal**turn for turn in range(recipe.redraws + 1))
    return jax.tree.map(lambda m, s: m * tries + s * again, mixed, same)

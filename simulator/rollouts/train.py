"""Training from sampled groups: many questions, seeds and recipes at once."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from simulator.engines import sharing
from simulator.engines.lanes import lane_axes, per_lane
from simulator.engines.requests import check_functions
from simulator.numerics import compiler
from simulator.problem import Problem
from simulator.recording import AbstractFirst
from simulator.rollouts.draws import threefry
from simulator.rollouts.recipe import Recipe, check_lanes
from simulator.rollouts.run import Run
from simulator.rollouts.step import (
    draw,
    keep_going,
    move,
    possible_results,
    start,
)
from simulator.validation import check_kind, check_whole, given_array, is_traced, shown

__all__ = [
    "seed_keys",
    "train",
]

NARROWEST, WIDEST = 8, 1024  # lanes that one device trains at once
CELLS = 2**15  # at most about so many counts on their way at once
# XLA's library of sums (YNNPACK) takes long for sums over a few patterns or results.
LOOPS = {"xla_cpu_experimental_ynn_fusion_type": ""}


def train(
    problem: Problem,
    recipe: Recipe,
    *,
    seed: int = 0,
    num_seeds: int = 1,
    keys: Key[Array, "n S"] | None = None,
    save_at: Sequence[int] | np.ndarray | None = None,
    observe: Callable[[Problem, Float[Array, "Q K"]], Any] | None = None,
    until: AbstractFirst | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Run:
    """Train every lane of `problem` with `num_seeds` seeds.

    `problem`: success rates `[K]` (one question), `[Q, K]` (Q questions, trained
    together) or `[*B, Q, K]` (lanes). `recipe`: what is done in each step; its numbers
    may have a leading axis of lanes `B`. `observe(problem, log_probs)` is called after
    the numbers of steps in `save_at` (default: only at the end); the default keeps
    `log_probs`, `[Q, K]`.

    With an event `until`, `first_step` tells after which step it held first, looked at
    after every one of them; the run goes on, and its numbers are the same. Accuracy,
    optimal probability and suboptimal mass are those of the mean over the questions (of
    those that have better and worse patterns). Other events are of one question, and
    those that look at rewards or at a velocity have no meaning here. Its numbers may
    have one row per lane, like those of `recipe`.

    `progress(done, total)` is called after every block of runs.

    A lane's result depends on `seed`, the number of the lane and the number of its
    seed, not on the other lanes or on the number of devices. `keys`, one row per lane,
    may be given instead of both numbers; see `seed_keys`.

    Raises `ValueError` for anything that cannot be run.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> run = ro.train(
    ...     problem, ro.Recipe(num_steps=100), num_seeds=3, save_at=[50, 100]
    ... )
    >>> run.outcome_counts, run.saved.shape
    ({'horizon': 3}, (3, 2, 1, 3))
    >>> ro.train(problem, ro.Recipe(), until=sim.Accuracy(0.6)).first_step.shape
    (1,)
    """
    check_kind("problem", problem, Problem, "Problem(success_rates, policy)")
    check_kind("recipe", recipe, Recipe, "Recipe()")
    check_functions(observe=observe, progress=progress)
    if any(map(is_traced, jax.tree.leaves((problem, recipe, until, keys, seed)))):
        raise ValueError(
            "`train` puts its own programs together and cannot be part of one: call it "
            "outside of `jit`, `vmap` and `grad`, with all lanes at once."
        )
    if keys is not None:
        num_seeds = _seeds(keys)
    num_seeds = check_whole("num_seeds", num_seeds, 1, 2**31 - 1)
    if not problem.batch_shape:
        problem = jax.tree.map(lambda leaf: leaf[None], problem)
    if 0 in problem.batch_shape:
        raise ValueError("the batch of problems is empty; give at least one.")
    recipe.check(problem)
    saved_steps = _steps_to_save(save_at, recipe.num_steps)
    _check_observed(observe, problem)
    shape = problem.batch_shape[:-1]
    lanes = int(np.prod(shape))
    flat = jax.tree.map(lambda x: x.reshape(lanes, *x.shape[len(shape) :]), problem)
    # One program for all lengths of a run.
    stops = jnp.append(jnp.asarray(saved_steps), recipe.num_steps)
    asked, questions = recipe, problem
    how = dataclasses.replace(recipe, num_steps=1), until
    axes = tuple(map(lane_axes, how))
    for name, part, own in zip(("the recipe", "`until`"), how, axes, strict=True):
        check_lanes(own, part, name, shape)
    _check_until(until, problem)
    if keys is None:
        keys = seed_keys(seed, jnp.arange(lanes)[:, None], jnp.arange(num_seeds))
    if keys.shape != (lanes, num_seeds):
        raise ValueError(
            f"`keys` has shape {keys.shape}; give one row per lane, {(lanes, 'S')}."
        )
    keys = keys.ravel()

    def rows(index):
        lane = index // num_seeds
        problems = jax.tree.map(lambda x: x[lane], flat)
        own = per_lane(lambda x: x[lane], how, axes)
        return problems, own, jax.random.key_data(keys[index]), stops

    def block(rows, devices):
        return _program(devices[0].platform)(*rows, axes, observe, devices)

    widest = min(WIDEST, CELLS // _cells(flat))
    found = sharing.in_blocks(
        lanes * num_seeds, block, rows, widest, NARROWEST, progress
    )
    outcome, log_probs, groups, first_step, saved = jax.tree.map(
        lambda x: x.reshape((*shape, num_seeds, *x.shape[1:])), found
    )
    return Run(
        outcome,
        log_probs,
        groups,
        saved_steps,
        saved,
        questions,
        asked,
        observe,
        until,
        first_step,
    )


def _seeds(keys: Any) -> int:
    """How many seeds each row of `keys` has; `ValueError` if they cannot be used."""
    kind = isinstance(keys, jax.Array) and jnp.issubdtype(
        keys.dtype, jax.dtypes.prng_key
    )
    if not kind or not keys.ndim:
        raise ValueError(
            f"`keys` is {shown(keys)}; give one row of keys per lane, like "
            "jax.random.split(jax.random.key(0), (lanes, seeds))."
        )
    if (name := str(jax.random.key_impl(keys))) != threefry.KIND:
        raise ValueError(
            f"`keys` are of the kind {name!r}; take `jax.random.key(seed, "
            f"impl={threefry.KIND!r})`."
        )
    return keys.shape[-1]


def _steps_to_save(save_at: Any, last: int) -> np.ndarray:
    """The numbers of steps after which to save; `ValueError` if they are none."""
    try:
        steps = np.asarray([last] if save_at is None else save_at)
    except (TypeError, ValueError):  # rows of unequal length
        steps = np.zeros(0)
    whole = steps.ndim == 1 and len(steps) and np.issubdtype(steps.dtype, np.integer)
    if not whole or not ((np.diff(steps, prepend=0) > 0).all() and steps[-1] <= last):
        raise ValueError(
            f"`save_at` = {shown(save_at)} must be whole numbers of steps that rise "
            f"from 1 or more to at most `num_steps` = {last}."
        )
    return steps


def _check_observed(observe: Callable | None, problem: Problem) -> None:
    """Raise `ValueError` if what is observed cannot be saved."""
    if observe is None:
        return
    one = jax.tree.map(lambda x: x[(0,) * (len(problem.batch_shape) - 1)], problem)
    seen: list[Any] = []  # `eval_shape` makes arrays of some things that are none
    jax.eval_shape(lambda p, x: seen.append(observe(p, x)), one, one.log_policy)
    for leaf in jax.tree.leaves(seen):
        if not isinstance(leaf, jax.Array | np.ndarray | int | float):
            raise ValueError(
                f"`observe` returns {shown(leaf)}; let it make arrays of `problem` and "
                "`log_probs` [Q, K], one or several by name."
            )


def _check_until(until: AbstractFirst | None, problem: Problem) -> None:
    """Raise `ValueError` if the event has no meaning for these questions."""
    if until is None:
        return
    check_kind("until", until, AbstractFirst, "Accuracy(0.5)")
    until.check(problem)
    one = jax.tree.map(lambda x: x[(0,) * (len(problem.batch_shape) - 1)], problem)
    event = per_lane(lambda x: x[0], until, lane_axes(until))
    try:
        jax.eval_shape(event.in_training, one, one.log_policy)
    except ValueError as error:
        raise ValueError(
            f"`until` = {shown(until)} has no meaning here: {error}; give another "
            "event, like Accuracy(0.5)."
        ) from None


def _cells(problem: Problem) -> int:
    """How many numbers a lane has."""
    questions, patterns = problem.success_rates.shape[1:]
    kernel = problem.answer_kernel
    return questions * patterns * (2 if kernel is None else kernel.shape[-1])


def seed_keys(
    seed: int,
    lanes: Int[Array | np.ndarray, "..."] | int,
    seeds: Int[Array | np.ndarray, "..."] | int,
) -> Key[Array, "..."]:
    """The random keys of runs, by the number of the lane and that of the seed.

    The two are broadcast against each other.

    Raises `ValueError` for a seed that is no whole number from 0.

    >>> ro.seed_keys(0, jnp.arange(2)[:, None], jnp.arange(3)).shape
    (2, 3)
    """
    check_whole("seed", seed, 0, 2**63 - 1)
    for name, numbers in (("lanes", lanes), ("seeds", seeds)):
        if not jnp.issubdtype(given_array(name, numbers).dtype, jnp.integer):
            raise ValueError(f"`{name}` are {shown(numbers)}; give whole numbers.")
    fold = jax.vmap(jax.random.fold_in)
    lane, each = jnp.broadcast_arrays(lanes, seeds)
    root = jnp.broadcast_to(jax.random.key(seed, impl=threefry.KIND), (lane.size,))
    return fold(fold(root, lane.ravel()), each.ravel()).reshape(lane.shape)


@functools.cache
def _program(platform):
    jit: Any = eqx.filter_jit  # hands options on that its annotations leave out
    return jit(_block, compiler_options=compiler.cpu_options(platform, **LOOPS))


def _block(problems, how, bits, stops, axes, observe, devices):
    numbers, rest = eqx.partition(how, eqx.is_array)

    def share(lanes):
        problems, numbers, bits, stops = lanes
        how = eqx.combine(numbers, rest)
        keys = jax.random.wrap_key_data(bits, impl=threefry.KIND)

        def one(problem, how, key):
            return _one(problem, how, key, stops, observe)

        return eqx.filter_vmap(one, in_axes=(0, axes, 0))(problems, how, keys)

    lanes = problems, numbers, bits, stops
    all_axes = lane_axes(problems), axes, 0, None
    return sharing.shared_out(share, lanes, all_axes, devices)


def _one(problem, how, key, stops, observe):
    """One lane, one seed: outcome, final policy, groups, first step, what was saved.

    `stops`: the numbers of steps after which to save, and the last step of all.
    """
    recipe, until = how
    outcomes = possible_results(problem, recipe)

    def log_probs(state):
        return recipe.policy.log_probs(state.parameters, problem)

    def holds(state):
        # Not one piece with the step, whose rounding must not depend on it.
        parameters = jax.lax.optimization_barrier(state.parameters)
        seen = recipe.policy.log_probs(parameters, problem)
        return until.in_training(problem, seen) >= 0

    def one_step(number, carry):
        state, first = carry
        groups = draw(key, number, problem, outcomes, recipe, state)
        state = keep_going(state, move(problem, recipe, state, groups))
        if until is not None:
            first = jnp.where((first < 0) & holds(state), number + 1, first)
        return state, first

    def block(carry, stop):
        state, done = carry
        state = jax.lax.fori_loop(done, stop, one_step, state)
        seen = log_probs(state[0])
        return (state, stop), seen if observe is None else observe(problem, seen)

    base, never = start(problem, recipe), jnp.full_like(stops[0], -1)
    first = None if until is None else jnp.where(holds(base), 0, never)
    begin = (base, first), jnp.zeros_like(stops[0])
    (carry, done), saved = jax.lax.scan(block, begin, stops[:-1])
    state, first = jax.lax.fori_loop(done, stops[-1], one_step, carry)
    return state.outcome, log_probs(state), state.groups, first, saved

"""One training step: draw a group per question, then move the parameters."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from simulator.problem import Problem
from simulator.rollouts import threefry
from simulator.rollouts.groups import (
    Group,
    Results,
    draw_counts,
    draw_priority,
    results,
)
from simulator.rollouts.recipe import Recipe
from simulator.solution import Outcome

VOTES = 2**31 - 1  # more than any number of redraws
LARGEST_STEP = 50.0  # of a logit at once: odds change by e^50


class State(eqx.Module):
    """What the next step needs. `outcome` is `horizon` as long as all is well."""

    parameters: Array
    teacher: Array
    optimizer: Any
    outcome: Outcome


def start(problem: Problem, recipe: Recipe) -> State:
    """The base model."""
    parameters = recipe.policy.start(problem)
    optimizer = recipe.transformation().init(parameters)
    return State(parameters, parameters, optimizer, Outcome.horizon)


def possible_results(problem: Problem, recipe: Recipe) -> Results:
    """What rollouts can end in, `chance` with a leading axis of questions."""
    noise = recipe.feedback.noise(problem)
    return jax.vmap(results)(problem, noise)


def draw(
    key: Key[Array, ""],
    number: Int[Array, ""],
    problem: Problem,
    outcomes: Results,
    recipe: Recipe,
    state: State,
) -> Group:
    """A group for every question; all leaves have a leading axis of questions.

    `number` is that of the step, and decides on the randomness together with `key`.
    """
    log_probs = recipe.policy.log_probs(state.parameters, problem)
    teacher = recipe.policy.log_probs(state.teacher, problem)

    def one(index, problem, outcomes, log_probs, teacher):
        own = threefry.fold_in(key, index)

        def attempt(key):
            counts = draw_counts(key, outcomes, log_probs, size)
            vote_key = threefry.fold_in(key, VOTES)
            priority = draw_priority(vote_key, outcomes, counts.dtype)
            return counts, priority

        def group(counts, priority):
            return Group(problem, outcomes, log_probs, teacher, counts, priority, size)

        def again(carry):
            turn, drawn = carry
            drawn = group(*drawn)
            return (turn <= recipe.redraws) & drawn.all_equal(recipe.feedback(drawn))

        def redraw(carry):
            turn, _ = carry
            return turn + 1, attempt(threefry.fold_in(own, turn))

        drawn = attempt(own)
        if recipe.redraws:
            _, drawn = jax.lax.while_loop(again, redraw, (1, drawn))
        return group(*drawn)

    size = recipe.group_size
    count = len(log_probs)
    # Folded in at once: hashing is a good part of the cost of a small group.
    questions = number * count + jnp.arange(count)
    return jax.vmap(one)(questions, problem, outcomes, log_probs, teacher)


def advantages(recipe: Recipe, group: Group) -> Float[Array, "K M"]:
    """The advantages of one group, penalties inside the reward included."""
    rewards = recipe.feedback(group)
    for penalty in recipe.penalties:
        rewards = rewards + penalty.reward(group)[:, None]
    return recipe.estimator(group, rewards)


def move(problem: Problem, recipe: Recipe, state: State, groups: Group) -> State:
    """The state after one batch of groups, one per question: all epochs on it."""
    optimizer = recipe.transformation()
    known = jax.vmap(lambda group: advantages(recipe, group))(groups)

    def ascent(group, advantages, log_probs):
        gradient = recipe.surrogate(group, advantages, log_probs)
        for penalty in recipe.penalties:
            pull = penalty.gradient(group, log_probs)
            gradient = gradient + recipe.surrogate.steered(pull, log_probs)
        return gradient

    def epoch(carry, log_probs):
        parameters, memory = carry
        gradient = recipe.policy.pull(jax.vmap(ascent)(groups, known, log_probs))
        change, memory = optimizer.update(-gradient, memory, parameters)
        change = jax.tree.map(lambda x: recipe.learning_rate * x, change)
        return optax.apply_updates(parameters, change), memory

    def later_epoch(carry, _):
        return epoch(carry, recipe.policy.log_probs(carry[0], problem)), None

    # The first epoch is at the policy that was sampled.
    carry = epoch((state.parameters, state.optimizer), groups.log_probs)
    more = recipe.surrogate.epochs - 1
    if more:
        carry, _ = jax.lax.scan(later_epoch, carry, length=more)
    parameters, memory = carry
    decay = recipe.teacher_decay
    teacher = decay * state.teacher + (1 - decay) * parameters
    step = recipe.policy.change(parameters - state.parameters, problem)
    finite = jnp.all(jnp.isfinite(parameters))
    outcome = Outcome.where(
        jnp.max(jnp.abs(step)) <= LARGEST_STEP, Outcome.horizon, Outcome.oversized
    )
    outcome = Outcome.where(finite, outcome, Outcome.nonfinite)
    return State(parameters, teacher, memory, outcome)


def keep_going(old: State, new: State) -> State:
    """`new`, unless the old or the new state is spoilt: then the old parameters."""
    going = old.outcome == Outcome.horizon
    outcome = Outcome.where(going, new.outcome, old.outcome)
    good = going & (new.outcome == Outcome.horizon)
    kept = jax.tree.map(
        lambda a, b: jnp.where(good, a, b),
        (new.parameters, new.teacher, new.optimizer),
        (old.parameters, old.teacher, old.optimizer),
    )
    return State(*kept, outcome)

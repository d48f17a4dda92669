"""One training step: draw a group per question, then move the parameters."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from simulator.outcome import Outcome
from simulator.problem import Problem
from simulator.rollouts.draws import threefry
from simulator.rollouts.groups import (
    Group,
    Results,
    draw_counts,
    draw_priority,
    results,
)
from simulator.rollouts.recipe import Recipe

__all__ = [
    "Tally",
]

VOTES = 2**31 - 1  # more than any number of redraws
QUESTIONS = VOTES - 1  # and so is this
LARGEST_STEP = 50.0  # of a logit at once: odds change by e^50


class Tally(eqx.Module):
    """How many groups were drawn, by what became of them.

    - `used`: groups that moved the parameters. `idle`: those of them whose feedback is
      equal for all rollouts, so that they teach nothing.
    - `redrawn`: groups whose feedback was equal, which were thrown away and drawn again
      (of the same question, or of another one: see `Recipe`).

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> run = ro.train(problem, ro.Recipe(num_steps=100))
    >>> int(run.groups.used[0]), int(run.groups.redrawn[0])
    (100, 0)
    """

    used: Int[Array, "*B"]
    idle: Int[Array, "*B"]
    redrawn: Int[Array, "*B"]


class State(eqx.Module):
    """State carried to the next step; `outcome` is `horizon` while all is well."""

    parameters: Array
    teacher: Array
    optimizer: Any
    outcome: Outcome
    groups: Tally


def start(problem: Problem, recipe: Recipe) -> State:
    """The base model."""
    parameters = recipe.policy.start(problem)
    optimizer = recipe.transformation().init(parameters)
    none = jnp.zeros((), jnp.int32)
    tally = Tally(none, none, none)
    return State(parameters, parameters, optimizer, Outcome.horizon, tally)


def possible_results(problem: Problem, recipe: Recipe) -> Results:
    """Possible results of a rollout; `chance` has a leading axis of questions."""
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

    One whose feedback is equal for all rollouts is drawn again, if the recipe says so.
    `number` is that of the step, and decides on the randomness together with `key`.
    """
    log_probs = recipe.policy.log_probs(state.parameters, problem)
    teacher = recipe.policy.log_probs(state.teacher, problem)
    all_questions = problem, outcomes, log_probs, teacher

    def one(index, question, asked):
        own = threefry.fold_in(key, index)

        def about(question):
            if not recipe.replaced:
                return asked
            return jax.tree.map(lambda leaf: leaf[question], all_questions)

        def attempt(key, question, turn):
            _, outcomes, log_probs, _ = about(question)
            counts = draw_counts(key, outcomes, log_probs, size)
            vote_key = threefry.fold_in(key, VOTES)
            priority = draw_priority(vote_key, outcomes, counts.dtype)
            return counts, priority, question, turn

        def group(counts, priority, question, turn):
            asked, outcomes, log_probs, teacher = about(question)
            drawn = counts, priority, size, question, turn
            return Group(asked, outcomes, log_probs, teacher, *drawn)

        def again(drawn):
            *_, turn = drawn
            drawn = group(*drawn)
            return (turn < recipe.redraws) & drawn.all_equal(recipe.feedback(drawn))

        def redraw(drawn):
            *_, question, turn = drawn
            key = threefry.fold_in(own, turn + 1)
            if recipe.replaced:
                words = threefry.words(threefry.fold_in(key, QUESTIONS))
                place = count * threefry.uniform(words, 1, log_probs.dtype)[0]
                question = jnp.minimum(place.astype(jnp.int32), count - 1)
            return attempt(key, question, turn + 1)

        drawn = attempt(own, question, jnp.zeros((), jnp.int32))
        if recipe.redraws:
            drawn = jax.lax.while_loop(again, redraw, drawn)
        return group(*drawn)

    size = recipe.group_size
    count = len(log_probs)
    # Folded in at once: hashing is a good part of the cost of a small group.
    index = jnp.arange(count, dtype=jnp.int32)
    number = jnp.asarray(number)
    numbers = number * count + index.astype(number.dtype)
    return jax.vmap(one)(numbers, index, all_questions)


def advantages(recipe: Recipe, group: Group) -> Float[Array, "K M"]:
    """The advantages of one group, penalties inside the reward included."""
    rewards = recipe.feedback(group)
    for penalty in recipe.penalties:
        rewards = rewards + penalty.reward(group)[:, None]
    return recipe.estimator(group, rewards)


def move(problem: Problem, recipe: Recipe, state: State, groups: Group) -> State:
    """The state after one batch of groups, one per question: all epochs on it.

    Where questions were replaced by others, a question adds up all of its groups.
    """
    optimizer = recipe.transformation()
    count = len(problem.success_rates)
    known = jax.vmap(lambda group: advantages(recipe, group))(groups)

    def ascent(group, advantages, log_probs):
        gradient = recipe.surrogate(group, advantages, log_probs)
        for penalty in recipe.penalties:
            pull = penalty.gradient(group, log_probs)
            gradient = gradient + recipe.surrogate.steered(pull, log_probs)
        return gradient

    def by_question(gradient):
        if not recipe.replaced:
            return gradient
        own = groups.question == jnp.arange(count)[:, None]
        return jnp.sum(jnp.where(own[..., None], gradient, 0.0), axis=1)

    def epoch(carry, log_probs):
        parameters, memory = carry
        gradient = by_question(jax.vmap(ascent)(groups, known, log_probs))
        gradient = recipe.policy.pull(gradient, parameters, problem)
        change, memory = optimizer.update(-gradient, memory, parameters)
        change = jax.tree.map(lambda x: recipe.learning_rate * x, change)
        return optax.apply_updates(parameters, change), memory

    def later_epoch(carry, _):
        log_probs = recipe.policy.log_probs(carry[0], problem)
        if recipe.replaced:
            log_probs = log_probs[groups.question]
        return epoch(carry, log_probs), None

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
    tally = _counted(state.groups, recipe, groups)
    return State(parameters, teacher, memory, outcome, tally)


def _counted(before: Tally, recipe: Recipe, groups: Group) -> Tally:
    idle = jax.vmap(lambda group: group.all_equal(recipe.feedback(group)))(groups)
    used = before.used + len(idle)
    redrawn = before.redrawn + jnp.sum(groups.redrawn, dtype=jnp.int32)
    return Tally(used, before.idle + jnp.sum(idle, dtype=jnp.int32), redrawn)


def keep_going(old: State, new: State) -> State:
    """`new`, unless the old or the new state is spoilt: then the old parameters."""
    going = old.outcome == Outcome.horizon
    outcome = Outcome.where(going, new.outcome, old.outcome)
    good = going & (new.outcome == Outcome.horizon)
    parameters, teacher, optimizer, groups = jax.tree.map(
        lambda a, b: jnp.where(good, a, b),
        (new.parameters, new.teacher, new.optimizer, new.groups),
        (old.parameters, old.teacher, old.optimizer, old.groups),
    )
    return State(parameters, teacher, optimizer, outcome, groups)

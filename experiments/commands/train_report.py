"""The report of `pattern-selection train`: one recipe, many seeds, as numbers."""

import argparse
import contextlib
import dataclasses
import sys
import tomllib

import numpy as np

from experiments.extinct import lost
from experiments.text import base_model, objects, recipes, toml
from experiments.text.errors import UserError

MOST_SEEDS, ROWS = 1_000_000, 10
STANDSTILL = 1e-3  # of the largest learning rate: nothing moves any more
LISTED = 10_000  # seeds whose ends are given one by one
QUANTILES = (0.05, 0.5, 0.95)
KEYS = ("success_rates", "policy", "logits", "answer_kernel", "reference_policy")


MEASURES = (
    "accuracy",
    "optimal_probability",
    "log10_optimal_probability",
    "entropy",
    "kl_to_base",
    "kl_to_reference",
    "pass_at_8",
)


def read_recipe(args: argparse.Namespace):
    """The recipe of `--recipe`, with what other options say instead."""
    if not 1 <= args.seeds <= MOST_SEEDS:
        raise UserError(f"--seeds {args.seeds}: give 1 to {MOST_SEEDS:,}.")
    recipe = recipes.load(args.recipe)
    given = {
        "num_steps": args.steps,
        "group_size": args.group_size,
        "learning_rate": args.learning_rate,
    }
    given = {name: value for name, value in given.items() if value is not None}
    recipe = dataclasses.replace(recipe, **given)
    with recipe_errors(args):
        recipe.check_alone()
    return recipe


def note_schedule(recipe) -> None:
    """Say so on stderr if the schedule ends at nothing before the run does."""
    if recipe.optimizer.schedule is None:
        return
    updates = recipe.num_steps * recipe.surrogate.epochs
    factors = np.asarray(recipe.optimizer.factor()(np.arange(updates)))
    moving = np.flatnonzero(np.abs(factors) > STANDSTILL * np.abs(factors).max())
    last = int(moving[-1]) + 1 if moving.size else 0
    if last < 0.9 * updates:
        print(
            f"note: the schedule {recipe.optimizer.schedule} ends after {last:,} of "
            f"{updates:,} updates; from there on the policy stands still.",
            file=sys.stderr,
        )


@contextlib.contextmanager
def recipe_errors(args: argparse.Namespace):
    """Say of which recipe, file or name, a `ValueError` is."""
    options = {
        "--steps": args.steps,
        "--group-size": args.group_size,
        "--learning-rate": args.learning_rate,
    }
    words = [f"{k} {v}" for k, v in options.items() if v is not None]
    try:
        yield
    except ValueError as error:
        where = " ".join([f"--recipe {args.recipe}", *words])
        raise UserError(f"{where}: {error}") from None


def read_questions(args: argparse.Namespace) -> dict:
    """The questions as they are given, arguments of `simulator.Problem`."""
    given = base_model.given(args)
    if args.questions is not None:
        if any(value is not None for value in given.values()):
            raise UserError("give one question by options, or --questions, not both.")
        given = _read_questions(args.questions)
    return given


def with_questions(given: dict):
    """The problem of these questions, with a leading axis of questions."""
    import jax

    import simulator as sim

    problem = sim.Problem(**given)
    if not problem.batch_shape:
        return jax.tree.map(lambda leaf: leaf[None], problem)
    if len(problem.batch_shape) > 1:
        raise UserError("questions have one row each: success_rates is [Q, K].")
    return problem


def _read_questions(path) -> dict:
    text = toml.read(path, "give --questions a TOML file")
    try:
        given = toml.parse(text)
    except UserError as error:
        raise UserError(f"--questions {path}: {error}") from None
    for key, value in given.items():
        if key in KEYS:
            rows = objects.numbers(value, key, 3)
            if key in ("policy", "reference_policy"):
                base_model.note_sums(f"--questions {path}: {key}", rows)
        else:
            raise UserError(
                f"--questions {path}: {key!r} is unknown; choose from "
                f"{', '.join(KEYS)}."
            )
    return given


def _has_a_best(problem):
    """Which questions have a pattern that is better than another one, `[Q]`."""
    import simulator as sim

    rates, base = problem.success_rates, problem.log_policy
    return sim.best_value(base, rates) > -sim.best_value(base, -rates)


def _measures(problem, log_probs):
    """Data kept of every saved step: means over the questions, and policies.

    `pi_*` is the mean over the questions that have a best pattern, NaN if none has; its
    logarithm is told too, as it may be smaller than floats can say.
    """
    import jax
    import jax.numpy as jnp

    import simulator as sim

    def one(problem, log_probs):
        rates = problem.success_rates
        return {
            "accuracy": sim.accuracy(log_probs, rates),
            "log_best": sim.log_optimal_probability(log_probs, rates),
            "entropy": sim.entropy(log_probs),
            "kl_to_base": sim.kl(log_probs, problem.log_policy),
            "kl_to_reference": sim.kl(log_probs, problem.log_reference),
            "pass_at_8": sim.pass_at_n(log_probs, rates, 8),
        }

    rows = jax.vmap(one)(problem, log_probs)
    known, log_best = _has_a_best(problem), rows.pop("log_best")
    log_sum = jax.nn.logsumexp(jnp.where(known, log_best, -jnp.inf))
    log_best = log_sum - jnp.log(jnp.sum(known))
    return jax.tree.map(jnp.mean, rows) | {
        "optimal_probability": jnp.exp(log_best),
        "log10_optimal_probability": log_best / np.log(10),
        "policy": jnp.exp(log_probs),
    }


def _stops(num_steps: int) -> np.ndarray:
    """About ten numbers of steps, the last one among them."""
    stops = np.unique(np.linspace(0, num_steps, ROWS + 1).round().astype(int))
    return stops[stops > 0]


def _lost(problem, recipe, log_probs) -> float:
    """The share of seeds and questions that lose the best pattern for good.

    Of questions that have one; NaN if none has.
    """
    import simulator as sim

    rates, known = np.asarray(problem.success_rates), np.asarray(_has_a_best(problem))
    if not known.any():
        return np.nan
    best = rates == np.asarray(sim.best_value(problem.log_policy, rates))[:, None]
    mass = np.where(best, np.exp(log_probs), 0).sum(axis=-1)[..., known]
    return float(lost(mass, recipe.group_size, recipe.num_steps).mean())


def _with_start(first, saved):
    """`saved` `[S, T, ...]` with the base model's value before it."""
    first = np.broadcast_to(np.asarray(first), (len(saved), 1, *saved.shape[2:]))
    return np.concatenate([first, saved], axis=1)


def _summary(values: np.ndarray) -> dict[str, np.ndarray]:
    """Over the seeds, `[S, T]`, at each saved step."""
    low, middle, high = np.quantile(values, QUANTILES, axis=0)
    return {
        "mean": values.mean(axis=0),
        "standard_error": values.std(axis=0) / np.sqrt(len(values)),
        "q05": low,
        "q50": middle,
        "q95": high,
    }


def inputs(args: argparse.Namespace, recipe) -> dict:
    """All that decides on the numbers of the result, as plain data."""
    return {
        "command": "train",
        "recipe": recipes.dumps(recipe),
        "questions": read_questions(args),
        "seeds": args.seeds,
        "seed": args.seed,
        "dtype": args.precision,
    }


def report(config: dict) -> tuple[dict, dict]:
    """The JSON object of the command for its `inputs`, and the arrays of its figure."""
    from experiments.runtime.progress import bar
    from experiments.runtime.stamp import stamp
    from simulator import rollouts

    recipe = recipes.loads(config["recipe"])
    problem = with_questions(config["questions"])
    seeds, seed = config["seeds"], config["seed"]
    with bar("training") as progress:
        run = rollouts.train(
            problem,
            recipe,
            seed=seed,
            num_seeds=seeds,
            save_at=_stops(recipe.num_steps),
            observe=_measures,
            progress=progress,
        )
    start = _measures(problem, problem.log_policy)
    table = {k: _summary(_with_start(start[k], run.saved[k])) for k in MEASURES}
    policy = _with_start(start["policy"], run.saved["policy"]).mean(axis=0)
    steps = np.concatenate([[0], run.saved_steps])
    result = {
        "recipe": tomllib.loads(config["recipe"]),
        "seeds": seeds,
        "questions": len(problem.success_rates),
        "questions_without_best": int(np.sum(~np.asarray(_has_a_best(problem)))),
        "outcomes": run.outcome_counts,
        "advice": run.advice,
        "groups": {
            name: float(np.mean(getattr(run.groups, name)))
            for name in ("used", "idle", "redrawn")
        },
        "lost": _lost(problem, recipe, run.log_probs),
        "steps": steps,
        **table,
        "final_policy": policy[-1],
        "by_seed": {k: run.saved[k][:LISTED, -1] for k in MEASURES},
        "method": "rollouts",
        "stamp": stamp(config, seed),
    }
    data = {"steps": steps, "policy": policy}
    for name in ("accuracy", "optimal_probability", "entropy"):
        data |= {f"{name}_{key}": value for key, value in table[name].items()}
    return result, data

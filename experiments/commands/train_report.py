"""The report of `pattern-selection train`: one recipe, many seeds, as numbers."""

import argparse
import contextlib
import dataclasses
import sys
import tomllib

import numpy as np

from experiments.commands import train_measures
from experiments.commands.train_measures import (
    LISTED,
    MEASURES,
    has_a_best,
    summary,
    with_start,
)
from experiments.text import base_model, objects, recipes, step_events, toml
from experiments.text.errors import UserError

MOST_SEEDS, ROWS = 1_000_000, 10
MOST_SAVED = 8  # GB of curves
STANDSTILL = 1e-3  # of the largest learning rate: nothing moves any more
KEYS = ("success_rates", "policy", "logits", "answer_kernel", "reference_policy")


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


def _stops(num_steps: int, every: int | None) -> np.ndarray:
    """The numbers of steps after which to save, the last one among them.

    Every `every`-th, or about ten.
    """
    stops = np.linspace(0, num_steps, ROWS + 1).round().astype(int)
    if every is not None:
        stops = np.append(np.arange(every, num_steps, every), num_steps)
    return np.unique(stops[stops > 0])


def check_until(problem, args: argparse.Namespace) -> None:
    """Raise `UserError` if the event of `--until` is none of sampled training."""
    if args.until is not None:
        event = step_events.read(args.until, "--until")
        step_events.check(event, f"--until {args.until}", problem)


def check_saved(problem, recipe, args: argparse.Namespace) -> None:
    """Raise `UserError` if curves cannot be saved so often."""
    every, last = args.save_every, recipe.num_steps
    if every is not None and not 1 <= every <= last:
        raise UserError(f"--save-every {every}: give 1 to {last}, the number of steps.")
    questions, patterns = problem.success_rates.shape
    numbers = len(MEASURES) + questions * (1 + patterns)
    size = 8e-9 * args.seeds * len(_stops(last, every)) * numbers
    if size > MOST_SAVED:
        raise UserError(
            f"--seeds {args.seeds}: the curves would take {size:.3g} GB of memory, and "
            f"may take {MOST_SAVED}; give fewer seeds, or a larger --save-every."
        )


def inputs(args: argparse.Namespace, recipe) -> dict:
    """All that decides on the numbers of the result, as plain data."""
    return {
        "command": "train",
        "recipe": recipes.dumps(recipe),
        "questions": read_questions(args),
        "seeds": args.seeds,
        "save_every": args.save_every,
        "until": args.until,
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
    seeds, seed, until = config["seeds"], config["seed"], config["until"]
    event = None if until is None else step_events.read(until, "--until")
    with bar("training") as progress:
        run = rollouts.train(
            problem,
            recipe,
            seed=seed,
            num_seeds=seeds,
            save_at=_stops(recipe.num_steps, config["save_every"]),
            observe=train_measures.measures,
            until=event,
            progress=progress,
        )
    start = train_measures.measures(problem, problem.log_policy)
    table = {k: summary(with_start(start[k], run.saved[k])) for k in MEASURES}
    policy = with_start(start["policy"], run.saved["policy"]).mean(axis=0)
    rows = summary(with_start(start["by_question"], run.saved["by_question"]))
    steps = np.concatenate([[0], run.saved_steps])
    result = {
        "recipe": tomllib.loads(config["recipe"]),
        "seeds": seeds,
        "questions": len(problem.success_rates),
        "questions_without_best": int(np.sum(~np.asarray(has_a_best(problem)))),
        "outcomes": run.outcome_counts,
        "advice": run.advice,
        "groups": {
            name: float(np.mean(getattr(run.groups, name)))
            for name in ("used", "idle", "redrawn")
        },
        "lost": train_measures.lost_share(problem, recipe, run.log_probs),
        "first_step": None
        if event is None
        else train_measures.first_steps(until, np.asarray(run.first_step)),
        "steps": steps,
        **table,
        "by_question": {
            "accuracy": {k: v.T for k, v in rows.items()},
            "final_accuracy": {k: v[-1] for k, v in rows.items()},
        },
        "final_policy": policy[-1],
        "by_seed": {k: run.saved[k][:LISTED, -1] for k in MEASURES},
        "method": "rollouts",
        "stamp": stamp(config, seed),
    }
    data = {"steps": steps, "policy": policy}
    data |= {f"accuracy_by_question_{key}": value.T for key, value in rows.items()}
    for name in ("accuracy", "optimal_probability", "entropy"):
        data |= {f"{name}_{key}": value for key, value in table[name].items()}
    if event is not None:
        data |= {"until": until, "first_step": run.first_step}
    return result, data

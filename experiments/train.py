"""`pattern-selection train`: one recipe, many seeds, from sampled groups."""

import argparse
import tomllib
from collections import Counter
from pathlib import Path

from experiments import catalogue, recipe_files
from experiments.errors import UserError
from experiments.output import check_writable_file, check_writable_folder, write_json

MOST_SEEDS, ROWS = 1_000_000, 10
QUANTILES = (0.05, 0.5, 0.95)
PARTS = {
    "feedback": "feedbacks",
    "estimators": "estimators",
    "surrogates": "surrogates",
    "penalties": "penalties",
    "policies": "policies",
}


def _listed(names: dict[str, str]) -> str:
    return "\n".join(f"  {name:<24} {text}" for name, text in names.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train`; the lists of parts read the source."""
    lists = [f"recipes:\n{_listed(recipe_files.names())}"]
    for module, title in PARTS.items():
        entries = catalogue.entries(f"rollouts/{module}")
        texts = {n: e.summary for n, e in entries.items() if n != "mixture"}
        lists.append(f"{title}:\n{_listed(texts)}")
    parser.epilog = (
        "\n\n".join(lists)
        + "\n\nA recipe is a TOML file; --print-recipe shows one to start from.\n\n"
        "example:\n  pattern-selection train --recipe grpo --success-rates 0.9 0.6 0.1 "
        "--policy 0.05 0.70 0.25 --seeds 1000"
    )
    number = {"nargs": "+", "type": float, "metavar": "X"}
    parser.add_argument(
        "--recipe",
        default="grpo",
        metavar="NAME|FILE",
        help="how to train: a name below or a TOML file (default grpo)",
    )
    parser.add_argument(
        "--questions",
        type=Path,
        metavar="FILE",
        help="several questions: a TOML file with success_rates, policy or logits, "
        "answer_kernel, reference_policy; one row per question",
    )
    parser.add_argument(
        "--success-rates",
        help="one question: probability of a right answer, one per pattern",
        **number,
    )
    parser.add_argument("--policy", help="base model: probabilities, sum 1", **number)
    parser.add_argument("--logits", help="base model, instead of --policy", **number)
    parser.add_argument(
        "--answer-kernel",
        nargs="+",
        metavar="ROW",
        help="answer probabilities, one row per pattern, the right answer first: "
        "0.9,0.1 0.6,0.4",
    )
    parser.add_argument("--steps", type=int, metavar="N", help="instead of num_steps")
    parser.add_argument("--group-size", type=int, metavar="N", help="rollouts a group")
    parser.add_argument("--learning-rate", type=float, metavar="X")
    parser.add_argument(
        "--seeds", type=int, default=100, metavar="N", help="runs (default 100)"
    )
    parser.add_argument(
        "--out", type=Path, help="folder for train.svg, train.png and their data"
    )
    parser.add_argument(
        "--print-recipe", action="store_true", help="print the recipe as TOML and stop"
    )


def _recipe(args: argparse.Namespace):
    import dataclasses

    recipe = recipe_files.load(args.recipe)
    given = {
        "num_steps": args.steps,
        "group_size": args.group_size,
        "learning_rate": args.learning_rate,
    }
    given = {name: value for name, value in given.items() if value is not None}
    return dataclasses.replace(recipe, **given)


KEYS = ("success_rates", "policy", "logits", "answer_kernel", "reference_policy")


def _problem(args: argparse.Namespace):
    import simulator as sim
    from experiments.run import kernel

    given = {
        "success_rates": args.success_rates,
        "policy": args.policy,
        "logits": args.logits,
        "answer_kernel": kernel(args.answer_kernel),
    }
    if args.questions is not None:
        if any(value is not None for value in given.values()):
            raise UserError("give one question by options, or --questions, not both.")
        try:
            text = args.questions.read_text(encoding="utf-8")
            given = tomllib.loads(text)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"--questions {args.questions}: {reason}.") from None
        for key in given:
            if key not in KEYS:
                raise UserError(
                    f"--questions {args.questions}: {key!r} is unknown; choose from "
                    f"{', '.join(KEYS)}."
                )
    return sim.Problem(**given)


def _measures(problem, log_probs):
    """What is kept of every saved step: means over the questions."""
    import jax
    import jax.numpy as jnp

    import simulator as sim

    def one(rates, base, log_probs):
        return {
            "accuracy": sim.accuracy(log_probs, rates),
            "optimal_probability": jnp.exp(
                sim.log_optimal_probability(log_probs, rates)
            ),
            "entropy": sim.entropy(log_probs),
            "kl_to_base": sim.kl(log_probs, base),
            "pass_at_8": sim.pass_at_n(log_probs, rates, 8),
        }

    rows = jax.vmap(one)(problem.success_rates, problem.log_policy, log_probs)
    return jax.tree.map(jnp.mean, rows) | {"policy": jnp.exp(log_probs)}


def _save_every(num_steps: int) -> int:
    """The largest divisor that leaves at least ten rows, and few more."""
    return max(
        d
        for d in range(1, num_steps + 1)
        if num_steps % d == 0 and (d * ROWS <= num_steps or d == 1)
    )


def report(args: argparse.Namespace) -> tuple[dict, dict]:
    """The JSON object of the command, and the arrays of its figure."""
    import numpy as np

    import simulator as sim
    from experiments.progress import bar
    from experiments.stamp import stamp
    from simulator import rollouts

    if not 1 <= args.seeds <= MOST_SEEDS:
        raise UserError(f"--seeds {args.seeds}: give 1 to {MOST_SEEDS:,}.")
    recipe, problem = _recipe(args), _problem(args)
    if len(problem.batch_shape) > 1:
        raise UserError("questions have one row each: success_rates is [Q, K].")
    recipe.check(problem if problem.batch_shape else _row(problem))
    every = _save_every(recipe.num_steps)
    with bar("training") as progress:
        run = rollouts.train(
            problem,
            recipe,
            seed=args.seed,
            num_seeds=args.seeds,
            save_every=every,
            observe=_measures,
            progress=progress,
        )
    start = _measures(
        *[
            _row(x) if not problem.batch_shape else x
            for x in (problem, problem.log_policy)
        ]
    )
    final = run.log_probs
    best = (
        np.asarray(problem.success_rates)
        == np.asarray(sim.best_value(problem.log_policy, problem.success_rates))[
            ..., None
        ]
    )
    mass = np.exp(final).reshape(args.seeds, *problem.success_rates.shape)
    mass = np.where(best, mass, 0).sum(axis=-1)
    visits = mass * recipe.group_size * recipe.num_steps
    table = {}
    for name in (
        "accuracy",
        "optimal_probability",
        "entropy",
        "kl_to_base",
        "pass_at_8",
    ):
        values = np.concatenate(
            [np.broadcast_to(start[name], (args.seeds, 1)), run.saved[name]], axis=1
        )
        low, middle, high = np.quantile(values, QUANTILES, axis=0)
        table[name] = {
            "mean": values.mean(axis=0),
            "standard_error": values.std(axis=0) / np.sqrt(args.seeds),
            "q05": low,
            "q50": middle,
            "q95": high,
        }
    policy = np.concatenate(
        [
            np.broadcast_to(start["policy"], (args.seeds, 1, *start["policy"].shape)),
            run.saved["policy"],
        ],
        axis=1,
    ).mean(axis=0)
    steps = np.concatenate([[0], run.saved_steps])
    outcomes = Counter(sim.outcome_names(run.outcome).ravel().tolist())
    text = recipe_files.dumps(recipe)
    config = {"command": "train", "recipe": text, "seeds": args.seeds}
    result = {
        "stamp": stamp(config, args.seed),
        "recipe": tomllib.loads(text),
        "seeds": args.seeds,
        "questions": int(np.prod(problem.batch_shape, dtype=int)),
        "outcomes": dict(outcomes),
        "advice": {n: sim.Outcome[getattr(sim.Outcome, n)] for n in outcomes},
        "lost": float((visits < 0.01).mean()),
        "steps": steps,
        **table,
        "final_policy": policy[-1],
        "method": "rollouts",
    }
    data = {"steps": steps, "policy": policy}
    for name in ("accuracy", "optimal_probability", "entropy"):
        data |= {f"{name}_{key}": value for key, value in table[name].items()}
    return result, data


def _row(tree):
    import jax

    return jax.tree.map(lambda leaf: leaf[None], tree)


def main(args: argparse.Namespace) -> int:
    """Print a table, or one JSON object with `--json`; draw with `--out`."""
    if args.print_recipe:
        print(recipe_files.dumps(_recipe(args)), end="")
        return 0
    check_writable_file(args.json)
    if args.out is not None:
        check_writable_folder(args.out / "data")
    result, data = report(args)
    if args.out is not None:
        from experiments import figures

        figures.save_data(data, result["stamp"], args.out, "train")
        figures.draw("train", args.out)
    write_json(result, args.json)
    if args.json != "-":
        print(_lines(result))
        if args.out is not None:
            print(args.out / "train.svg")
    return 0


def _lines(result: dict) -> str:
    lines = [
        f"{'step':>8} {'accuracy':>9} {'5 %':>7} {'95 %':>7} {'pi*':>8} "
        f"{'entropy':>8} {'KL':>8} {'pass@8':>7}"
    ]
    columns = (
        ("accuracy", "mean"),
        ("accuracy", "q05"),
        ("accuracy", "q95"),
        ("optimal_probability", "mean"),
        ("entropy", "mean"),
        ("kl_to_base", "mean"),
        ("pass_at_8", "mean"),
    )
    widths = (9, 7, 7, 8, 8, 8, 7)
    for row, step in enumerate(result["steps"]):
        numbers = [
            f"{result[name][part][row]:>{width}.4f}"
            for (name, part), width in zip(columns, widths, strict=True)
        ]
        lines.append(f"{step:>8} {' '.join(numbers)}")
    outcomes = ", ".join(f"{k} {n}" for k, n in result["outcomes"].items())
    lines.append(
        f"{result['seeds']} seeds: {outcomes}; the best pattern is lost in "
        f"{100 * result['lost']:.3g} %"
    )
    failed = {k: v for k, v in result["advice"].items() if k != "horizon"}
    lines.extend(f"{name}: {advice}" for name, advice in failed.items())
    return "\n".join(lines)

"""`pattern-selection train`: one recipe, many seeds, from sampled groups."""

import argparse
from pathlib import Path

from experiments import base_model, catalogue, recipe_files, tables
from experiments.output import check_writable_file, check_writable_folder, write_json


def _listed(names: dict[str, str]) -> str:
    return "\n".join(f"  {name:<24} {text}" for name, text in names.items())


def _described(entry: catalogue.Entry) -> str:
    fields = ", ".join(field.name for field in entry.fields)
    return f"{entry.summary} [{fields}]" if fields else entry.summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train`; the lists of parts read the source."""
    lists = [f"recipes:\n{_listed(recipe_files.names())}"]
    for module in tables.PARTS:
        entries = catalogue.entries(f"rollouts/{module}")
        texts = {n: _described(e) for n, e in entries.items() if n != "mixture"}
        lists.append(f"{module} (parameters in brackets):\n{_listed(texts)}")
    parser.epilog = (
        "\n\n".join(lists) + "\n\noptimizers and schedules: those of Optax, by name\n"
        '  optimizer = {name = "adam", b1 = 0.9, schedule = {name = '
        '"cosine_decay_schedule", decay_steps = 1000}}\n\n'
        "A recipe is a TOML file; --print-recipe shows one to start from. A file of "
        "questions:\n  success_rates = [[0.9, 0.1], [0.2, 0.8]]\n"
        "  policy = [[0.5, 0.5], [0.4, 0.6]]\n\n"
        "In the table, `lost` counts runs that, going on for as many steps again "
        "without moving,\nwould sample the best pattern less than once in a hundred; "
        "runs that failed keep their last good values.\n\n"
        "example:\n  pattern-selection train --recipe grpo --success-rates 0.9 0.6 0.1 "
        "--policy 0.05 0.70 0.25 --seeds 1000"
    )
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
    base_model.add_arguments(parser)
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


def main(args: argparse.Namespace) -> int:
    """Print a table, or one JSON object with `--json`; draw with `--out`."""
    from experiments.train_report import read_questions, read_recipe, report

    recipe = read_recipe(args)
    if args.print_recipe:
        recipe.check_alone()
        print(recipe_files.dumps(recipe), end="")
        return 0
    problem = read_questions(args)
    recipe.check(problem)
    check_writable_file(args.json)
    if args.out is not None:
        check_writable_folder(args.out / "data")
    result, data = report(recipe, problem, args.seeds, args.seed)
    if args.out is not None:
        from experiments import figures

        figures.save_data(data, result["stamp"], args.out, "train")
        figures.draw("train", args.out)
    if args.json != "-":
        print(_lines(result))
        if args.out is not None:
            print(args.out / "train.svg")
    write_json(result, args.json)
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

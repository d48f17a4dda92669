"""`pattern-selection train`: one recipe, many seeds, from sampled groups."""

import argparse
from pathlib import Path

from experiments.runtime.output import (
    check_writable_file,
    check_writable_folder,
    write_json,
)
from experiments.text import base_model, catalogue, objects, recipes


def _listed(names: dict[str, str]) -> str:
    return "\n".join(f"  {name:<24} {text}" for name, text in names.items())


def _described(entry: catalogue.Entry) -> str:
    fields = ", ".join(field.name for field in entry.fields)
    return f"{entry.summary} [{fields}]" if fields else entry.summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train`; the lists of parts read the source."""
    lists = [f"recipes:\n{_listed(recipes.names())}"]
    for module in objects.PARTS:
        entries = catalogue.entries(f"rollouts/{module}")
        texts = {n: _described(e) for n, e in entries.items() if n != "mixture"}
        lists.append(f"{module} (parameters in brackets):\n{_listed(texts)}")
    parser.epilog = (
        "\n\n".join(lists) + "\n\nmixture of feedbacks, in a recipe:\n"
        '  feedback = [{name = "verifier", weight = 0.7}, {name = "majority-vote", '
        "weight = 0.3}]\n\noptimizers and schedules: those of Optax, by name\n"
        '  optimizer = {name = "adam", b1 = 0.9, schedule = {name = '
        '"cosine_decay_schedule", decay_steps = 1000}}\n\n'
        "A recipe is a TOML file; --print-recipe shows one to start from. A file of "
        "questions:\n  success_rates = [[0.9, 0.1], [0.2, 0.8]]\n"
        "  policy = [[0.5, 0.5], [0.4, 0.6]]\n\n"
        "The learning rate is the recipe's, and a schedule multiplies it. Weight decay "
        "(adamw, lion, ...)\npulls towards the base model, not towards the uniform "
        "policy.\n\n"
        "In the table, `pi*` is the probability of the best patterns, over the "
        "questions that have one:\na question whose patterns are all equally good has "
        "none, and is left out (`run` and `sweep`\ngive 1). `KL` is to the base model "
        "(`KL ref`: to another reference_policy); `lost` counts runs\nthat, going on "
        "for as many steps again without moving, would sample the best pattern less "
        "than\nonce in a hundred. Groups whose rewards are all equal teach nothing: "
        "they are idle, or thrown\naway and drawn again. Runs that failed keep their "
        "last good values,\nand make the exit code 1.\n\n"
        "With `replaced` (as in DAPO) such a group makes way for one of another "
        "question, drawn at random;\na step adds up all groups of a question. Under "
        "the policy `per-question`, a question that is\ndrawn twice moves about twice "
        "as far (with sgd).\n\n"
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
    parser.add_argument(
        "--steps", type=int, metavar="N", help="steps (default: the recipe's num_steps)"
    )
    parser.add_argument(
        "--group-size",
        type=int,
        metavar="N",
        help="rollouts per group (default: the recipe's)",
    )
    parser.add_argument(
        "--learning-rate", type=float, metavar="X", help="default: the recipe's"
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=100,
        metavar="N",
        help="independent runs (default 100)",
    )
    parser.add_argument(
        "--until",
        metavar="EVENT",
        help="say after which step this holds first: quantiles over the seeds, and how "
        "many never get there; training goes on to --steps. An event of `run --until` "
        "that a policy decides on: accuracy=0.5, optimal-probability=0.5, "
        "suboptimal-mass=0.1, t0, crossing, leads=0 (of several questions the first "
        "three, of "
        "their means as in the table)",
    )
    parser.add_argument(
        "--save-every",
        type=int,
        metavar="N",
        help="save the curves of --json and --out after every N-th step, and the last "
        "(default: about ten times)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder for train.svg, train.png and their data",
    )
    parser.add_argument(
        "--print-recipe", action="store_true", help="print the recipe as TOML and stop"
    )


def main(args: argparse.Namespace) -> int:
    """Print a table, or one JSON object with `--json`; draw with `--out`.

    Exit code 1: runs failed.
    """
    from experiments.commands import train_words
    from experiments.commands.train_report import (
        check_saved,
        check_until,
        inputs,
        note_schedule,
        read_recipe,
        recipe_errors,
        report,
        with_questions,
    )
    from simulator.outcome import FAILED_OUTCOMES

    recipe = read_recipe(args)
    if args.print_recipe:
        print(recipes.dumps(recipe), end="")
        return 0
    config = inputs(args, recipe)
    problem = with_questions(config["questions"])
    with recipe_errors(args):
        recipe.check(problem)
        note_schedule(recipe)
    check_until(problem, args)
    check_saved(problem, recipe, args)
    check_writable_file(args.json)
    if args.out is not None:
        check_writable_folder(args.out / "data")
    result, data = report(config)
    if args.out is not None:
        from experiments.commands import figures

        figures.keep("train", data, config, args.out)
    if args.json != "-":
        print(train_words.lines(result))
        if args.out is not None:
            print(args.out / "train.svg")
    write_json(result, args.json)
    return 1 if any(name in FAILED_OUTCOMES for name in result["outcomes"]) else 0

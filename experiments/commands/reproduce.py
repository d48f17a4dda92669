"""`pattern-selection reproduce`: check statements and draw their figures.

The theorems of the paper, with its six figures; with `--all` everything: all statements
and figures, the agreement of the engines, and a small search for counterexamples.
"""

import argparse
import sys

from experiments.commands import falsify, figures, schedule, verify
from experiments.commands.options import add_out
from experiments.pictures import PAPER, of_paper, picture, with_part
from experiments.runtime import workers
from experiments.runtime.output import (
    check_writable_file,
    check_writable_folder,
    write_json,
)
from experiments.text.errors import UserError

RESTARTS, STEPS = 8, 60  # of the search, smaller than those of `falsify` alone


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reproduce`."""
    parser.add_argument(
        "--all",
        action="store_true",
        help="all statements and figures, not only those of the paper; the engines' "
        "agreement; a search for counterexamples",
    )
    add_out(parser, "figures", "for figures and data")
    parser.add_argument(
        "--problems",
        type=int,
        default=4000,
        metavar="N",
        help="random problems per statement (default 4000)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="fewer problems and draws (most of the time left is compiling)",
    )


def main(args: argparse.Namespace) -> int:
    """Exit code 1 if any claim is violated; the figures are drawn all the same."""
    import numpy as np

    from experiments.checks import agreement
    from experiments.runtime.stamp import stamp

    if args.problems < 1:
        raise UserError(f"--problems {args.problems}: give a positive number.")
    if args.precision != "float64":
        raise UserError("--precision float32: theorem checks run in float64 only.")
    check_writable_file(args.json)
    check_writable_folder(args.out / "data")
    problems = min(args.problems, 200) if args.quick else args.problems
    config = {
        "command": "reproduce",
        "all": args.all,
        "problems": problems,
        "quick": args.quick,
        "seed": args.seed,
    }
    provenance = stamp(config, args.seed)
    figures_of = _figures(args.all)

    def ended(name, result):
        if name in figures_of:
            figures.keep(name, result, config, args.out)
            print(f"{args.out / name}.svg", flush=True)

    tasks = _tasks(args.all, problems, args.quick, args.seed)
    results = workers.run(tasks, ended)
    reports = [results[name] for name in _statements(args.all)]
    found = {"stamp": provenance, "statements": reports}
    print(f"\n{verify.table(reports)}\n")
    searched = []
    if args.all:
        for name in with_part("collect"):
            figures.keep(name, picture(name).collect(reports), config, args.out)
            print(f"{args.out / name}.svg", flush=True)
        searched = [results[name] for name in falsify.claims()]
        found |= {"agreement": results["agreement"], "falsify": searched}
        print(f"{agreement.table(results['agreement'])}\n")
        print(f"{falsify.table(searched)}\n")
    for name in with_part("summary"):
        if name in figures_of:
            data = {key: np.asarray(x) for key, x in results[name].items()}
            print(picture(name).summary(data))
    page = args.out / "README.md"
    print(f"Figures: {page if page.exists() else args.out}")
    write_json(found, args.json)
    failed = sum(report["violations"] for report in reports)
    if failed:
        print(f"{failed} violations", file=sys.stderr)
    return 1 if failed or falsify.complain(searched) else 0


def _statements(whole: bool) -> list[str]:
    return [id for id in verify.statements() if whole or id.startswith(PAPER)]


def _figures(whole: bool) -> list[str]:
    """The pictures whose data are computed."""
    return [name for name in with_part("compute") if whole or of_paper(name)]


def _tasks(
    whole: bool, problems: int, quick: bool, seed: int
) -> dict[str, workers.Task]:
    """Checks, searches and the data of figures; those that take longest come first."""
    from experiments.checks import agreement

    restarts, steps = (2, 10) if quick else (RESTARTS, STEPS)
    tasks: dict[str, workers.Task] = {
        **{n: (verify.verify_one, (n, problems, seed)) for n in _statements(whole)},
        **{name: (figures.compute, (name, quick, seed)) for name in _figures(whole)},
    }
    if whole:
        tasks["agreement"] = (agreement.agreement, (problems, seed))
        for name in falsify.claims():
            tasks[name] = (falsify.falsify_one, (name, restarts, steps, seed))
    return {name: tasks[name] for name in schedule.in_order(tasks)}

"""`pattern-selection reproduce`: check statements and draw their figures.

The theorems of the paper, with its six figures; with `--all` everything: all statements
and figures, the agreement of the engines, and a small search for counterexamples. With
names only those figures and statements, a statement with the figures that show it.
"""

import argparse
import sys
from typing import NamedTuple

from experiments.commands import falsify, figures, schedule, verify
from experiments.commands.options import add_out
from experiments.pictures import PAPER, of_paper, picture, with_part
from experiments.runtime import workers
from experiments.runtime.output import (
    check_writable_file,
    check_writable_folder,
    write_json,
)
from experiments.text.errors import UserError, choose_from

RESTARTS, STEPS = 8, 60  # of the search, smaller than those of `falsify` alone


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reproduce`."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="only these figures (entanglement) and statements (A3, with its figures)",
    )
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

    wanted = _wanted(args.names, args.all)
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
        "names": args.names,
        "problems": problems,
        "quick": args.quick,
        "seed": args.seed,
    }
    provenance = stamp(config, args.seed)

    def ended(name, result):
        if name in wanted.figures:
            figures.keep(name, result, config, args.out)
            print(f"{args.out / name}.svg", flush=True)

    tasks = _tasks(wanted, args.all, problems, args.quick, args.seed)
    results = workers.run(tasks, ended)
    reports = [results[name] for name in wanted.statements]
    found = {"stamp": provenance, "statements": reports}
    if reports:
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
        if name in wanted.figures:
            data = {key: np.asarray(x) for key, x in results[name].items()}
            print(picture(name).summary(data))
    page = args.out / "README.md"
    print(f"Figures: {page if page.exists() else args.out}")
    write_json(found, args.json)
    failed = sum(report["violations"] for report in reports)
    if failed:
        print(f"{failed} violations", file=sys.stderr)
    return 1 if failed or falsify.complain(searched) else 0


class Wanted(NamedTuple):
    """What is checked, and the pictures whose data are computed."""

    statements: list[str]
    figures: list[str]


def _wanted(names: list[str], whole: bool) -> Wanted:
    """Raises `UserError` for an unknown name, or for names with `--all`."""
    known, able = verify.statements(), with_part("compute")
    if not names:
        return Wanted(
            [id for id in known if whole or id.startswith(PAPER)],
            [name for name in able if whole or of_paper(name)],
        )
    if whole:
        raise UserError(f"--all computes {', '.join(names)} too; give names or --all.")
    for name in names:
        if name in figures.known() and name not in able:
            command = f"pattern-selection {figures.made_by(name)}"
            raise UserError(f"{name} is made by {command}.")
        if name not in known and name not in able:
            raise UserError(f"{name} is unknown; {choose_from(name, [*able, *known])}.")
    return Wanted(
        [id for id in known if id in names],
        [name for name in able if {name, *picture(name).SHOWS} & set(names)],
    )


def _tasks(
    wanted: Wanted, whole: bool, problems: int, quick: bool, seed: int
) -> dict[str, workers.Task]:
    """Checks, searches and the data of figures; those that take longest come first."""
    from experiments.checks import agreement

    restarts, steps = (2, 10) if quick else (RESTARTS, STEPS)
    tasks: dict[str, workers.Task] = {
        **{n: (verify.verify_one, (n, problems, seed)) for n in wanted.statements},
        **{name: (figures.compute, (name, quick, seed)) for name in wanted.figures},
    }
    if whole:
        tasks["agreement"] = (agreement.agreement, (problems, seed))
        for name in falsify.claims():
            tasks[name] = (falsify.falsify_one, (name, restarts, steps, seed))
    return {name: tasks[name] for name in schedule.in_order(tasks)}

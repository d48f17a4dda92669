"""`pattern-selection reproduce`: check statements and draw their figures."""

import argparse
import sys
from pathlib import Path

from experiments.commands import falsify, figures, schedule, verify
from experiments.pictures import picture, with_part
from experiments.runtime import workers
from experiments.runtime.keys import generator
from experiments.runtime.output import (
    check_writable_file,
    check_writable_folder,
    write_json,
)
from experiments.runtime.progress import bar
from experiments.text.errors import UserError

RESTARTS, STEPS = 8, 60  # of the search, smaller than those of `falsify` alone


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reproduce`."""
    parser.add_argument(
        "--out", type=Path, default=Path("figures"), help="folder (default figures)"
    )
    parser.add_argument(
        "--problems", type=int, default=4000, help="per statement (default 4000)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small counts (most of the time left is compiling)",
    )


def main(args: argparse.Namespace) -> int:
    """Exit code 1 if any claim is violated; the figures are drawn all the same."""
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
        "problems": problems,
        "quick": args.quick,
        "seed": args.seed,
    }
    provenance = stamp(config, args.seed)
    computed = with_part("compute")

    def ended(name, result):
        if name in computed:
            _keep(name, result, provenance, args.out)

    results = workers.run(_tasks(problems, args.quick, args.seed), ended)
    reports = [results[name] for name in verify.statements()]
    searched = [results[name] for name in falsify.claims()]
    for name in with_part("collect"):
        _keep(name, picture(name).collect(reports), provenance, args.out)
    print(verify.table(reports))
    print(f"\n{agreement.table(results['agreement'])}")
    print(f"\n{falsify.table(searched)}\n")
    for name in with_part("summary"):
        print(picture(name).summary(results[name]))
    write_json(
        {
            "stamp": provenance,
            "statements": reports,
            "agreement": results["agreement"],
            "falsify": searched,
        },
        args.json,
    )
    failed = sum(report["violations"] for report in reports)
    if failed:
        print(f"{failed} violations", file=sys.stderr)
    return 1 if failed or falsify.complain(searched) else 0


def _tasks(problems: int, quick: bool, seed: int) -> dict[str, workers.Task]:
    """Checks, searches and the data of figures; those that take longest come first."""
    from experiments.checks import agreement

    restarts, steps = (2, 10) if quick else (RESTARTS, STEPS)
    tasks: dict[str, workers.Task] = {
        **{n: (verify.verify_one, (n, problems, seed)) for n in verify.statements()},
        "agreement": (agreement.agreement, (problems, seed)),
        **{
            name: (falsify.falsify_one, (name, restarts, steps, seed))
            for name in falsify.claims()
        },
        **{name: (_compute, (name, quick, seed)) for name in with_part("compute")},
    }
    return {name: tasks[name] for name in schedule.in_order(tasks)}


def _compute(name: str, quick: bool, seed: int) -> dict:
    """The data of a picture."""
    with bar(f"figure {name}") as progress:
        return picture(name).compute(generator(seed, name), quick, progress)


def _keep(name: str, data: dict, provenance: dict, folder: Path) -> None:
    """Save the data of a picture, and draw it."""
    figures.save_data(data, provenance | {"figure": name}, folder, name)
    figures.draw(name, folder)
    print(f"{folder / name}.svg", flush=True)

"""`pattern-selection reproduce`: check the paper's results and draw their figures."""

import argparse
import sys
from pathlib import Path

from experiments import falsify, figures, verify
from experiments.errors import UserError
from experiments.output import check_writable_file, check_writable_folder, write_json
from experiments.pictures import COMPUTED, FROM_REPORT
from experiments.progress import bar

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
    import numpy as np

    from experiments import agreement
    from experiments.stamp import stamp

    if args.problems < 1:
        raise UserError(f"--problems {args.problems}: give a positive number.")
    if args.precision != "float64":
        raise UserError("--precision float32: theorem checks run in float64 only.")
    check_writable_file(args.json)
    check_writable_folder(args.out / "data")
    problems = min(args.problems, 200) if args.quick else args.problems
    config = {"command": "reproduce", "problems": problems, "quick": args.quick}
    provenance = stamp(config, args.seed)
    reports = verify.verify(verify.IDS, problems, args.seed)
    _forget_programs()
    print(verify.table(reports), flush=True)
    agree = agreement.agreement(problems, args.seed)
    print(f"\n{agreement.table(agree)}\n", flush=True)
    restarts, steps = (2, 10) if args.quick else (RESTARTS, STEPS)
    searched = falsify.falsify(falsify.claims(), restarts, steps, args.seed)
    _forget_programs()
    print(f"{falsify.table(searched)}\n", flush=True)
    write_json(
        {
            "stamp": provenance,
            "statements": reports,
            "agreement": agree,
            "falsify": searched,
        },
        args.json,
    )
    report = figures.picture(FROM_REPORT).collect(reports)
    _keep(FROM_REPORT, report, provenance, args.out)
    for index, name in enumerate(COMPUTED):
        rng = np.random.default_rng([args.seed, 100 + index])
        with bar(f"figure {name}") as progress:
            data = figures.picture(name).compute(rng, args.quick, progress)
        _keep(name, data, provenance, args.out)
        if hasattr(figures.picture(name), "summary"):
            print(figures.picture(name).summary(data), flush=True)
    failed = sum(report["violations"] for report in reports)
    if failed:
        print(f"{failed} violations", file=sys.stderr)
    return 1 if failed or falsify.complain(searched) else 0


def _keep(name: str, data: dict, provenance: dict, folder: Path) -> None:
    """Save the data of a picture, and draw it."""
    figures.save_data(data, provenance | {"figure": name}, folder, name)
    figures.draw(name, folder)
    print(f"{folder / name}.svg", flush=True)
    _forget_programs()


def _forget_programs() -> None:
    """Free compiled programs: a process may hold 65,530 pieces of memory on Linux.

    Every program takes some; with all of them, the compiler fails for want of memory.
    """
    import jax

    jax.clear_caches()

"""`pattern-selection verify`: statements against simulation, worst case first."""

import argparse
import sys
import time

from experiments.commands import explain, schedule
from experiments.runtime import workers
from experiments.runtime.keys import generator
from experiments.runtime.output import check_writable_file, write_json
from experiments.runtime.progress import bar
from experiments.text.errors import UserError, choose_from

QUANTILES = (0.0, 0.01, 0.5, 0.99, 1.0)
MOST_PROBLEMS = 10**9
CHUNK = 20_000  # problems in memory at once
# A proved claim that fails, and a counterexample that no longer is one, fail the run;
# expansions without error bound, and wordings reported without proof, are only shown.
COUNTED = ("proved", "refuted")
FOOTER = (
    "margin: how far the worst problem is from violating the claim; below 0 by no more",
    "than rounding is no violation. Violations of other claims than those proved or",
    "refuted are shown, and do not make the command fail.",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `verify`."""
    parser.add_argument(
        "ids",
        nargs="*",
        metavar="ID",
        help="statements, as in A1 C7 (default: all)",
    )
    parser.add_argument(
        "--list", action="store_true", help="list the statements and stop"
    )
    parser.add_argument(
        "--problems",
        type=int,
        default=100_000,
        metavar="N",
        help="random problems per statement (default 100000); slow claims use fewer, "
        "as the table says",
    )


def statements() -> tuple[str, ...]:
    """The ids of all statements."""
    import theory  # takes a while to import

    return tuple(theory.STATEMENTS)


def verify(ids, problems: int, seed: int) -> list[dict]:
    """One report per statement, in the order of `ids`."""
    tasks = {n: (verify_one, (n, problems, seed)) for n in schedule.in_order(ids)}
    reports = workers.run(tasks)
    return [reports[name] for name in ids]


def repeat(config: dict) -> dict:
    """The report of one statement again, for the `config` of its stamp."""
    return verify_one(config["id"], config["problems"], config["seed"])


def verify_one(name: str, problems: int, seed: int) -> dict:
    """The report of one statement; `problems` counts each claim's true number.

    All chunks, one after the other; between chunks only margins are kept.
    """
    import numpy as np

    import theory
    from experiments.checks import CheckResult, Job, by_claim, check_of
    from experiments.runtime.stamp import stamp
    from simulator.engines import ensembles

    statement = theory.STATEMENTS[name]
    # The key of a statement does not depend on which others are checked.
    rng = generator(seed, statement.id)
    started = time.perf_counter()
    results: list[CheckResult] = []
    chunks = -(-problems // CHUNK)
    for chunk in range(chunks):
        number = min(CHUNK, problems - chunk * CHUNK)
        label = f"{statement.id} {chunk + 1}/{chunks}"
        with bar(label) as progress, ensembles.no_small_programs():
            job = Job(rng, number, problems, chunk * CHUNK, progress)
            results = by_claim([*results, *check_of(statement.id)(job)])
    status = {claim.id: claim.status for claim in statement.claims}
    claims = [_claim_report(result, status[result.id], np) for result in results]
    known = [claim for claim in claims if claim["worst_margin"] is not None]
    worst = min(
        known,
        key=lambda claim: (claim["status"] not in COUNTED, claim["worst_margin"]),
        default=claims[0],
    )
    counted = [claim for claim in claims if claim["status"] in COUNTED]
    config = {"command": "verify", "id": name, "problems": problems, "seed": seed}
    unchecked = sorted(set(status) - {claim["id"] for claim in claims})
    return {
        "id": statement.id,
        "title": statement.title,
        "problems": max(claim["problems"] for claim in claims),
        "violations": sum(claim["violations"] for claim in counted),
        "unresolved": max(claim["unresolved"] for claim in claims),
        "worst_margin": worst["worst_margin"],
        "tightness": worst["tightness"],
        "worst_problem": worst["worst_problem"],
        "claims": claims,
        "unchecked": unchecked,
        "cells": [cell for result in results for cell in result.cells or ()],
        "seconds": time.perf_counter() - started,
        "stamp": stamp(config, seed),
    }


def _claim_report(result, status: str, np) -> dict:
    margins = result.margins
    quantiles = np.quantile(margins, QUANTILES) if margins.size else []
    return {
        "id": result.id,
        "status": status,
        "problems": int(margins.size),
        "violations": result.violations,
        "unresolved": result.unresolved,
        "worst_margin": result.lowest if margins.size else None,
        "margin_is": result.measures,
        "allowance": result.allowance,
        "tightness": {
            f"{q:g}": float(v) for q, v in zip(QUANTILES, quantiles, strict=False)
        },
        "worst_problem": result.worst,
        "note": result.note,
    }


def table(reports: list[dict]) -> str:
    """The summary for people: one row per claim."""
    head = f"{'claim':<20} {'problems':>8} {'violations':>10} {'unresolved':>10} "
    rows = [head + f"{'worst margin':>13}  {'status':<11} note"]
    for report in reports:
        for claim in report["claims"]:
            margin = claim["worst_margin"]
            shown = "-" if margin is None else f"{margin:.3g}"
            rows.append(
                f"{claim['id']:<20} {claim['problems']:>8} {claim['violations']:>10} "
                f"{claim['unresolved']:>10} {shown:>13}  {claim['status']:<11} "
                f"{claim['note']}".rstrip()
            )
        if report["cells"]:
            rows += ["", *_cell_rows(report), ""]
    return "\n".join([*rows, "", *FOOTER])


def _cell_rows(report: dict) -> list[str]:
    """Rows of measured and predicted shares, by reading of A4."""
    rows = [
        f"{report['id']} by reading of Assumption 5.5: (1) accuracy rises at first, "
        "(2) the winner is the worst pattern",
        f"{'reading':<28} {'K':>5} {'tilt c':>6} {'draws':>7} {'P(1)':>7} "
        f"{'theory':>7} {'P(2)':>7} {'theory':>7}",
    ]
    for cell in report["cells"]:
        shares = (
            cell[key] for key in ("rise", "rise_predicted", "worst", "worst_predicted")
        )
        rows.append(
            f"{cell['reading']:<28} {cell['K']:>5} {cell['c']:>6g} {cell['draws']:>7} "
            + " ".join(f"{x:>7.3f}" if x == x else f"{'-':>7}" for x in shares)
        )
    return rows


def main(args: argparse.Namespace) -> int:
    """Exit code 1 if any claim is violated."""
    if args.list and (args.ids or args.json):
        raise UserError("--list goes alone; explain ID --json FILE says more of one.")
    if args.list:
        print(explain.statements_table())
        return 0
    known = statements()
    for name in args.ids:
        whole, dot, _ = name.partition(".")
        if dot and whole in known:
            raise UserError(
                f"{name}: claims are checked with their statement; give {whole}."
            )
        if name not in known:
            raise UserError(f"statement {name} is unknown; {choose_from(name, known)}.")
    if not 1 <= args.problems <= MOST_PROBLEMS:
        raise UserError(f"--problems {args.problems}: give 1 to {MOST_PROBLEMS:,}.")
    if args.precision != "float64":
        raise UserError("--precision float32: theorem checks run in float64 only.")
    check_writable_file(args.json)
    reports = verify(tuple(dict.fromkeys(args.ids)) or known, args.problems, args.seed)
    if args.json != "-":
        print(table(reports))
    write_json(reports, args.json)
    failed = sum(report["violations"] for report in reports)
    if failed:
        print(f"{failed} violations", file=sys.stderr)
    return 1 if failed else 0

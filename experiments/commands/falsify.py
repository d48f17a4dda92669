"""`pattern-selection falsify`: search for the problem that breaks a claim."""

import argparse
import sys
import time

from experiments.runtime import workers
from experiments.runtime.keys import generator
from experiments.runtime.output import check_writable_file, write_json
from experiments.runtime.progress import bar
from experiments.text.errors import UserError

MOST_RESTARTS, MOST_STEPS = 10_000, 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `falsify`."""
    parser.add_argument(
        "ids",
        nargs="*",
        metavar="ID",
        help="a statement (A2) or one claim (A2.upper); default: all that have a "
        "margin to search: inequalities of the policy-gradient flow, one best pattern",
    )
    parser.add_argument(
        "--restarts",
        type=int,
        default=32,
        metavar="N",
        help="random starts per claim and direction (default 32)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=200,
        metavar="N",
        help="gradient steps per start (default 200)",
    )


def falsify(names: list[str], restarts: int, steps: int, seed: int) -> list[dict]:
    """One report per claim, in the order of `names`."""
    tasks = {name: (falsify_one, (name, restarts, steps, seed)) for name in names}
    reports = workers.run(tasks)
    return [reports[name] for name in names]


def repeat(config: dict) -> dict:
    """The report of one claim again, for the `config` of its stamp."""
    names = ("id", "restarts", "steps", "seed")
    return falsify_one(*(config[name] for name in names))


def falsify_one(name: str, restarts: int, steps: int, seed: int) -> dict:
    """The report of one claim."""
    import theory
    from experiments.runtime.stamp import stamp
    from experiments.search.adversary import search
    from experiments.search.targets import TARGETS

    claims = theory.STATEMENTS[name.split(".")[0]].claims
    (status,) = (claim.status for claim in claims if claim.id == name)
    target, started = TARGETS[name], time.perf_counter()
    # The key of a claim does not depend on which others are searched.
    rng = generator(seed, name)
    with bar(name) as progress:
        found = search(target, rng, restarts, steps, progress)
    tightest, loosest = (
        _instance(target, it) for it in (found.tightest, found.loosest)
    )
    counts = {"restarts": restarts, "steps": steps, "seed": seed}
    return {
        "id": name,
        "status": status,
        "margin_is": target.measures,
        "verdict": tightest["verdict"] if tightest else "unsettled",
        "restarts": found.restarts,
        "evaluations": found.evaluations,
        "unresolved": found.unresolved,
        "tightest": tightest,
        "loosest": loosest,
        "seconds": time.perf_counter() - started,
        "stamp": stamp({"command": "falsify", "id": name, **counts}, seed),
    }


def _instance(target, found) -> dict | None:
    """An instance with its margin in 50 digits; None if nothing was settled."""
    import numpy as np

    from experiments.search.recheck import recheck

    if found is None:
        return None
    rates, log_policy, gap, margin = found
    precise = recheck(target, rates, log_policy, gap)
    return {
        "margin": margin,
        "margin_50_digits": precise.margin,
        "error": precise.error,
        "verdict": precise.verdict,
        "success_rates": rates,
        "policy": np.exp(log_policy),
        "log_policy": log_policy,
        "gap": gap,
    }


def table(reports: list[dict]) -> str:
    """The summary for people: one row per claim."""
    rows = [
        f"{'claim':<15} {'status':<8} {'evaluations':>11} {'unresolved':>10} "
        f"{'smallest':>10} {'largest':>9}  {'verdict':<9} margin"
    ]
    for report in reports:
        ends = [_shown(report[end]) for end in ("tightest", "loosest")]
        rows.append(
            f"{report['id']:<15} {report['status']:<8} {report['evaluations']:>11} "
            f"{report['unresolved']:>10} {ends[0]:>10} {ends[1]:>9}  "
            f"{report['verdict']:<9} {report['margin_is']}"
        )
    return "\n".join(rows)


def _shown(instance: dict | None) -> str:
    return "-" if instance is None else f"{float(instance['margin_50_digits']):.3g}"


def claims() -> list[str]:
    """All claims that can be searched."""
    from experiments.search.targets import TARGETS

    return list(TARGETS)


def _chosen(ids: list[str]) -> list[str]:
    """The claims that are named, by themselves or by their statement."""
    known = claims()
    chosen: list[str] = []
    for name in ids:
        matches = [k for k in known if name in (k, k.split(".")[0])]
        if not matches:
            raise UserError(
                f"{name} has no margin to search; choose from {', '.join(known)}."
            )
        chosen += matches
    return list(dict.fromkeys(chosen)) or known


def complain(reports: list[dict]) -> bool:
    """Name proved claims that are refuted, and refuted ones that are not, if any."""
    wrong = [
        report["id"]
        for report in reports
        if (report["status"] == "proved") == (report["verdict"] == "refuted")
    ]
    if wrong:
        print(f"not as claimed: {', '.join(wrong)}", file=sys.stderr)
    return bool(wrong)


def main(args: argparse.Namespace) -> int:
    """Exit code 1 if a proved claim is refuted, or a refuted one is not."""
    for option, most in (("restarts", MOST_RESTARTS), ("steps", MOST_STEPS)):
        value = getattr(args, option)
        if not 1 <= value <= most:
            raise UserError(f"--{option} {value}: give a number from 1 to {most}.")
    if args.precision != "float64":
        raise UserError("--precision float32: the search runs in float64 only.")
    check_writable_file(args.json)
    reports = falsify(_chosen(args.ids), args.restarts, args.steps, args.seed)
    if args.json != "-":
        print(table(reports))
    write_json(reports, args.json)
    return 1 if complain(reports) else 0

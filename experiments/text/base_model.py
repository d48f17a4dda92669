"""One question and its base model, from the options of the command line."""

import argparse
import sys
from typing import Any

from experiments.text.errors import UserError

NAMES = ("success_rates", "policy", "logits", "answer_kernel", "attributes")
ROUNDING = 1e-9  # of a sum that was meant to be 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that describe one question."""
    number: dict[str, Any] = {"nargs": "+", "type": float, "metavar": "X"}
    parser.add_argument(
        "--success-rates",
        help="probability of a correct answer, per pattern",
        **number,
    )
    parser.add_argument(
        "--policy", help="base model: probability of each pattern, sum 1", **number
    )
    parser.add_argument(
        "--logits", help="base model by logits, instead of --policy", **number
    )
    parser.add_argument(
        "--answer-kernel",
        nargs="+",
        metavar="ROW",
        help="answer probabilities, one row per pattern, the correct answer first: "
        "0.9,0.1 0.6,0.4",
    )


def add_attributes(parser: argparse.ArgumentParser) -> None:
    """The option of attributes."""
    parser.add_argument(
        "--attribute",
        action="append",
        metavar="NAME=X,X,...",
        help="another number per pattern, whose mean is said: held-out=0.7,0.8,0.2 "
        "(may be repeated)",
    )


def attributes(texts: list[str] | None) -> dict[str, list[float]]:
    """The attributes that are given, by name. Raises `UserError`."""
    from simulator.problem_checks import check_attribute_name

    columns: dict[str, list[float]] = {}
    for text in texts or ():
        name, equals, row = text.partition("=")
        try:
            check_attribute_name(name)
        except ValueError as error:
            raise UserError(f"--attribute {text}: {error}") from None
        try:
            values = [float(x) for x in row.split(",")]
        except ValueError:
            raise UserError(
                f"--attribute {text}: give a number for each pattern, as in "
                "held-out=0.7,0.8,0.2."
            ) from None
        if name in columns:
            raise UserError(f"--attribute {text}: {name} is given twice; give it once.")
        columns[name] = values
    return columns


def given(args: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `simulator.Problem`; None for those that were not given."""
    if args.policy is not None:
        note_sums("--policy", args.policy)
    return {
        "success_rates": args.success_rates,
        "policy": args.policy,
        "logits": args.logits,
        "answer_kernel": _kernel(args.answer_kernel),
        "attributes": attributes(getattr(args, "attribute", None)) or None,
    }


def note_sums(name: str, policies: Any) -> None:
    """Say so on stderr if policies are divided by sums that are close to 1."""
    import numpy as np

    from simulator.problem_checks import SUM_TOLERANCE

    sums = np.atleast_1d(policies).sum(axis=-1, keepdims=True)
    apart = np.abs(sums - 1)
    off = sums[(apart > ROUNDING) & (apart <= SUM_TOLERANCE)]
    if off.size:
        print(
            f"note: {name} sums to {off[0]:.8g}; divided by the sum.", file=sys.stderr
        )


def _kernel(rows: list[str] | None) -> list[list[float]] | None:
    if rows is None:
        return None
    try:
        return [[float(x) for x in row.split(",")] for row in rows]
    except ValueError:
        raise UserError(
            f"--answer-kernel {' '.join(rows)}: rows are numbers joined by commas, as "
            "in 0.9,0.1 0.6,0.4."
        ) from None

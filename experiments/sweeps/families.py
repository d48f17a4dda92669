"""Families of base models: a few numbers become success rates and a base policy.

A family is a function of arrays `[n]`, one entry per cell, that gives `BaseModels`. Its
parameters with their defaults and ranges are listed in `FAMILIES`; each can be an axis
of a sweep. Where a signal looks at answers, patterns of a family give two, the right
one and a wrong one; `random` has as many as one likes.
"""

from typing import Any

import numpy as np

from experiments.sweeps import attributes, base_models, given_models
from experiments.sweeps.family import Family, Parameter, check
from experiments.text.errors import UserError, choose_from

_SHARE = (0.0, 1.0)
_RATES = {
    "best_rate": Parameter(0.9, *_SHARE, "success rate of the best pattern"),
    "rival_rate": Parameter(0.6, *_SHARE, "success rate of its rival"),
    "bad_rate": Parameter(0.1, *_SHARE, "success rate of the others"),
}
_THREE = {
    "best_probability": Parameter(0.05, *_SHARE, "pi_0 of the best pattern"),
    "gap": Parameter(0.3, *_SHARE, "lead of its success rate over the rival's"),
    "rival_rate": _RATES["rival_rate"],
    "bad_rate": _RATES["bad_rate"],
    "rival_share": Parameter(0.75, *_SHARE, "the rival's share of the other mass"),
}
_PATTERNS = Parameter(8, 2, 10_000, "number of patterns K", whole=True)
_DRAW = Parameter(0, 0, 2**32 - 1, "number of the random draw", whole=True)

FAMILIES: dict[str, Family] = {
    "rival": Family(
        "three patterns: the best one, a rival, a bad one",
        _THREE
        | {
            "overconfidence": Parameter(
                0.0, -1, 1, "the model's confidence in the rival, beyond its rate"
            )
        },
        base_models.rival,
        3,
    ),
    "crowd": Family(
        "a best pattern, a rival and K - 2 bad ones, by their probabilities",
        {
            "patterns": _PATTERNS,
            "best_probability": Parameter(0.01, *_SHARE, "pi_0 of the best pattern"),
            "bad_probability": Parameter(0.2, *_SHARE, "pi_0 of all bad ones together"),
            **_RATES,
        },
        base_models.crowd,
        None,
    ),
    "entangled": Family(
        "the same by the entanglement gamma (for K = 2 it is 1)",
        {
            "patterns": _PATTERNS,
            "gamma": Parameter(6, 1, 1e300, "(1 - pi_0 of the rival)/pi_0 of the best"),
            "rival_probability": Parameter(0.7, *_SHARE, "pi_0 of the rival"),
            **_RATES,
        },
        base_models.entangled,
        None,
    ),
    "random": Family(
        "random success rates and logits; wrong answers equally likely",
        {
            "patterns": _PATTERNS,
            "spread": Parameter(2, 0, 300, "standard deviation of the logits"),
            "tilt": Parameter(0, -1, 1, "c of the rates' density 1 + c (2 s - 1)"),
            "temperature": Parameter(1, 1e-3, 1e3, "divides the logits"),
            "answers": Parameter(2, 2, 1000, "number of answers", whole=True),
            "draw": _DRAW,
        },
        base_models.random,
        None,
    ),
    "confident": Family(
        "random patterns whose confidence correlates with their success rate",
        {
            "patterns": _PATTERNS,
            "correlation": Parameter(0.5, -1, 1, "of confidence and rate (normal)"),
            "entropy": Parameter(0.7, 0, 1, "base entropy, as a share of log K"),
            "draw": _DRAW,
        },
        base_models.confident,
        None,
    ),
    "warm-start": Family(
        "`rival` after supervised fine-tuning on demonstrations",
        _THREE
        | {
            "quality": Parameter(
                0.5, *_SHARE, "share of demonstrations of the best pattern; rest: rival"
            ),
            "length": Parameter(1, 0, 1e9, "learning rate times steps of SFT"),
        },
        base_models.warm_start,
        3,
    ),
}
STATIC = ("answers",)  # they decide on shapes


def read(table: Any) -> tuple[Family, dict[str, float]]:
    """The family of the table `[model]`, and the values that it fixes.

    Raises `UserError` with what is allowed.
    """
    from experiments.text import objects

    if not isinstance(table, dict):
        raise UserError("[model] must be a table with a family and its parameters.")
    own = dict(table)
    if "family" in own:
        name = own.pop("family")
        if not isinstance(name, str) or name not in FAMILIES:
            raise UserError(
                f"family {name!r} is unknown; {choose_from(name, FAMILIES)}."
            )
        family = FAMILIES[name]
        if attributes.KEY in own:
            family = attributes.added(family, own.pop(attributes.KEY))
    elif own.keys() & {*given_models.GIVEN}:
        family, own = given_models.family(own)
    else:
        raise UserError(_no_family(own))
    values = {}
    for key, value in own.items():
        if key not in family.parameters:
            allowed = choose_from(key, family.parameters)
            raise UserError(f"model has no parameter {key!r}; {allowed}.")
        values[key] = objects.numbers(value, key, 0)
        check(family.parameters[key], key, np.array([values[key]]))
    defaults = {name: p.default for name, p in family.parameters.items()}
    return family, defaults | values


def _no_family(table: dict[str, Any]) -> str:
    """What to add to a `[model]` that has neither a family nor base models."""
    fits = [n for n, family in FAMILIES.items() if table.keys() <= {*family.parameters}]
    return (
        "[model] has no family and no base models; give family = NAME "
        f"({', '.join(fits or FAMILIES)}), success_rates and policy, or file = NAME."
    )

"""Attributes of the patterns in sweeps: `[model.attributes]`, and what is recorded.

    [model.attributes]
    factuality = [0.2, 0.7, 0.4]     a number for each pattern, or a row for each model

`attribute_factuality` is its mean under the policy, `highest_attribute_factuality` and
`lowest_attribute_factuality` are the extreme ones on the way.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from experiments.sweeps.family import Family
from experiments.sweeps.registry import Observable
from experiments.text import objects
from experiments.text.errors import UserError, choose_from

KEY = "attributes"
NAME = r"(?:(highest|lowest)_)?attribute_([a-z][a-z0-9_-]*)"
EVENTS = {"highest": "HighestAttribute", "lowest": "LowestAttribute"}


def find(name: str) -> Observable | None:
    """The observable of this name, if it is one of an attribute."""
    known = re.fullmatch(NAME, name)
    if known is None:
        return None
    which, column = known.groups()
    if which is None:

        def at_policy(policy):
            return _mean(policy.log_probs, policy.attributes[column])

        text = f"mean of the attribute {column} at the end"
        return Observable(text, "1", at_policy, "policy")
    event = f"{EVENTS[which]}:{column}"

    def on_the_way(run):
        return _mean(run.log_probs(event), run.attributes[column])

    text = f"{which} mean of the attribute {column} on the way"
    return Observable(text, "1", on_the_way, "run", (event,))


def _mean(log_probs: Any, values: Any) -> Any:
    import simulator as sim

    return sim.mean_value(log_probs, values)


def event(text: str) -> Any:
    """The event of a class, or of a class and an attribute, `HighestAttribute:NAME`."""
    import simulator as sim

    kind, _, column = text.partition(":")
    return getattr(sim, kind)(*[column] * bool(column))


def numbers(table: Any, depth: int) -> dict[str, Any]:
    """The rows of `[model.attributes]`. Raises `UserError` for what is none."""
    from simulator.problem_checks import check_attribute_name

    if not isinstance(table, dict):
        raise UserError("model: attributes is a table, [model.attributes] NAME = [..].")
    for name in table:
        try:
            check_attribute_name(name)
        except ValueError as error:
            raise UserError(f"model: {error}") from None
    return {name: objects.numbers(row, name, depth) for name, row in table.items()}


def added(family: Family, table: Any) -> Family:
    """The family with attributes, the same for all of its base models."""
    rows = numbers(table, 1)
    for name, row in rows.items():
        if family.patterns is None:
            raise UserError(
                "model: attributes need base models of a certain number of patterns: "
                "family = 'rival', 'warm-start', or base models in full."
            )
        if np.shape(row) != (family.patterns,) or not np.isfinite(row).all():
            raise UserError(
                f"model: {name} = {objects.brief(row)}; give {family.patterns} finite "
                "numbers, one per pattern."
            )

    def build(v, width, seed):
        base = family.build(v, width, seed)
        shape = np.shape(base.success_rates)
        columns = {name: np.broadcast_to(row, shape) for name, row in rows.items()}
        return base._replace(attributes=columns)

    return dataclasses.replace(family, build=build, attributes=tuple(rows))


def check(family: Family, record: Iterable[str], roots: Mapping[str, Any]) -> None:
    """Raise `UserError` for an attribute that the base models do not have."""
    asked = {match[2] for name in record if (match := re.fullmatch(NAME, name))}
    asked |= set(getattr(roots.get("signal"), "columns", ()))
    asked |= {getattr(roots.get("until"), "column", None)} - {None}
    for name in sorted(asked - set(family.attributes)):
        if not family.attributes:
            raise UserError(f"{name} is no attribute; give [model.attributes] {name}.")
        allowed = choose_from(name, family.attributes)
        raise UserError(f"{name} is no attribute; {allowed}.")

"""Events by name, as the command line and sweep files write them: `gap=1e-3`, `t0`.

They are those that are recorded at their first change of sign, and have no field but a
`level` between 0 and 1, or a `pattern`, numbered from 0, or the name of an attribute
(`column`) and any level.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

from experiments.text import catalogue
from experiments.text.errors import UserError
from experiments.text.numbers import as_number

REST = "rest"
# With what an event of these fields is written.
ARGUMENTS: dict[tuple[str, ...], str | None] = {
    (): None,
    ("level",): "LEVEL",
    ("pattern",): "N",
    ("column", "level"): "NAME,LEVEL",
}


def entries() -> dict[str, catalogue.Entry]:
    """The events by name; `argument` tells with which number one is written."""
    return {
        name: entry
        for name, entry in catalogue.events().items()
        if "AbstractFirst" in entry.bases
        and tuple(field.name for field in entry.fields) in ARGUMENTS
    }


def argument(entry: catalogue.Entry) -> str | None:
    """What the event is written with: `LEVEL`, `N` (a pattern), `NAME,LEVEL`, none."""
    return ARGUMENTS[tuple(field.name for field in entry.fields)]


def example(entry: catalogue.Entry):
    """An event of this kind, to ask what it knows."""
    some: dict[str | None, list[Any]] = {None: [], "LEVEL": [0.5], "N": [0]}
    some["NAME,LEVEL"] = ["held-out", 0.5]
    return entry.load()(*some[argument(entry)])


def described() -> str:
    """The events in words, for help."""
    texts = []
    for form, entry in zip(forms().values(), entries().values(), strict=True):
        text = entry.summary.rstrip(".").replace("`", "")
        texts.append(f"{form}: {text[:1].lower()}{text[1:]}")
    return "; ".join([*texts, f"{REST}: at rest, or at the time limit"])


def forms() -> dict[str, str]:
    """How each event is written, by name."""
    return {
        name: f"{name}={argument(entry)}" if entry.fields else name
        for name, entry in entries().items()
    }


def read(text: str, option: str, known: Sequence[str] | None = None):
    """The event written as `text`; None for `rest`.

    `known`: the forms that an error offers (default: all).

    Raises `UserError` with the option, what was given and what is allowed.
    """
    if text == REST:
        return None
    name, equals, level = text.partition("=")
    entry = entries().get(name)
    kind = None if entry is None else argument(entry)
    if entry is not None and kind is None and not equals:
        return entry.load()()
    if entry is not None and kind == "N" and re.fullmatch(r"\d{1,9}", level):
        return entry.load()(int(level))
    if entry is not None and kind == "NAME,LEVEL":
        column, _, level = level.rpartition(",")
        value = as_number(level)
        if column and math.isfinite(value):
            return entry.load()(column, value)
        raise UserError(f"{option} {text}: give {forms()[name]}.")
    value = as_number(level)
    if entry is None or kind != "LEVEL" or not 0 < value < 1:
        allowed = ", ".join(known or [*forms().values(), REST])
        raise UserError(
            f"{option} {text}: give one of {allowed}, with a level between 0 and 1 or "
            "the number of a pattern, from 0 on."
        )
    _check_kept(value, f"{option} {text}")
    return entry.load()(value)


def _check_kept(level: float, given: str) -> None:
    """Raise `UserError` if floats make 0 or 1 of the level."""
    import jax

    limits = jax.numpy.finfo(jax.dtypes.canonicalize_dtype(float))
    if limits.tiny <= level <= 1 - limits.epsneg:
        return
    other = ", or --precision float64" if limits.bits == 32 else ""
    raise UserError(
        f"{given}: the level counts as {round(level)} in {limits.dtype}; give one from "
        f"{limits.tiny:.3g} to 1 - {limits.epsneg:.3g}{other}."
    )


def never(event, given: str, best: float, otherwise: str) -> UserError:
    """Why an event that cannot happen does not, to be raised.

    `best`: the best success rate, or the mean of those of several questions.
    `otherwise`: what else can be asked for than a level just below it.
    """
    import simulator as sim

    said = f"{given} is never reached"
    if isinstance(event, sim.Accuracy) and event.level == best:
        return UserError(
            f"{said}: accuracy may come near the best rate, {best:g}, and never gets "
            f"there; give a level just below it{otherwise}."
        )
    known = {
        "Accuracy": f"no pattern of the base model is right more often than {best:g}",
        "T0": f"all patterns of the base model are right equally often, {best:g}",
        "Crossing": "some other pattern is always more likely than the best one",
        "Leads": "some other pattern is always more likely than this one",
    }
    if hasattr(event, "column"):
        return UserError(
            f"{said}: no pattern of the base model has an attribute beyond this level; "
            "give another level."
        )
    reason = known.get(type(event).__name__, "it cannot happen to this base model")
    return UserError(f"{said}: {reason}; give another event or level.")


def write(event) -> str:
    """The text that `read` takes for this event."""
    kind = type(event).__name__
    for name, entry in entries().items():
        if entry.class_name == kind:
            given = [getattr(event, field.name) for field in entry.fields]
            texts = [x if isinstance(x, str) else repr(x.item()) for x in given]
            return f"{name}={','.join(texts)}" if texts else name
    raise ValueError(f"{kind} has no name on the command line")

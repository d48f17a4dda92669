"""The axes of a sweep: a name, and the values along it.

gap = [0.01, 0.1, 0.5]                   # numbers, or names of parts
gap = {linspace = [0.01, 0.5, 50]}       # both ends and how many
gap = {logspace = [0.01, 0.5, 50]}       # the same in equal ratios
gap = {uniform = [0.01, 0.5, 50]}        # random; also loguniform, normal, beta
draw = {count = 1000}                    # 0, 1, ..., 999
model.gap = [0.01, 0.1]                  # by its full name, in quotes or not
"""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.runtime.keys import generator
from experiments.text.errors import UserError

LONGEST = 10**8
Values = np.ndarray


@dataclass(frozen=True)
class Axis:
    """`name` as in the file; `values` are numbers or names, all different.

    `kind`: how they were written, `list` or a law as `logspace`. `labels`: what stands
    for the numbers in the store, if these only count.
    """

    name: str
    values: Values
    kind: str = "list"
    labels: Values | None = None

    @property
    def shown(self) -> Values:
        """The coordinate in the store."""
        return self.values if self.labels is None else self.labels

    @property
    def dim(self) -> str:
        """The dimension in the store: a Python name."""
        return self.name.replace(".", "_").replace("-", "_")


def _linspace(rng, low, high, count):
    return np.linspace(low, high, count)


def _logspace(rng, low, high, count):
    if not (low > 0 and high > 0):
        raise UserError("equal ratios need ends above 0")
    return np.geomspace(low, high, count)


def _uniform(rng, low, high, count):
    if not low < high:
        raise UserError("the first number must be below the second")
    return rng.uniform(low, high, count)


def _loguniform(rng, low, high, count):
    if not 0 < low < high:
        raise UserError("give two rising numbers above 0")
    return np.exp(rng.uniform(math.log(low), math.log(high), count))


def _normal(rng, mean, deviation, count):
    if not deviation > 0:
        raise UserError("the second number, the standard deviation, must be above 0")
    return rng.normal(mean, deviation, count)


def _beta(rng, a, b, count):
    if not (a > 0 and b > 0):
        raise UserError("both parameters must be above 0")
    return rng.beta(a, b, count)


KINDS: dict[str, Callable[..., Values]] = {
    "linspace": _linspace,
    "logspace": _logspace,
    "uniform": _uniform,
    "loguniform": _loguniform,
    "normal": _normal,
    "beta": _beta,
}


def named(table: dict[str, Any], roots: Collection[str]) -> Iterator[tuple[str, Any]]:
    """The name of each axis and what the file gives for it.

    Without quotes, TOML reads `model.gap = ...` as a table within a table.
    """
    for name, given in table.items():
        root, *path = name.split(".")
        inside = root in roots and isinstance(given, dict)
        # `beta` is a parameter of updates, and a law of random axes.
        if inside and given and not (path and given.keys() & {*KINDS, "count"}):
            yield from named({f"{name}.{k}": v for k, v in given.items()}, roots)
        else:
            yield name, given


def read(name: str, given: Any, seed: int, most: int = LONGEST) -> Axis:
    """The axis written in a sweep file, with at most that many values.

    Raises `UserError` with the axis, what was given and what is allowed.
    """
    try:
        if isinstance(given, list):
            values = _list(given)
        else:
            values = _table(name, given, seed, most)
        if len(values) > most:
            raise UserError(f"{len(values):,} values; at most {most:,}")
    except UserError as error:
        raise UserError(f"axis {name}: {error}.") from None
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise UserError(f"axis {name}: values must be finite numbers.")
    if len(np.unique(values)) < len(values):
        raise UserError(f"axis {name}: a value comes twice; give each value once.")
    return Axis(name, values, "list" if isinstance(given, list) else next(iter(given)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _list(given: list) -> Values:
    if not given:
        raise UserError("the list is empty; give at least one value")
    if all(isinstance(value, str) for value in given):
        return np.array(given, dtype=object)
    if not all(_is_number(value) for value in given):
        raise UserError("a list holds numbers, or names, and nothing else")
    try:
        return np.array(given, dtype=float)
    except OverflowError:
        raise UserError("a number is too large") from None


def _table(name: str, given: Any, seed: int, most: int) -> Values:
    if not isinstance(given, dict) or len(given) != 1:
        allowed = ", ".join((*KINDS, "count"))
        raise UserError(f"give a list, or a table with one of {allowed}")
    ((kind, numbers),) = given.items()
    if kind == "count":
        return np.arange(_count(numbers, most), dtype=float)
    if kind not in KINDS:
        allowed = ", ".join((*KINDS, "count"))
        raise UserError(f"{kind!r} is unknown; choose from {allowed}")
    listed = isinstance(numbers, list) and len(numbers) == 3
    if not listed or not all(map(_is_number, numbers)):
        raise UserError(f"{kind} needs three numbers, [first, second, how many]")
    try:
        first, second = (float(x) for x in numbers[:2])
    except OverflowError:
        raise UserError("a number is too large") from None
    if not (math.isfinite(first) and math.isfinite(second)):
        raise UserError(f"{kind} needs finite numbers")
    if not math.isfinite(second - first):
        raise UserError(f"{first:g} and {second:g} are too far apart")
    # Every axis has randomness of its own, whatever the others are.
    rng = generator(seed, name)
    return KINDS[kind](rng, first, second, _count(numbers[2], most))


def _count(given: Any, most: int) -> int:
    whole = isinstance(given, int) and not isinstance(given, bool)
    if not whole or not 1 <= given <= most:
        raise UserError(f"how many must be a whole number from 1 to {most:,}")
    return given

"""Summaries over axes of draws or seeds, made on the device, so that runs need no room.

[reduce]
over = ["draw"]
statistics = ["mean", "q05", "q95", "max"]
histogram = {accuracy = [0.0, 1.0, 20]}
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.text import objects
from experiments.text.errors import UserError

DEFAULT = ("mean", "q05", "q50", "q95", "min", "max")
PLAIN = ("mean", "std", "min", "max", "count")
MOST_BINS = 10_000


@dataclass(frozen=True)
class Reduction:
    """The axes to summarise, the statistics, and bins `(low, high, number)`."""

    over: tuple[str, ...]
    statistics: tuple[str, ...]
    bins: Mapping[str, tuple[float, float, int]]


def read(table: Any, names: Sequence[str]) -> Reduction | None:
    """The table `[reduce]` of a sweep file. Raises `UserError`."""
    if table is None:
        return None
    for key in table:
        if key not in ("over", "statistics", "histogram"):
            raise UserError(
                f"reduce has no {key!r}; choose from over, statistics, histogram."
            )
    over = table.get("over")
    if not isinstance(over, list) or not over or len(set(map(str, over))) < len(over):
        raise UserError("reduce: over must be a list of axes.")
    for name in over:
        if name not in names:
            raise UserError(f"reduce: {name!r} is not an axis; they are {names}.")
    if len(over) == len(names):
        raise UserError("reduce: leave at least one axis that is not summarised.")
    wanted = table.get("statistics", list(DEFAULT))
    if not isinstance(wanted, list) or not wanted:
        raise UserError("reduce: statistics must be a list.")
    for name in wanted:
        quantile = isinstance(name, str) and re.fullmatch(r"q\d\d", name)
        if name not in PLAIN and not quantile:
            allowed = ", ".join(PLAIN)
            raise UserError(
                f"reduce: statistic {name!r} is unknown; choose from {allowed}, or a "
                "quantile in per cent, q05 or q50."
            )
    return Reduction(tuple(over), tuple(dict.fromkeys(wanted)), _bins(table))


def _bins(table: dict) -> dict[str, tuple[float, float, int]]:
    given = table.get("histogram", {})
    if not isinstance(given, dict):
        raise UserError("reduce: histogram is a table, {accuracy = [0, 1, 20]}.")
    bins = {}
    for name, spec in given.items():
        numbers = objects.numbers(spec, f"histogram {name}", 1)
        if not isinstance(numbers, list) or len(numbers) != 3:
            raise UserError(f"histogram {name} = [low, high, number of bins].")
        low, high, count = numbers
        good = np.isfinite(numbers).all() and low < high
        if not good or count != int(count) or not 1 <= count <= MOST_BINS:
            raise UserError(
                f"histogram {name}: give low < high and 1 to {MOST_BINS:,} bins."
            )
        bins[name] = (low, high, int(count))
    return bins


@functools.cache
def _summary(statistics: tuple[str, ...]) -> Callable:
    """The compiled program of `summarise`."""
    import jax
    import jax.numpy as jnp

    def summary(values):
        finite = jnp.isfinite(values)
        number = jnp.sum(finite, axis=1)
        ended = jnp.sum(~jnp.isnan(values), axis=1)
        some = jnp.maximum(number, 1)
        mean = jnp.sum(jnp.where(finite, values, 0.0), axis=1) / some
        spread = jnp.where(finite, values - mean[:, None], 0.0)
        row = jnp.sort(values, axis=1)  # NaN at the end
        last = jnp.maximum(ended, 1)
        known = {
            "mean": lambda: jnp.where(number > 0, mean, jnp.nan),
            "std": lambda: jnp.where(
                number > 0, jnp.sqrt(jnp.sum(spread**2, axis=1) / some), jnp.nan
            ),
            "min": lambda: row[:, 0],
            "max": lambda: _quantile(row, last, 1.0),
            "count": lambda: number.astype(values.dtype),
        }
        found = {}
        for name in statistics:
            make = known.get(name)
            found[name] = make() if make else _quantile(row, last, int(name[1:]) / 100)
        return found

    return jax.jit(summary)


def summarise(values: np.ndarray, statistics: tuple[str, ...]) -> dict[str, np.ndarray]:
    """`values` `[cells, runs]` to one `[cells]` array per statistic.

    Runs that failed have NaN and do not count. A time is -inf if it held from the start
    and inf if it never comes: `min`, `max` and quantiles order these like any others,
    `mean` and `std` are those of the finite ones, and `count` says how many those are.
    Without any, NaN.
    """
    found = _summary(statistics)(values)
    return {name: np.asarray(found[name]) for name in statistics}


def _quantile(row, number, share: float):
    """The linear interpolation that NumPy's `quantile` takes by default.

    Next to an infinite value, the nearer one.
    """
    import jax.numpy as jnp

    place = share * (number - 1)
    low = jnp.floor(place).astype(int)
    high = jnp.minimum(low + 1, number - 1)
    below = jnp.take_along_axis(row, low[:, None], axis=1)[:, 0]
    above = jnp.take_along_axis(row, high[:, None], axis=1)[:, 0]
    part = place - low
    between = below + part * (above - below)
    nearer = jnp.where(part < 0.5, below, above)
    return jnp.where(jnp.isfinite(above - below), between, nearer)


@functools.cache
def _counting(bins: tuple[float, float, int]) -> Callable:
    """The compiled program of `histogram`."""
    import jax
    import jax.numpy as jnp

    low, high, count = bins

    def one(values):
        place = jnp.floor((values - low) / (high - low) * count)
        place = jnp.where(values == high, count - 1, place)
        inside = jnp.isfinite(values) & (place >= 0) & (place < count)
        index = jnp.where(inside, place, count).astype(int)
        return jnp.zeros(count, int).at[index].add(1, mode="drop")

    return jax.jit(jax.vmap(one))


def histogram(values: np.ndarray, bins: tuple[float, float, int]) -> np.ndarray:
    """Counts `[cells, bins]`. The upper end counts, what lies outside does not."""
    return np.asarray(_counting(bins)(values))

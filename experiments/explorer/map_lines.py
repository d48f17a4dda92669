"""Lines of theory on the map: where functions of the base model alone are 0.

Nothing here runs the simulator. The functions are evaluated on a grid finer than the
map's, and their zeros are joined to polylines.
"""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, NamedTuple

import contourpy
import numpy as np
from jaxtyping import Float

from experiments.explorer.places import MAPS, Models, models
from experiments.explorer.state import State

FINE = 141  # points along an axis
SHORTEST = 4  # points of a polyline that is worth a label
DIGITS = 5
Field = Float[np.ndarray, "*B"]


class Line(NamedTuple):
    """Drawn where `values` `[y, x]` is 0; nan: it has no meaning there."""

    label: str
    values: Field


def lines(state: State) -> list[dict[str, Any]]:
    """Each a label and `points`, pairs of x and y; the longest parts first."""
    kind = MAPS[state.map]
    x, y = kind.x(state).values(FINE), kind.y(state).values(FINE)
    found = models(state, x, y[:, None])
    parts = []
    for line in LINES[state.map](state, found, x, y[:, None]):
        values = np.where(found.known, line.values, np.nan)
        for part in _zeros(values):
            if len(part) >= SHORTEST:
                points = np.stack([_along(x, part[:, 0]), _along(y, part[:, 1])], 1)
                parts.append({"label": line.label, "points": _rounded(points)})
    return sorted(parts, key=lambda part: -len(part["points"]))


def _zeros(values: Field) -> list[np.ndarray]:
    """Polylines `[n, 2]` in numbers of columns and rows, where the values are 0."""
    masked = np.ma.masked_invalid(values)
    found: Any = contourpy.contour_generator(z=masked, corner_mask=True).lines(0.0)
    return found


def _along(axis: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Numbers of an axis between its points; all axes are linear or logarithmic."""
    number = np.arange(len(axis))
    log = axis[0] > 0 and not np.isclose(axis[1] - axis[0], axis[-1] - axis[-2])
    marks = np.log(axis) if log else axis
    found = np.interp(places, number, marks)
    return np.exp(found) if log else found


def _rounded(points: np.ndarray) -> list[list[float]]:
    return [[float(f"{v:.{DIGITS}g}") for v in point] for point in points.tolist()]


def _rival_rate(found: Models) -> np.ndarray:
    """The second-best rate of patterns that are drawn, `[..., 1]`."""
    rates = np.where(found.log_policy > -np.inf, found.success_rates, -1.0)
    lower = rates < rates.max(axis=-1, keepdims=True)
    return np.where(lower, rates, -1.0).max(axis=-1, keepdims=True)


def no_wait(found: Models) -> Field:
    """Accuracy of the base model minus the rival's rate: beyond 0, T0 is 0 (A2, A3)."""
    ahead = found.success_rates - _rival_rate(found)
    return np.sum(np.exp(found.log_policy) * ahead, axis=-1)


def rival_leads(found: Models) -> Field:
    """Positive where a rival is ever the most likely pattern, negative where not (B2).

    At `sigma = tau/g` it is the pattern of the least `1/pi_0(k) - rho_k sigma`. So a
    rival r leads between the last sigma at which it passes one that is paid less, and
    the first at which one that is paid more passes it; the value is the difference
    of the two, relative to their sizes.
    """
    with np.errstate(over="ignore"):
        heights = np.exp(-found.log_policy)
    rivals = (found.success_rates == _rival_rate(found)) & np.isfinite(heights)
    best = np.full(found.known.shape, -1.0)
    for r in np.nonzero(rivals.reshape(-1, heights.shape[-1]).any(axis=0))[0]:
        rise = found.rewards - found.rewards[..., r, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            passing = (heights - heights[..., r, None]) / rise
        first = np.where(rise > 0, passing, np.inf).min(axis=-1)
        last = np.maximum(np.where(rise < 0, passing, 0.0).max(axis=-1), 0.0)
        hidden = ((rise == 0) & (heights < heights[..., r, None])).any(axis=-1)
        with np.errstate(invalid="ignore"):
            size = (first - last) / (np.abs(first) + last)
        size = np.where(np.isinf(first), 1.0, size)
        size = np.where(hidden, -1.0, size)
        best = np.where(rivals[..., r], np.maximum(best, size), best)
    return best


def _of_times(state: State, found: Models, x: Any, y: Any) -> Iterator[Line]:
    yield Line("T0 = 0 beyond", no_wait(found))
    yield Line("the rival never leads beyond", -rival_leads(found))


def _of_mixtures(state: State, found: Models, x: Any, y: Any) -> Iterator[Line]:
    """Where two patterns are paid the same, and no other is paid more (C4)."""
    drawn = [k for k in range(state.num_patterns) if state.logits[k] > -np.inf]
    for i, j in combinations(drawn, 2):
        others = [k for k in drawn if k not in (i, j)]
        pair = found.rewards[..., [i, j]]
        rest = found.rewards[..., others].max(axis=-1, initial=-np.inf)
        ahead = pair[..., 0] - pair[..., 1]
        ahead = np.where(pair.max(axis=-1) >= rest, ahead, np.nan)
        yield Line(f"in the end {i} | {j}", ahead)


def _of_noise(state: State, found: Models, x: Any, y: Any) -> Iterator[Line]:
    """A verifier whose errors add up to 1 tells nothing; beyond, it lies (B6)."""
    yield Line("no information", 1 - x - y)


LINES: dict[str, Callable[[State, Models, Any, Any], Iterator[Line]]] = {
    "quality": _of_times,
    "bad-mass": _of_times,
    "dose": _of_times,
    "mixture": _of_mixtures,
    "noise": _of_noise,
}

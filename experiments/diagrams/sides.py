"""The two sides of a diagram: where cells are, on which scale, and where they end."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.sweeps.axes import Axis

Scale = Literal["linear", "log"]
LOG_KINDS = ("logspace", "loguniform")
LOG_FLOATS = (-708.0, 709.0)  # of numbers that floats hold in full


@dataclass(frozen=True)
class Side:
    """An axis as it is drawn.

    - `places`: of the cells, rising `[n]`; names are 0, 1, 2, ...
    - `order`: of the cells along the axis of the sweep `[n]`.
    """

    axis: Axis
    places: np.ndarray
    order: np.ndarray
    scale: Scale

    @property
    def named(self) -> bool:
        """Whether the values are names."""
        return self.axis.shown.dtype == object

    @property
    def edges(self) -> np.ndarray:
        """Where cells begin and end `[n + 1]`: halfway on this scale."""
        if self.scale == "log":
            return np.exp(np.clip(_halfway(np.log(self.places)), *LOG_FLOATS))
        return _halfway(self.places)


def _halfway(places: np.ndarray) -> np.ndarray:
    middle = (places[1:] + places[:-1]) / 2
    first, last = 2 * places[0] - middle[0], 2 * places[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])


def side(axis: Axis, scale: Scale | None = None) -> Side:
    """The side of an axis, with its own scale if none is given."""
    number = len(axis.values)
    if axis.shown.dtype == object:
        return Side(axis, np.arange(number, dtype=float), np.arange(number), "linear")
    order = np.argsort(axis.values)
    own: Scale = "log" if is_geometric(axis) else "linear"
    return Side(axis, axis.values[order], order, scale or own)


def is_geometric(axis: Axis) -> bool:
    """Whether an axis of numbers is logarithmic: as it was written.

    A list: the scale on which it is even. Two values, and those that are even on
    neither scale: by how far they go.
    """
    values = np.sort(axis.values)
    if axis.kind != "list":
        return axis.kind in LOG_KINDS
    if not values[0] > 0:
        return False
    if len(values) > 2 and _is_even(values):
        return False
    if len(values) > 2 and _is_even(np.log(values)):
        return True
    return bool(values[-1] / 15 > values[0])


def _is_even(values: np.ndarray) -> bool:
    steps = np.diff(values)
    return bool(np.allclose(steps, steps.mean(), rtol=1e-6, atol=0))


def prepare(ruler, of: Side) -> None:
    """Scale, limits and ticks of Matplotlib's `ruler`, an x or y axis."""
    edges = of.edges
    if of.named:
        ruler.set_ticks(of.places, list(of.axis.shown))
    elif of.scale == "log":
        _logarithmic(ruler, of.places)
    else:
        ruler.axes.set(**{f"{ruler.axis_name}scale": "linear"})
    ruler.axes.set(**{f"{ruler.axis_name}lim": (edges[0], edges[-1])})


def _logarithmic(ruler, values: np.ndarray) -> None:
    """A logarithmic axis; over less than three decades with plain numbers."""
    from matplotlib.ticker import AutoLocator, FuncFormatter, LogLocator, NullFormatter

    ruler.axes.set(**{f"{ruler.axis_name}scale": "log"})
    if values[-1] / 1000 < values[0]:
        few = values[-1] / 10 < values[0]
        ruler.set_major_locator(AutoLocator() if few else LogLocator(subs=(1, 2, 5)))
        ruler.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
        ruler.set_minor_formatter(NullFormatter())

"""The cells of a sweep, cut into units of work: one unit is one chunk of the store."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.sweeps.sweep_file import Sweep

LANES = 2**16  # runs in a unit of the flow
TRAINING_LANES = 2**12  # and of sampled training
NUMBERS = 2**23  # at most so many probabilities in a unit
Region = tuple[slice, ...]


@dataclass(frozen=True)
class Unit:
    """A box of cells: `region` of the result; `index` in the order of the units."""

    index: int
    region: Region

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(side.stop - side.start for side in self.region)

    @property
    def num_cells(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Grid:
    """`shape` of the result and `chunk`, the shape of a unit that is not cut off."""

    shape: tuple[int, ...]
    chunk: tuple[int, ...]

    @property
    def units_along(self) -> tuple[int, ...]:
        pairs = zip(self.shape, self.chunk, strict=True)
        return tuple(-(-size // side) for size, side in pairs)

    @property
    def num_units(self) -> int:
        return math.prod(self.units_along)

    def unit(self, index: int) -> Unit:
        place = np.unravel_index(index, self.units_along)
        region = tuple(
            slice(int(i) * side, min((int(i) + 1) * side, size))
            for i, side, size in zip(place, self.chunk, self.shape, strict=True)
        )
        return Unit(index, region)

    def unit_of(self, cell: tuple[int, ...]) -> Unit:
        """The unit that holds a cell."""
        place = [i // side for i, side in zip(cell, self.chunk, strict=True)]
        return self.unit(int(np.ravel_multi_index(place, self.units_along)))

    def units(self) -> Iterator[Unit]:
        return (self.unit(i) for i in range(self.num_units))


def lanes_per_unit(sweep: Sweep) -> int:
    """How many runs are solved together at most."""
    lanes = TRAINING_LANES if sweep.trains else LANES
    return max(1, min(lanes, NUMBERS // sweep.numbers_per_run))


def cut(sweep: Sweep) -> Grid:
    """Units as long as can be along the last axes; one value of each static axis."""
    shape = tuple(len(axis.values) for axis in sweep.kept)
    room = max(1, lanes_per_unit(sweep) // sweep.lanes_per_cell)
    chunk = [1] * len(shape)
    for i in reversed(range(len(shape))):
        if sweep.is_static(i):
            continue
        chunk[i] = min(shape[i], room)
        room = max(1, room // chunk[i])
    return Grid(shape, tuple(chunk))


def cells(sweep: Sweep, unit: Unit) -> dict[str, Any]:
    """Axis name to the values of the unit's cells `[n]`, one value if it is static."""
    index = np.indices(unit.shape).reshape(len(unit.shape), -1)
    found: dict[str, Any] = {}
    for i, axis in enumerate(sweep.kept):
        start = unit.region[i].start
        if sweep.is_static(i):
            found[axis.name] = axis.values[start]
        else:
            found[axis.name] = axis.values[start + index[i]]
    return found


def alone(sweep: Sweep, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a single run, one per axis, in the form of `cells`."""
    return {
        axis.name: values[axis.name]
        if sweep.is_static(i)
        else np.array([values[axis.name]])
        for i, axis in enumerate(sweep.axes)
    }


def with_runs(
    sweep: Sweep, values: Mapping[str, Any], number: int, start: int, stop: int
) -> dict[str, Any]:
    """The values of runs `start` to `stop` of each of `number` cells, cell by cell."""
    run = np.arange(start, stop)
    place = np.unravel_index(run, [len(axis.values) for axis in sweep.reduced])
    many = {
        name: np.repeat(value, len(run)) if isinstance(value, np.ndarray) else value
        for name, value in values.items()
    }
    for axis, index in zip(sweep.reduced, place, strict=True):
        many[axis.name] = np.tile(axis.values[index], number)
    return many

"""The results of a sweep on disk: one Zarr store that xarray opens in one line.

One unit of work is one chunk of every array, and one chunk is one file, written next to
its place and moved there. `units/done` is set after all arrays of a unit are written,
so that a kill at any moment leaves whole units, and units that were never there. Every
chunk ends with a checksum of its bytes: what was cut or changed is noticed when it is
read.

Limits: no `fsync`; after a power cut `--check` finds what the disk lost.
"""

import contextlib
import json
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr

from experiments.runtime.output import write_bytes
from experiments.sweeps import locks, observables, root
from experiments.sweeps.grid import Grid, Unit
from experiments.sweeps.layout import DONE, RUNS, coordinates, variables
from experiments.sweeps.place import Place, real
from experiments.sweeps.sweep_file import Sweep
from experiments.text.errors import UserError

DAMAGE = (ValueError, RuntimeError, OSError)  # what Zarr raises for a bad chunk
Columns = Mapping[str, np.ndarray]
Mode = Literal["r", "r+"]


class Store:
    """An open store, written to at `place`. Use `march.begin` and `open_store`."""

    def __init__(
        self,
        path: Path,
        group: zarr.Group,
        sweep: Sweep,
        grid: Grid,
        place: Place | None = None,
    ):
        self.path, self.grid, self._sweep = path, grid, sweep
        self._group, self._place = group, place
        self._names = list(variables(sweep))
        self._opened: dict[str, zarr.Array] = {}

    def check_place(self) -> None:
        """Raise `UserError` if the store was replaced since it was opened."""
        if self._place is not None:
            self._place.check()

    def _array(self, name: str) -> zarr.Array:
        if name not in self._opened:
            # A chunk of nothing but NaN is written too: a file that misses is lost.
            array = _array(self._group, name)
            self._opened[name] = array.with_config({"write_empty_chunks": True})
        return self._opened[name]

    def done(self) -> np.ndarray:
        """Which units are stored, `[units]`.

        Raises `UserError` if the store was replaced.
        """
        self.check_place()
        with contextlib.suppress(*DAMAGE):
            return np.asarray(self._array(DONE)[:], bool)
        flags = np.zeros(self.grid.num_units, bool)
        for index in range(len(flags)):
            # A marker that cannot be read is as good as none.
            with contextlib.suppress(*DAMAGE):
                flags[index] = bool(self._array(DONE)[index])
        return flags

    def write(self, unit: Unit, columns: Columns) -> None:
        """Store a unit: its columns first, then that it is done.

        Raises `UserError` if the disk does not take it, or the store was replaced.
        """
        try:
            for name in self._names:
                self.check_place()
                self._array(name)[unit.region] = columns[name]
            self._mark(unit, 1)
        except OSError as error:
            raise UserError(
                f"cannot write to {self.path} ({error.strerror}); what was stored is "
                "safe. Mend it and give the same command again to go on."
            ) from None

    def _mark(self, unit: Unit, flag: int) -> None:
        self.check_place()
        self._array(DONE)[unit.index] = flag

    def read(
        self, unit: Unit, names: Iterable[str] | None = None
    ) -> dict[str, np.ndarray]:
        """The columns of a unit, or some. Raises `UserError` for a damaged chunk."""
        wanted = self._names if names is None else names
        return {name: self._read(name, unit) for name in wanted}

    def read_outcomes(self, unit: Unit) -> np.ndarray:
        """The outcomes of a unit: codes, or with summaries how many runs of each.

        `[*cells]` or `[*cells, outcomes]`. Raises `UserError` for a damaged chunk.
        """
        if self._sweep.reduce is None:
            return self._read(observables.OUTCOME, unit)
        counted = [name for name in self._names if name.startswith(RUNS)]
        return np.stack([self._read(name, unit) for name in counted], axis=-1)

    def _read(self, name: str, unit: Unit) -> np.ndarray:
        try:
            # Zarr takes a missing file for a chunk of nothing but NaN.
            if not self._chunk(name, unit).is_file():
                raise FileNotFoundError
            return np.asarray(self._array(name)[unit.region])
        except DAMAGE:
            raise UserError(
                f"{self.path} is damaged in unit {unit.index} ({name}); look with "
                "--check, mend with --repair."
            ) from None

    def damages(self, units: Iterator[Unit]) -> Iterator[tuple[Unit, str]]:
        """Units that say they are done and are not whole: the unit and the file."""
        for unit in units:
            for name in self._names:
                file = self._chunk(name, unit)
                try:
                    values = np.asarray(self._array(name)[unit.region])
                except DAMAGE:
                    yield unit, f"{file} is damaged"
                    continue
                if not file.is_file():
                    yield unit, f"{file} is missing"
                elif name == observables.OUTCOME and _is_no_outcome(values):
                    yield unit, f"{file} is not complete"

    def damaged_markers(self) -> list[Path]:
        """Files that say whether a unit is stored, and cannot be read."""
        bad = []
        for index in range(self.grid.num_units):
            try:
                self._array(DONE)[index]
            except DAMAGE:
                bad.append(self.path / DONE / "c" / str(index))
        return bad

    def damaged_coordinates(self, names: Iterable[str] | None = None) -> list[str]:
        """Dimensions, of all or some, whose values are not those of the sweep."""
        bad, known = [], coordinates(self._sweep)
        for name in known if names is None else names:
            values = known[name]
            try:
                same = _same(np.asarray(self._array(name)[:]), np.asarray(values))
            except DAMAGE:
                same = False
            if not same:
                bad.append(name)
        return bad

    def add_stamp(self, stamp: Mapping[str, Any], is_known: Callable) -> None:
        """Add it to `mixed` of the attributes, unless a stamp there `is_known`."""
        with locks.creation(self.path):
            self.check_place()
            table = root.read(self.path)
            own = table["attributes"]
            stamps = [own["stamp"], *own.get("mixed", [])]
            if not any(map(is_known, stamps)):
                own["mixed"] = [*stamps[1:], dict(stamp)]
                root.write(self.path, table)

    def describe(self, text: str) -> None:
        """Put down the sweep file that the store is of, if it says something else."""
        with locks.creation(self.path):
            self.check_place()
            table = root.read(self.path)
            if table["attributes"]["sweep"] != text:
                table["attributes"]["sweep"] = text
                root.write(self.path, table)

    def forget(self, unit: Unit) -> None:
        """Mark a unit as not done, to be computed again."""
        self._mark(unit, 0)

    def write_coordinates(self) -> None:
        """Write the values of all dimensions again."""
        self.check_place()
        for name, values in coordinates(self._sweep).items():
            self._array(name)[:] = values

    def remove_leftovers(self, unit: Unit) -> None:
        """Remove what a kill left half-written next to the chunks of a unit."""
        files = [self._chunk(name, unit) for name in self._names]
        files.append(self.path / DONE / "c" / str(unit.index))
        for file in files:
            for leftover in file.parent.glob(f"{file.name}.*.partial"):
                leftover.unlink(missing_ok=True)

    def _chunk(self, name: str, unit: Unit) -> Path:
        place = np.unravel_index(unit.index, self.grid.units_along)
        extra = ["0"] * (self._array(name).ndim - len(place))
        return self.path.joinpath(name, "c", *(str(int(i)) for i in place), *extra)


def _is_no_outcome(values: np.ndarray) -> bool:
    import simulator as sim

    return bool((values >= len(sim.OUTCOME_NAMES)).any())


def _opened(
    folder: Path, mode: Mode, sweep: Sweep, grid: Grid, names: Collection[str] = ()
) -> zarr.Group | None:
    """The group there, if it has the cells, the units and the arrays of this sweep.

    Or some arrays, `names`, and the axes.
    """
    dims = tuple(axis.dim for axis in sweep.kept)
    results, values = variables(sweep), coordinates(sweep)
    if names:
        results = {name: results[name] for name in names}
        values = {name: values[name] for name in dims}
    wanted = {*results, *values}
    try:
        group = zarr.open_group(folder, mode=mode, use_consolidated=True)
        found = set(group.array_keys())
        if DONE not in group:
            return None
        if not (found >= wanted if names else found == wanted):
            return None
        for name, variable in results.items():
            extra = tuple(size for _, size in variable.extra)
            array = _array(group, name)
            sizes = (*grid.shape, *extra), (*grid.chunk, *extra)
            named: Any = getattr(array.metadata, "dimension_names", None)
            named = tuple(named[: len(dims)])
            if (array.shape, array.chunks) != sizes or named != dims:
                return None
        same = all(_array(group, k).shape == axis.shape for k, axis in values.items())
        return group if same else None
    except Exception:  # whatever Zarr raises for what another version wrote
        return None


def _array(group: zarr.Group, name: str) -> zarr.Array:
    """An array of the group. Raises `KeyError` if it has none of this name."""
    found = group[name]
    if not isinstance(found, zarr.Array):
        raise KeyError(name)
    return found


def _other_arrays(path: Path) -> UserError:
    return UserError(
        f"{path} has other arrays than this version of the code makes; use the version "
        "that wrote it (see its stamp), or give another --out."
    )


def open_store(
    path: Path,
    sweep: Sweep,
    grid: Grid,
    mode: Mode = "r+",
    names: Collection[str] = (),
) -> Store:
    """The store of this sweep. Raises `UserError` if it cannot be read.

    `names`: the arrays that are needed, if not all.
    """
    root.read(path)
    place = Place(path) if mode == "r+" else None
    group = _opened(path, mode, sweep, grid, names)
    if group is None:
        raise _other_arrays(path)
    return Store(path, group, sweep, grid, place)


def stored_grid(path: Path, sweep: Sweep, name: str) -> Grid:
    """The cells and units that the array `name` of the store was cut into."""
    described = root.read(path)["consolidated_metadata"]["metadata"].get(name)
    if described is None:
        raise UserError(f"{path} holds no {name}; choose another value.")
    sides = len(sweep.kept)
    chunk = described["chunk_grid"]["configuration"]["chunk_shape"]
    return Grid(tuple(described["shape"][:sides]), tuple(chunk[:sides]))


@contextlib.contextmanager
def viewed(path: Path, sweep: Sweep, grid: Grid) -> Iterator[Store]:
    """The store, to look at, also if what describes it is damaged.

    Raises `UserError` if it is beyond that, or has other arrays.
    """
    table = root.read(path, damaged=True)
    with tempfile.TemporaryDirectory() as folder:
        view = Path(folder)
        write_bytes(view / root.FILE, json.dumps(table).encode())
        for name in table["consolidated_metadata"]["metadata"]:
            if "/" not in name:
                (view / name).symlink_to(real(path / name))
        group = _opened(view, "r", sweep, grid)
        if group is None:
            raise _other_arrays(path)
        yield Store(path, group, sweep, grid)


def fits(path: Path, sweep: Sweep, grid: Grid) -> bool:
    """Whether the store there has the cells and the arrays of this sweep."""
    try:
        with viewed(path, sweep, grid) as target:
            return not target.damaged_coordinates()
    except UserError:
        return False


def _same(stored: np.ndarray, values: np.ndarray) -> bool:
    """Equal, except for the last digits: processors compute powers differently."""
    if stored.dtype.kind == "f" and stored.shape == values.shape:
        return bool(np.allclose(stored, values, rtol=1e-14, atol=0, equal_nan=True))
    return np.array_equal(stored, values)

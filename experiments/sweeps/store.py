"""The results of a sweep on disk: one Zarr store that xarray opens in one line.

One unit of work is one chunk of every array, and one chunk is one file, written beside
its place and moved there. `done` is set after all arrays of a unit are written, so that
a kill at any moment leaves whole units, and units that were never there. Every chunk
ends with a checksum of its bytes: what was cut or changed is noticed when it is read.

Limits: no `fsync`; after a power cut `--check` finds what the disk lost.
"""

import contextlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from experiments.errors import UserError
from experiments.sweeps import claims, observables, root
from experiments.sweeps.grid import Grid, Unit
from experiments.sweeps.layout import DONE, UNIT, coordinates, variables
from experiments.sweeps.place import Place, real
from experiments.sweeps.sweep_file import Sweep

NOT_DONE = 255  # in place of an outcome's code
DAMAGE = (ValueError, RuntimeError, OSError)  # what Zarr raises for a bad chunk
Columns = Mapping[str, np.ndarray]
Mode = Literal["r", "r+"]


class Store:
    """An open store, written to at `place`. Use `create` and `open_store`."""

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
            array = self._group[name].with_config({"write_empty_chunks": True})
            self._opened[name] = array
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

        Raises `UserError` for a damaged chunk.
        """
        name = observables.OUTCOME if self._sweep.reduce is None else "runs"
        return self._read(name, unit)

    def _read(self, name: str, unit: Unit) -> np.ndarray:
        try:
            # Zarr takes a missing file for a chunk of nothing but NaN.
            if not self._chunk(name, unit).is_file():
                raise FileNotFoundError
            return self._array(name)[unit.region]
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
                    values = self._array(name)[unit.region]
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

    def damaged_coordinates(self) -> list[str]:
        """Dimensions whose values are not those of the sweep any more."""
        bad = []
        for name, values in coordinates(self._sweep).items():
            try:
                same = np.array_equal(np.asarray(self._array(name)[:]), values)
            except DAMAGE:
                same = False
            if not same:
                bad.append(name)
        return bad

    def add_stamp(self, stamp: Mapping[str, Any], is_known: Callable) -> None:
        """Add it to `mixed` of the attributes, unless a stamp there `is_known`."""
        with claims.creation(self.path):
            self.check_place()
            table = root.read(self.path)
            own = table["attributes"]
            stamps = [own["stamp"], *own.get("mixed", [])]
            if not any(map(is_known, stamps)):
                own["mixed"] = [*stamps[1:], dict(stamp)]
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
        """Remove what a kill left half-written beside the chunks of a unit."""
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


def _compressors():
    return [ZstdCodec(level=1), Crc32cCodec()]


def create(
    path: Path, sweep: Sweep, grid: Grid, stamp: Mapping[str, Any], text: str
) -> None:
    """Make a new store, empty; it appears whole or not at all.

    If another process was faster, its store stays. `text`: the sweep file. Raises
    `UserError` if it cannot be written.
    """
    try:
        with claims.creation(path), _draft(path) as draft:
            if not path.exists():
                _fill(draft, sweep, grid, stamp, text)
                draft.rename(real(path))
    except OSError as error:
        raise UserError(
            f"cannot write {error.filename or path} ({error.strerror}); choose another "
            "place with --out."
        ) from None


def remove(path: Path) -> None:
    """Remove the store of a sweep; it disappears whole or not at all.

    A link to it stays. Raises `UserError` for what is no store, or stays.
    """
    if not root.is_store(path):
        raise UserError(
            f"{path} is not a store of a sweep, or it is damaged; --overwrite removes "
            "such stores only: choose another place with --out, or remove it yourself."
        )
    try:
        with claims.creation(path), _draft(path) as draft:
            real(path).rename(draft)
    except OSError as error:
        raise UserError(f"cannot remove {path} ({error.strerror}).") from None


@contextlib.contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A folder beside a store where one is made or removed, emptied on both ends."""
    draft = real(path).with_name(f".{real(path).name}.draft")
    shutil.rmtree(draft, ignore_errors=True)  # what a kill has left
    draft.mkdir()  # not where a link leads
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _fill(folder: Path, sweep: Sweep, grid: Grid, stamp, text: str) -> None:
    attributes = {
        "title": sweep.table.get("title", "a sweep of pattern-selection"),
        "format": root.FORMAT,
        "sweep": text,
        "stamp": dict(stamp),
    }
    group = zarr.create_group(folder, attributes=attributes)
    dims = tuple(axis.dim for axis in sweep.kept)
    for name, variable in variables(sweep).items():
        extra = tuple(size for _, size in variable.extra)
        fill = {"f8": np.nan, "u1": NOT_DONE, "i8": 0}[variable.dtype]
        group.create_array(
            name,
            shape=(*grid.shape, *extra),
            chunks=(*grid.chunk, *extra),
            dtype=variable.dtype,
            fill_value=fill,
            compressors=_compressors(),
            dimension_names=(*dims, *(dim for dim, _ in variable.extra)),
            attributes=dict(variable.attributes),
        )
    for name, values in coordinates(sweep).items():
        kind = str if values.dtype == object else values.dtype
        array = group.create_array(
            name,
            shape=values.shape,
            chunks=values.shape,
            dtype=kind,
            compressors=_compressors(),
            dimension_names=(name,),
        )
        array[:] = values
    group.create_array(
        DONE,
        shape=(grid.num_units,),
        chunks=(1,),
        dtype="u1",
        fill_value=0,
        compressors=[Crc32cCodec()],
        dimension_names=(UNIT,),
        attributes={"long_name": "units of work that are stored"},
    )
    with warnings.catch_warnings():
        # Zarr's own readers and xarray know it; other languages may not.
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        zarr.consolidate_metadata(folder)
    table = json.loads((folder / root.FILE).read_text(encoding="utf-8"))
    found = table["consolidated_metadata"]["metadata"]
    table["consolidated_metadata"]["metadata"] = dict(sorted(found.items()))
    root.write(folder, table)


def _opened(folder: Path, mode: Mode, sweep: Sweep, grid: Grid) -> zarr.Group | None:
    """The group there, if it has the cells, the units and the arrays of this sweep."""
    results, values = variables(sweep), coordinates(sweep)
    dims = tuple(axis.dim for axis in sweep.kept)
    try:
        group = zarr.open_group(folder, mode=mode, use_consolidated=True)
        if set(group.array_keys()) != {*results, *values, DONE}:
            return None
        for name, variable in results.items():
            extra = tuple(size for _, size in variable.extra)
            array, wanted = group[name], ((*grid.shape, *extra), (*grid.chunk, *extra))
            names = array.metadata.dimension_names[: len(dims)]
            if (array.shape, array.chunks) != wanted or tuple(names) != dims:
                return None
        same = all(group[name].shape == axis.shape for name, axis in values.items())
        return group if same else None
    except Exception:  # whatever Zarr raises for what another version wrote
        return None


def _other_arrays(path: Path) -> UserError:
    return UserError(
        f"{path} has other arrays than this version of the code makes; use the version "
        "that wrote it (see its stamp), or give another --out."
    )


def open_store(path: Path, sweep: Sweep, grid: Grid, mode: Mode = "r+") -> Store:
    """The store of this sweep. Raises `UserError` if it cannot be read."""
    root.read(path)
    place = Place(path) if mode == "r+" else None
    group = _opened(path, mode, sweep, grid)
    if group is None:
        raise _other_arrays(path)
    return Store(path, group, sweep, grid, place)


@contextlib.contextmanager
def viewed(path: Path, sweep: Sweep, grid: Grid) -> Iterator[Store]:
    """The store, to look at, also if what describes it is damaged.

    Raises `UserError` if it is beyond that, or has other arrays.
    """
    table = root.read(path, damaged=True)
    with tempfile.TemporaryDirectory() as folder:
        view = Path(folder)
        (view / root.FILE).write_text(json.dumps(table), encoding="utf-8")
        for name in table["consolidated_metadata"]["metadata"]:
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

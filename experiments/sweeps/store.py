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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from experiments.errors import UserError
from experiments.output import write_bytes
from experiments.sweeps import claims, observables
from experiments.sweeps.grid import Grid, Unit
from experiments.sweeps.sweep_file import Sweep

FORMAT = 1
NOT_DONE = 255  # in place of an outcome's code
DONE = "done"
DAMAGE = (ValueError, RuntimeError, OSError)  # what Zarr raises for a bad chunk
Columns = Mapping[str, np.ndarray]
Mode = Literal["r", "r+"]


@dataclass(frozen=True)
class Variable:
    """One array: its type, dimensions after those of the cells, and attributes."""

    dtype: str
    extra: tuple[tuple[str, int], ...]
    attributes: Mapping[str, Any]


def variables(sweep: Sweep) -> dict[str, Variable]:
    """The arrays that hold the results of a sweep."""
    import simulator as sim

    names = list(sim.OUTCOME_NAMES)
    if sweep.reduce is None:
        advice = {name: sim.Outcome[getattr(sim.Outcome, name)] for name in names}
        codes = {"flag_values": list(range(len(names))), "flag_meanings": names}
        texts = {"long_name": "why the run ended", "advice": advice}
        found = {observables.OUTCOME: Variable("u1", (), texts | codes)}
        return found | dict(_recorded(sweep))
    outcomes = (("outcome", len(names)),)
    found = {"runs": Variable("i8", outcomes, {"long_name": "runs per outcome"})}
    for name, variable in _recorded(sweep):
        for statistic in sweep.reduce.statistics:
            texts = dict(variable.attributes)
            texts["long_name"] += f": {statistic} over {', '.join(sweep.reduce.over)}"
            if statistic == "count":
                texts["units"] = "1"
            found[f"{name}_{statistic}"] = replace(variable, attributes=texts)
        if name in sweep.reduce.bins:
            bins = ((f"{name}_bin", sweep.reduce.bins[name][2]),)
            texts = {"long_name": f"runs per bin of {name}", "units": "1"}
            found[f"{name}_histogram"] = Variable("i8", bins, texts)
    return found


def _recorded(sweep: Sweep) -> Iterator[tuple[str, Variable]]:
    """The name and the array of each observable: at the end, then on the way."""
    for name in sweep.record:
        yield name, Variable("f8", (), _texts(name))
    if sweep.along is None:
        return
    times = ((sweep.along.dim, len(sweep.along.values)),)
    for name, stored in zip(sweep.along.record, sweep.along.names, strict=True):
        texts = _texts(name)
        texts["long_name"] = texts["long_name"].replace("at the end", "on the way")
        yield stored, Variable("f8", times, texts)


def _texts(name: str) -> dict[str, Any]:
    known = observables.find(name)
    assert known is not None
    return {"long_name": known.text, "units": known.units}


def coordinates(sweep: Sweep) -> dict[str, np.ndarray]:
    """Every dimension's values: those of the axes, outcomes' names, middles of bins."""
    import simulator as sim

    found = {axis.dim: axis.values for axis in sweep.kept}
    if sweep.along is not None:
        found[sweep.along.dim] = sweep.along.values
    if sweep.reduce is not None:
        found["outcome"] = np.array(sim.OUTCOME_NAMES, dtype=object)
        for name, (low, high, count) in sweep.reduce.bins.items():
            edges = np.linspace(low, high, count + 1)
            found[f"{name}_bin"] = (edges[1:] + edges[:-1]) / 2
    return found


class Store:
    """An open store. Use `create` and `open_store`."""

    def __init__(self, path: Path, group: zarr.Group, sweep: Sweep, grid: Grid):
        self.path, self.grid, self._sweep = path, grid, sweep
        self._group = group
        self._names = list(variables(sweep))
        self._opened: dict[str, zarr.Array] = {}

    def _array(self, name: str) -> zarr.Array:
        if name not in self._opened:
            # A chunk of nothing but NaN is written too: a file that misses is lost.
            array = self._group[name].with_config({"write_empty_chunks": True})
            self._opened[name] = array
        return self._opened[name]

    def done(self) -> np.ndarray:
        """Which units are stored, `[units]`."""
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

        Raises `UserError` if the disk does not take it.
        """
        try:
            for name in self._names:
                self._array(name)[unit.region] = columns[name]
            self._array(DONE)[unit.index] = 1
        except OSError as error:
            raise UserError(
                f"cannot write to {self.path} ({error.strerror}); what was stored is "
                "safe. Mend it and give the same command again to go on."
            ) from None

    def read(self, unit: Unit) -> dict[str, np.ndarray]:
        """The columns of a unit. Raises `UserError` for a damaged chunk."""
        return {name: self._read(name, unit) for name in self._names}

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
        file = self.path / "zarr.json"
        with claims.creation(self.path):
            table = json.loads(file.read_text(encoding="utf-8"))
            own = table["attributes"]
            stamps = [own["stamp"], *own.get("mixed", [])]
            if not any(map(is_known, stamps)):
                own["mixed"] = [*stamps[1:], stamp]
                write_bytes(file, json.dumps(table, indent=2).encode())

    def forget(self, unit: Unit) -> None:
        """Mark a unit as not done, to be computed again."""
        self._array(DONE)[unit.index] = 0

    def write_coordinates(self) -> None:
        """Write the values of all dimensions again."""
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
) -> Store:
    """A new store, empty; it appears whole or not at all.

    `text`: the sweep file. Raises `UserError` if it cannot be written.
    """
    try:
        with claims.creation(path), _draft(path) as draft:
            # Another process may have been faster; then its store counts.
            if not path.exists():
                _fill(draft, sweep, grid, stamp, text)
                draft.rename(path)
    except OSError as error:
        raise UserError(
            f"cannot write {path} ({error.strerror}); choose another place with --out."
        ) from None
    return open_store(path, sweep, grid)


def remove(path: Path) -> None:
    """Remove a store; it disappears whole or not at all."""
    with claims.creation(path), _draft(path) as draft:
        path.rename(draft)


@contextlib.contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """The place beside a store where one is made or removed, emptied on both ends."""
    draft = path.with_name(f".{path.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)  # what a kill has left
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _fill(folder: Path, sweep: Sweep, grid: Grid, stamp, text: str) -> None:
    attributes = {
        "title": sweep.table.get("title", "a sweep of pattern-selection"),
        "format": FORMAT,
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
        dimension_names=("unit",),
        attributes={"long_name": "units of work that are stored"},
    )
    with warnings.catch_warnings():
        # Zarr's own readers and xarray know it; other languages may not.
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        zarr.consolidate_metadata(folder)


def _descriptions(sweep: Sweep, grid: Grid) -> dict[str, dict[str, Any]]:
    """What the files say that describe the store and its arrays, as `create` writes."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "fresh"
        _fill(fresh, sweep, grid, {}, "")
        return {
            str(file.relative_to(fresh)): json.loads(file.read_text(encoding="utf-8"))
            for file in sorted(fresh.rglob("zarr.json"))
        }


def _damaged_descriptions(path: Path, sweep: Sweep, grid: Grid):
    """The files that do not say what they have to, and what that is."""
    for name, wanted in _descriptions(sweep, grid).items():
        try:
            text = (path / name).read_text(encoding="utf-8")
            found = json.loads(text)
        except (OSError, ValueError):
            found = None
        if name == "zarr.json" and isinstance(found, dict):
            # Its attributes are the store's own: the stamp, the sweep file.
            wanted = wanted | {"attributes": found.get("attributes")}
        if found != wanted:
            yield path / name, wanted


def damaged_descriptions(path: Path, sweep: Sweep, grid: Grid) -> list[Path]:
    """Files that describe the store or an array, and are lost or changed."""
    return [file for file, _ in _damaged_descriptions(path, sweep, grid)]


def mend_descriptions(path: Path, sweep: Sweep, grid: Grid) -> list[Path]:
    """Write those again; which they were."""
    mended = []
    for file, wanted in _damaged_descriptions(path, sweep, grid):
        file.parent.mkdir(exist_ok=True)
        write_bytes(file, json.dumps(wanted, indent=2).encode())
        mended.append(file)
    return mended


def attributes(path: Path) -> dict[str, Any]:
    """The attributes of an existing store. Raises `UserError` if it is none."""
    if not path.exists():
        raise UserError(f"{path} does not exist; compute it first, or give --out.")
    try:
        table = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
        found = table["attributes"]
        number = found["format"]
        if not isinstance(found["stamp"], dict):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError):
        advice = "choose another place with --out"
        if (path / "zarr.json").exists():
            advice += ", or --overwrite it"
        raise UserError(
            f"{path} is not a store of a sweep, or its zarr.json is damaged; {advice}."
        ) from None
    if number != FORMAT:
        raise UserError(
            f"{path} was written in format {number}, this version reads {FORMAT}: use "
            "the version that wrote it (see its stamp), or --overwrite it."
        )
    return found


def fits(path: Path, sweep: Sweep, grid: Grid) -> bool:
    """Whether the store there has the cells, the units and the arrays of this sweep."""
    group = zarr.open_group(path, mode="r", use_consolidated=True)
    results, values = variables(sweep), coordinates(sweep)
    if set(group.array_keys()) != {*results, *values, DONE}:
        return False
    dims = tuple(axis.dim for axis in sweep.kept)
    for name, variable in results.items():
        extra = tuple(size for _, size in variable.extra)
        wanted = (*grid.shape, *extra), (*grid.chunk, *extra)
        array = group[name]
        names = array.metadata.dimension_names[: len(dims)]
        if (array.shape, array.chunks) != wanted or tuple(names) != dims:
            return False
    return not Store(path, group, sweep, grid).damaged_coordinates()


def open_store(path: Path, sweep: Sweep, grid: Grid, mode: Mode = "r+") -> Store:
    """The store of this sweep. Raises `UserError` if it cannot be read."""
    attributes(path)
    try:
        group = zarr.open_group(path, mode=mode, use_consolidated=True)
        missing = [name for name in (*variables(sweep), DONE) if name not in group]
    except Exception:  # whatever Zarr raises for what it cannot read
        missing = ["what describes its arrays"]
    if missing:
        raise UserError(
            f"{path} lacks {', '.join(missing)}; look with --check, mend with --repair."
        )
    return Store(path, group, sweep, grid)

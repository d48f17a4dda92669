"""Stores appear and disappear as a whole: made and removed next to their place.

One process does so at a time; links to a store stay.
"""

import contextlib
import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from experiments.sweeps import locks, root
from experiments.sweeps.grid import Grid
from experiments.sweeps.layout import (
    DONE,
    UNIT,
    UNITS,
    coordinate_texts,
    coordinates,
    variables,
)
from experiments.sweeps.place import real
from experiments.sweeps.sweep_file import Sweep
from experiments.text.errors import UserError

NOT_DONE = 255  # instead of an outcome's code


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
        with locks.creation(path), _draft(path) as draft:
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
        with locks.creation(path), _draft(path) as draft:
            real(path).rename(draft)
    except OSError as error:
        raise UserError(f"cannot remove {path} ({error.strerror}).") from None


@contextlib.contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A folder next to a store where one is made or removed, emptied on both ends."""
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
    texts = coordinate_texts(sweep)
    for name, values in coordinates(sweep).items():
        kind = str if values.dtype == object else values.dtype
        array = group.create_array(
            name,
            shape=values.shape,
            chunks=values.shape,
            dtype=kind,
            compressors=_compressors(),
            dimension_names=(name,),
            attributes=texts.get(name, {}),
        )
        array[:] = values
    group.create_group(UNITS)
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

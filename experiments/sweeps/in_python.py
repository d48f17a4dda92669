"""Sweeps from Python; see `experiments.sweeps`."""

import contextlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tomli_w
import xarray

from experiments.sweeps import locks, run_units, sweep_file
from experiments.sweeps.locks import Shard
from experiments.sweeps.sweep_file import Sweep
from experiments.text.errors import UserError, arguments
from simulator.validation import check_bool, check_kind, check_whole, shown


def sweep(
    source: str | Path | Mapping[str, Any],
    out: str | Path | None,
    seed: int | None,
    overwrite: bool,
    precision: str,
    progress: Callable[[int, int], None] | None,
) -> xarray.Dataset:
    """Solve it; see `experiments.sweeps.sweep`."""
    seed = _checked(out, seed, overwrite, precision, progress)
    with contextlib.ExitStack() as stack:
        stack.enter_context(jax.enable_x64(precision == "float64"))
        asked, text = _read(source, seed)
        run_units.check_corners(asked)
        if out is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            path = Path(folder) / "sweep.zarr"
        else:
            path = Path(out)
        with locks.claim(path, Shard(), overwrite):
            target = run_units.begin(path, asked, text, overwrite)
            run_units.march(asked, target, Shard(), progress)
        data = xarray.open_zarr(path)
        return data.load() if out is None else data


def _checked(out, seed, overwrite, precision, progress) -> int | None:
    """The seed as Python's own number. Raises `UserError` for other kinds of things."""
    if not isinstance(precision, str) or precision not in ("float64", "float32"):
        given = shown(precision)
        raise UserError(f"`precision` is {given}; give 'float64' or 'float32'.")
    with arguments():
        if out is not None:
            check_kind("out", out, str | Path, "'quality.zarr'")
        if progress is not None:
            check_kind("progress", progress, Callable, "print, of (done, total)")
        check_bool("overwrite", overwrite)
        return None if seed is None else check_whole("seed", seed, 0, 2**63 - 1)


def _read(
    source: str | Path | Mapping[str, Any], seed: int | None
) -> tuple[Sweep, str]:
    """The checked sweep, and the text that its store keeps."""
    if isinstance(source, Mapping):
        asked = sweep_file.read(_plain(source), seed)
        return asked, _as_toml(asked.table)
    if isinstance(source, str | Path):
        asked = sweep_file.load(Path(source), seed)
        return asked, sweep_file.text(Path(source), asked)
    raise UserError(f"`source` is {shown(source)}; give a sweep file, or a table.")


def _as_toml(table: Mapping[str, Any]) -> str:
    try:
        return tomli_w.dumps(dict(table))
    except TypeError as error:
        raise UserError(
            f"`source` holds more than texts, numbers, lists and tables ({error}); "
            "leave it out."
        ) from None


def _plain(value: Any) -> Any:
    """Tables and lists of Python, from mappings, tuples and arrays."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return np.asarray(value).tolist()
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def outcome_names(data: xarray.Dataset) -> xarray.DataArray:
    """The names of the codes in `outcome`; see `experiments.sweeps.outcome_names`."""
    with arguments():
        check_kind("data", data, xarray.Dataset, "what sweep or xarray.open_zarr makes")
    codes = data.get("outcome")
    if codes is None or "flag_meanings" not in codes.attrs:
        raise UserError(
            "the data set has no outcome of each run; give a sweep without [reduce] (a "
            "summary counts runs by outcome, `runs_reached` and others)."
        )
    names = codes.attrs["flag_meanings"].split()
    found = np.full(codes.shape, "", dtype=np.asarray(names).dtype)
    for code, name in zip(codes.attrs["flag_values"], names, strict=True):
        found[np.asarray(codes) == code] = name
    return codes.copy(data=found).assign_attrs({"long_name": "outcome"})

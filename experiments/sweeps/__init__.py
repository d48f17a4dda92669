"""Sweeps: the product of some axes, cell by cell, into one labelled Zarr store.

`sweep` makes one from Python, `outcome_names` says how its runs ended.

`sweep_file` reads what is asked for (`axes`, `families`, `parameter_paths`;
`observables` at the end, `along` the way), `grid` cuts it into units of work,
`assembly` and `solving` solve one unit, `reduction` summarises draws and seeds, `store`
keeps the results, `run_units` goes through the units, `locks` shares them out to
processes, `cluster` to the workers of Dask, and `machines` solves them together.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import xarray

__all__ = ["outcome_names", "sweep"]


def sweep(
    source: str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    *,
    seed: int | None = None,
    overwrite: bool = False,
    precision: Literal["float64", "float32"] = "float64",
    progress: Callable[[int, int], None] | None = None,
) -> "xarray.Dataset":
    """Solve a sweep, and return it as a labelled data set.

    - `source`: a sweep file, or its contents as a table; lists may be NumPy arrays.
    - `out`: the store, as of the command `sweep`: what is there is resumed, and the
      data are read when they are used. Without it they are kept in memory only.
    - `seed`: instead of that of the file. `overwrite`: begin the store again.
    - `progress(done, total)` is called after each unit of cells.

    Dimensions are the axes of the sweep, with `long_name`, `symbol` and `units`. Runs
    that failed are NaN (see `outcome_names`). Raises `UserError` for what cannot be
    run.

    >>> from experiments.sweeps import sweep
    >>> data = sweep({"record": ["log10_t0"], "axes": {"gap": [0.1, 0.2]}})
    >>> data.log10_t0.values.round(3)
    array([2.437, 1.911])
    """
    from experiments.sweeps import in_python

    return in_python.sweep(source, out, seed, overwrite, precision, progress)


def outcome_names(data: "xarray.Dataset") -> "xarray.DataArray":
    """How each run ended, by name, for the `outcome` of a sweep without summaries.

    Empty for cells that are not stored yet, and for those that were masked.

    >>> from experiments.sweeps import outcome_names, sweep
    >>> data = sweep({"record": ["log10_t0"], "axes": {"gap": [0.1, 0.2]}})
    >>> outcome_names(data).values.tolist()
    ['reached', 'reached']
    """
    from experiments.sweeps import in_python

    return in_python.outcome_names(data)

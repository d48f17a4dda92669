"""A diagram as it was stored: its axes, values and lines are those of its store.

The store holds the text of its sweep with what was to be drawn of it, `[figure]`.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.diagrams import diagram, fixing
from experiments.diagrams.diagram import Diagram
from experiments.sweeps import root, run_units, store, sweep_file
from experiments.sweeps.store import Columns
from experiments.text import toml
from experiments.text.errors import UserError

if TYPE_CHECKING:
    import xarray

AGAIN = "give the command that made it again, with --overwrite"


def load(path: Path, **changes: Any) -> tuple[Diagram, Columns]:
    """The diagram of a store, and the arrays that it shows.

    `changes`: of the table `[figure]`. Raises `UserError` if the store is damaged, not
    complete, or cannot be drawn, and if its text does not give the sweep that it was
    made with.
    """
    found = described(path, **changes)
    sweep, names = found.sweep, found.stored
    cells = store.stored_grid(path, sweep, names[0])
    target = store.open_store(path, sweep, cells, mode="r", names=names)
    if target.damaged_coordinates([axis.dim for axis in sweep.kept]):
        raise UserError(f"{path} has other axes than its text says; {AGAIN}.")
    if not target.done().all():
        raise UserError(f"{path} is not complete; give the command that made it again.")
    return found, run_units.all_columns(target, names)


def described(path: Path, **changes: Any) -> Diagram:
    """The diagram that a store is of, complete or not.

    Raises `UserError` if it cannot be drawn, or is not what its text describes.
    """
    attributes = root.attributes(path)
    stamp = attributes["stamp"]
    try:
        table = toml.parse(attributes["sweep"])
        sweep = sweep_file.read(table, stamp["seed"])
        now = json.loads(json.dumps(sweep.identity))
        found = diagram.of_sweep(sweep, **changes)
    except UserError as error:
        raise UserError(f"{path} cannot be drawn: {str(error).rstrip('.')}.") from None
    if not run_units.same_cells(stamp["config"], now, any_recipe=True):
        raise UserError(f"{path} was made with another sweep than its text; {AGAIN}.")
    return found


def remember(target: store.Store, shown: Diagram) -> None:
    """Put what is drawn of a store into its text, so that it can be drawn again."""
    import tomli_w

    table = toml.parse(root.attributes(target.path)["sweep"])
    if table.get("figure", {}) != shown.figure:
        target.describe(tomli_w.dumps({**table, "figure": dict(shown.figure)}))


def of_dataset(data: "xarray.Dataset", **changes: Any) -> tuple[Diagram, Columns]:
    """The diagram of a store that xarray has opened, or of a part of it.

    Axes along which one value was selected are fixed there. Raises `UserError` if it
    is of no sweep, or of other axes than two.
    """
    if not {"sweep", "stamp"} <= data.attrs.keys():
        raise UserError(
            "the data set does not say which sweep it is of (attributes sweep, stamp); "
            "give the store, or what xarray.open_zarr makes of it."
        )
    table = toml.parse(data.attrs["sweep"])
    seed = json.loads(data.attrs["stamp"])["seed"]
    sweep = sweep_file.read(table, seed)
    table = fixing.opened(table, sweep)
    for axis in sweep.kept:
        if axis.dim in data.dims:
            if not np.array_equal(data[axis.dim].values, axis.shown):
                table["axes"][axis.name] = data[axis.dim].values.tolist()
            continue
        fixing.fix(table, axis, _selected(data, axis.dim), "the data set: ")
    if sweep.along is not None:
        dim = sweep.along.dim
        times = np.atleast_1d(data[dim].values if dim in data.coords else [])
        if not np.array_equal(times, sweep.along.values):
            table["along"][dim] = times.tolist()
    shown = diagram.of_sweep(sweep_file.read(table, seed), **changes)
    dims = [axis.dim for axis in shown.sweep.kept]
    return shown, {n: data[n].transpose(*dims, ...).values for n in shown.stored}


def _selected(data: "xarray.Dataset", dim: str) -> Any:
    """The one value of a dimension that was selected."""
    if dim not in data.coords:
        raise UserError(
            f"the data set has no {dim} any more; select one value, .sel({dim}=...)."
        )
    return data[dim].values.item()

"""A diagram as it was stored: its axes, values and lines are those of its store.

The store holds the text of its sweep with what was to be drawn of it, `[figure]`.
"""

import json
from pathlib import Path

from experiments.diagrams import preset
from experiments.diagrams.preset import DERIVED, Diagram
from experiments.sweeps import root, run_units, store, sweep_file
from experiments.sweeps.store import Columns
from experiments.text import toml
from experiments.text.errors import UserError

AGAIN = "give phase-diagram again, with --overwrite"


def load(path: Path) -> tuple[Diagram, Columns]:
    """The diagram of a store, and the arrays that it shows.

    Raises `UserError` if the store is damaged, not complete, or none of a diagram, and
    if its text does not give the sweep that it was made with.
    """
    diagram = described(path)
    sweep = diagram.sweep
    names = [DERIVED.get(value, value) for value in diagram.values]
    cells = store.stored_grid(path, sweep, names[0])
    target = store.open_store(path, sweep, cells, mode="r", names=names)
    if target.damaged_coordinates([axis.dim for axis in sweep.kept]):
        raise UserError(f"{path} has other axes than its text says; {AGAIN}.")
    if not target.done().all():
        raise UserError(f"{path} is not complete; give the same phase-diagram again.")
    return diagram, run_units.all_columns(target, names)


def described(path: Path) -> Diagram:
    """The diagram that a store is of, complete or not.

    Raises `UserError` if it is of none, or not the one that its text describes.
    """
    attributes = root.attributes(path)
    stamp = attributes["stamp"]
    try:
        table = toml.parse(attributes["sweep"])
        figure = table.pop("figure", None)
        if figure is None:
            raise UserError("it is of a sweep that is no diagram")
        sweep = sweep_file.read(table, stamp["seed"])
        diagram = preset.of_sweep(sweep, figure, attributes["sweep"])
    except UserError as error:
        raise UserError(f"{path} cannot be drawn: {str(error).rstrip('.')}.") from None
    now = json.loads(json.dumps(sweep.identity))
    if not run_units.same_cells(stamp["config"], now, any_recipe=True):
        raise UserError(f"{path} was made with another sweep than its text; {AGAIN}.")
    return diagram

"""Parameters of a sweep that are fixed to a value: of its models, signal, recipe."""

import copy
from collections.abc import Mapping
from typing import Any

from experiments.sweeps import (
    axes,
    families,
    parameter_paths,
    sweep_file,
    sweep_objects,
)
from experiments.sweeps.axes import Axis
from experiments.sweeps.sweep_file import Sweep
from experiments.text import objects
from experiments.text.errors import UserError

USUAL = {"signal": "verifiable", "update": "policy-gradient", "until": "gap=1e-3"}
Table = dict[str, Any]


def opened(table: Mapping[str, Any], sweep: Sweep) -> Table:
    """The table of a sweep, with what it leaves out, of its own: to be changed."""
    own = dict(axes.named(table.get("axes", {}), ("model", *sweep.roots)))
    rest = [axis for axis in sweep.axes if axis.name not in own]  # the base models'
    listed = {axis.name: axis.shown.tolist() for axis in rest} | own
    return copy.deepcopy({"model": {"family": "rival"}, **table, "axes": listed})


def fix(table: Table, axis: Axis, value: Any, where: str) -> None:
    """Fix one axis of an `opened` table at one of the values that it shows.

    Raises `UserError`, beginning with `where`.
    """
    table["axes"].pop(axis.name)
    if axis.labels is not None:  # fixed by its number
        value = axis.values[list(axis.labels).index(value)].item()
    put(table, axis.name, value, where)


def put(table: Table, name: str, value: Any, where: str) -> None:
    """Fix a parameter of the base models, signal, update, event or recipe.

    Raises `UserError`, beginning with `where`, if there is none, or if it is an axis.
    """
    family, _ = families.read(table.get("model", {"family": "rival"}))
    roots, _ = sweep_objects.roots(table)
    slots = [*sweep_file.model_slots(family).values(), *sweep_file.known_slots(roots)]
    slot = _slot(slots, name, f"{where}parameter")
    for axis in table["axes"]:
        if axis != "seed" and _slot(slots, axis, "axis").path == slot.path:
            raise UserError(f"{where}{axis} is an axis here; give --x or --y.")
    root, path = str(slot.path[0]), list(slot.path[1:])
    if not path:
        table[root] = value
    elif root == "model":
        table["model"][path[0]] = value
    elif root == "until":
        table["until"] = (
            f"{table.get('until', USUAL['until']).partition('=')[0]}={value}"
        )
    elif root == "recipe":
        table["recipe"] = _put(objects.encode_fields(roots["recipe"]), path, value)
    else:
        table[root] = _put(table.get(root, USUAL.get(root)), path, value)


def _slot(slots: list, name: str, what: str) -> parameter_paths.Slot:
    own = [slot for slot in slots if f"model.{slot.name}" == name or slot.name == name]
    return own[0] if own else parameter_paths.resolve(slots, name, what)


def _put(entry: Any, path: list, value: Any) -> Any:
    """`entry`, a name, a table or a list of them, with one value changed."""
    if not path:
        return value
    head, *rest = path
    if isinstance(entry, list):
        if isinstance(head, str):  # the parts of a mixture, or their weights
            number, *inner = rest
            rest = ["weight"] if head == "weights" else inner
        else:
            number = head
        new = _put(entry[number], rest, value)
        return [*entry[:number], new, *entry[number + 1 :]]
    own = {"name": entry} if isinstance(entry, str) else dict(entry)
    return own | {head: _put(own.get(head), rest, value)}

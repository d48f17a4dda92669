"""What `--json` says of a sweep, with its stamp, and the same of that stamp again."""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.sweeps import counting, layout, root, run_units, sweep_file
from experiments.sweeps.locks import Shard
from experiments.sweeps.store import Store
from experiments.sweeps.sweep_file import Sweep
from experiments.text import toml


def of_store(
    sweep: Sweep,
    target: Store,
    figure: Mapping[str, Any] | None = None,
    digests: bool = True,
) -> dict[str, Any]:
    """The JSON object of a sweep that is stored; `figure`: what was drawn of it.

    `arrays` has the SHA-256 of every array once all cells are stored (`digests`: if
    they are wanted, as this reads the whole store). Raises `UserError` for a damaged
    chunk.
    """
    counts = counting.count(sweep, target)
    attributes = root.attributes(target.path)
    stamp = dict(attributes["stamp"])
    if "mixed" in attributes:
        stamp["mixed"] = attributes["mixed"]
    if figure is not None:
        stamp["figure"] = dict(figure)
    return {
        "store": str(target.path),
        "cells": sweep.num_cells,
        "missing": counts.missing,
        "runs": sweep.num_cells * sweep.lanes_per_cell,
        "outcomes": dict(counts.outcomes),
        "unresolved": counts.unresolved,
        "undecided": dict(counts.undecided),
        "advice": layout.advice(sweep, counts.outcomes),
        "arrays": _digests(target) if digests and not counts.missing else {},
        "stamp": stamp,
    }


def _digests(target: Store) -> dict[str, str]:
    """The SHA-256 of each array, unit by unit, so that it fits into memory."""
    found: dict[str, Any] = {}
    for unit in target.grid.units():
        for name, column in target.read(unit).items():
            digest = found.setdefault(name, hashlib.sha256())
            digest.update(np.ascontiguousarray(column).tobytes())
    return {name: digest.hexdigest() for name, digest in found.items()}


def of_config(config: Mapping[str, Any]) -> Sweep:
    """The sweep of the `config` in a stamp, with the recipe as it was.

    Raises `UserError` if it cannot be run, `KeyError` for what no sweep has written.
    """
    table = dict(config)
    table.pop("order")
    recipes, seed = table.pop("recipes"), table.pop("seed")
    if "recipe" in table:  # its file may have changed
        table["recipe"] = toml.parse(recipes[0])
    return sweep_file.read(table, seed)


def repeat(config: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object again, of a store that is made anew and removed."""
    import tomli_w

    sweep = of_config(config)
    with tempfile.TemporaryDirectory() as folder:
        text = tomli_w.dumps(dict(sweep.table))
        target = run_units.begin(Path(folder) / "again.zarr", sweep, text)
        run_units.march(sweep, target, Shard())
        return of_store(sweep, target)

"""One sweep of many short units, without a solver, and stores of it."""

import numpy as np

from experiments.sweeps import grid, layout, run_units
from tests.experiments.sweeps import small

UNITS = 120


def many_units():
    """A sweep of 120 units of 10 cells."""
    return small.sweep(
        axes={
            "gap": {"linspace": [0.1, 0.3, UNITS]},
            "best_probability": {"logspace": [1e-3, 0.1, 10]},
        }
    )


def cut_small(monkeypatch):
    monkeypatch.setattr(grid, "LANES", 10)


def no_solver(sweep, unit):
    """Numbers that are quick to have, and those of this unit only."""
    rng = np.random.default_rng(unit.index)
    names = [name for name in layout.variables(sweep) if name != "outcome"]
    columns = {name: rng.normal(size=unit.shape) for name in names}
    return columns | {"outcome": np.zeros(unit.shape, np.uint8)}


def files(path) -> dict[str, bytes]:
    """Everything in a store, byte by byte."""
    found = {}
    for file in sorted(path.rglob("*")):
        if file.is_file():
            found[str(file.relative_to(path))] = file.read_bytes()
    return found


def open_again(sweep, path):
    return run_units.begin(path, sweep, "")

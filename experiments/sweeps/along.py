"""Curves: observables at given times, and not only at the end.

[along]
record = ["accuracy", "entropy"]
log10_t = {linspace = [-1, 8, 91]}       # times of the flow
step = [1, 10, 100, 1000]                # or numbers of steps of sampled training

In the store it is `accuracy_along` with the dimension `log10_t` or `step`. After the
event at which a run stops there is NaN; a run that has come to rest stays there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.sweeps import axes, observables
from experiments.text.errors import UserError

SUFFIX = "_along"
FLOW, TRAINING = "log10_t", "step"
MOST_TIMES = 10_000
EARLIEST = -250.0  # log10 of a time that every engine can tell from the start


@dataclass(frozen=True)
class Along:
    """The observables, the dimension's name, and its rising values."""

    record: tuple[str, ...]
    dim: str
    values: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        """The arrays in the store."""
        return tuple(name + SUFFIX for name in self.record)


def read(table: Any, trains: bool) -> Along | None:
    """The table `[along]` of a sweep file. Raises `UserError`."""
    if table is None:
        return None
    dim, other = (TRAINING, FLOW) if trains else (FLOW, TRAINING)
    for key in table:
        if key == other:
            here = "sampled training" if trains else "the flow"
            raise UserError(f"along: {here} has no {other}; give {dim} in its place.")
        if key not in ("record", dim):
            raise UserError(f"along has no {key!r}; choose from record, {dim}.")
    if dim not in table:
        raise UserError(f"along: give {dim}, at which the observables are recorded.")
    record = table.get("record", ["accuracy"])
    if not isinstance(record, list) or not record:
        raise UserError("along: record must be a list of observables.")
    for name in record:
        if not isinstance(name, str) or not observables.varies(name):
            allowed = ", ".join(filter(observables.varies, observables.TABLE))
            raise UserError(
                f"along: {name!r} cannot be recorded on the way; choose from "
                f"{allowed}, pass_at_8 (or any number)."
            )
    values = axes.read(dim, table[dim], seed=0, most=MOST_TIMES).values
    if values.dtype == object or (np.diff(values) <= 0).any():
        raise UserError(f"along: {dim} must be numbers that rise.")
    if not trains and values[0] < EARLIEST:
        raise UserError(
            f"along: log10_t from {values[0]:g}; give {EARLIEST:g} or more."
        )
    if trains and (values[0] < 1 or (values != np.floor(values)).any()):
        raise UserError("along: step must be whole numbers from 1.")
    return Along(tuple(dict.fromkeys(record)), dim, values)


def measured(record: tuple[str, ...]) -> Callable:
    """`measure(log_probs, rates, base, columns)` for policies `[T, K]` of one run."""
    import jax

    of_policy = jax.vmap(observables.policies(record), in_axes=(0, None, None, None))

    def measure(log_probs, rates, base, columns):
        found = of_policy(log_probs, rates, base, columns)
        return {name + SUFFIX: value for name, value in found.items()}

    return measure

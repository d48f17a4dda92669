"""Counts of what a store holds: outcomes, missing cells, times that are not decided."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from experiments.sweeps import observables
from experiments.sweeps.grid import Unit
from experiments.sweeps.store import Store
from experiments.sweeps.sweep_file import Sweep


@dataclass(frozen=True)
class Counts:
    """Of the cells that are stored: runs by outcome, and how many cells are not.

    `undecided`: for each time of an event, in how many cells it is inf though a run
    there ended early, by an event or by the time limit.
    """

    outcomes: Mapping[str, int]
    missing: int
    undecided: Mapping[str, int]

    @property
    def unresolved(self) -> int:
        """Runs that failed: what they ended with is not stored."""
        from simulator.outcome import FAILED_OUTCOMES

        return sum(self.outcomes.get(name, 0) for name in FAILED_OUTCOMES)


def count(sweep: Sweep, target: Store) -> Counts:
    """Outcomes of all runs that are stored. Raises `UserError` for a damaged chunk."""
    import simulator as sim

    outcomes = np.zeros(len(sim.OUTCOME_NAMES), int)
    times = _event_times(sweep)
    undecided = dict.fromkeys(times, 0)
    done, missing = target.done(), 0
    for unit in target.grid.units():
        if not done[unit.index]:
            missing += unit.num_cells
            continue
        outcomes += _outcomes(target, unit)
        for name, arrays in times.items():
            undecided[name] += _undecided(target, unit, arrays)
    names = zip(sim.OUTCOME_NAMES, outcomes.tolist(), strict=True)
    return Counts(
        {name: number for name, number in names if number},
        missing,
        {name: number for name, number in undecided.items() if number},
    )


def _undecided(target: Store, unit: Unit, arrays: list[str]) -> int:
    """Cells in which a time is inf, though a run ended before all was decided.

    `arrays`: the time itself, or its summaries.
    """
    import simulator as sim

    early = [sim.OUTCOME_NAMES.index(name) for name in ("reached", "horizon")]
    codes = target.read_outcomes(unit)
    if codes.ndim > len(unit.shape):
        ended = codes[..., early].any(axis=-1)
    else:
        ended = np.isin(codes, early)
    columns = target.read(unit, arrays)
    late = np.any([columns[name] == np.inf for name in arrays], axis=0)
    return int(np.sum(late & ended))


def _outcomes(target: Store, unit: Unit) -> np.ndarray:
    import simulator as sim

    number, columns = len(sim.OUTCOME_NAMES), target.read_outcomes(unit)
    if columns.ndim > len(unit.shape):
        return columns.reshape(-1, number).sum(axis=0)
    return np.bincount(columns.ravel(), minlength=256)[:number]


def _event_times(sweep: Sweep) -> dict[str, list[str]]:
    """Recorded times of events, and the arrays in which each is stored."""
    names = observables.event_times(sweep.record)
    if sweep.reduce is None:
        return {name: [name] for name in names}
    return {name: [f"{name}_{s}" for s in sweep.reduce.statistics] for name in names}

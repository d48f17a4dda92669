"""The cells of one unit, solved: by the flow, or by sampled training."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from experiments.sweeps import (
    along,
    attributes,
    grid,
    layout,
    observables,
    reduction,
)
from experiments.sweeps.assembly import Runs, assemble
from experiments.sweeps.grid import Unit
from experiments.sweeps.sweep_file import Sweep

Columns = dict[str, np.ndarray]


def unit_columns(sweep: Sweep, unit: Unit) -> Columns:
    """Arrays to be stored for the cells of a unit: `[*unit.shape, ...]` each."""
    values = grid.cells(sweep, unit)
    columns = cell_columns(sweep, values, unit.num_cells)
    return {k: v.reshape((*unit.shape, *v.shape[1:])) for k, v in columns.items()}


def cell_columns(sweep: Sweep, values: Mapping[str, Any], number: int) -> Columns:
    """The same for any cells, `values` per axis `[number]` or one for all: `[number]`.

    The outcome of every run, as a code; or, where runs are summarised, how many runs
    had each outcome.
    """
    if sweep.reduce is None:
        return solve(sweep, values, number)
    runs, room = sweep.lanes_per_cell, grid.lanes_per_unit(sweep)
    piece = max(1, room // number)
    parts = []
    for start in range(0, runs, piece):
        stop = min(start + piece, runs)
        many = grid.with_runs(sweep, values, number, start, stop)
        part = solve(sweep, many, number * (stop - start))
        shape = (number, stop - start)
        parts.append({k: v.reshape(*shape, *v.shape[1:]) for k, v in part.items()})
    whole = {k: np.concatenate([p[k] for p in parts], axis=1) for k in parts[0]}
    return _summaries(sweep.reduce, whole)


def _summaries(reduce: reduction.Reduction, whole: Columns) -> Columns:
    import simulator as sim

    outcome = whole.pop(observables.OUTCOME)
    columns = {
        f"{layout.RUNS}{name}": (outcome == code).sum(axis=1)
        for code, name in enumerate(sim.OUTCOME_NAMES)
    }
    for name, values in whole.items():
        rows = np.moveaxis(values, 1, -1)  # where recorded on the way: time by time
        flat = rows.reshape(-1, rows.shape[-1])
        found = reduction.summarise(flat, reduce.statistics)
        for key, value in found.items():
            columns[f"{name}_{key}"] = value.reshape(rows.shape[:-1])
    for name, bins in reduce.bins.items():
        columns[f"{name}_histogram"] = reduction.histogram(whole[name], bins)
    return columns


def solve(sweep: Sweep, values: Mapping[str, Any], number: int) -> Columns:
    """Every run on its own: the recorded observables and the outcome's code."""
    runs = assemble(sweep, values, number)
    columns = _train(sweep, runs, values) if sweep.trains else _flow(sweep, runs)
    bad = np.isin(columns[observables.OUTCOME], failure_codes())
    return observables.without_failures(columns, bad)


def failure_codes() -> list[int]:
    """The outcomes after which the numbers of a run mean nothing."""
    import simulator as sim

    return [sim.OUTCOME_NAMES.index(name) for name in sim.FAILED_OUTCOMES]


def options(sweep: Sweep) -> dict[str, Any]:
    """The options of `simulator.solve` that the file gives."""
    import simulator as sim

    table = sweep.table
    given: dict[str, Any] = {"method": table.get("method", "auto")}
    given["max_log_time"] = sweep.max_log10_time * np.log(10)
    if sweep.along is not None:
        given["save_log_times"] = sweep.along.values * np.log(10)
        given["observe"] = sim.log_probabilities
    for key in ("max_steps", "tolerance"):
        if key in table:
            given[key] = table[key]
    return given


def _flow(sweep: Sweep, runs: Runs) -> Columns:
    import simulator as sim

    names = observables.events(sweep.record)
    events = [attributes.event(name) for name in names]
    solution = sim.solve(
        runs.problem,
        runs.roots["signal"],
        runs.roots["update"],
        until=runs.roots["until"],
        events=events,
        **options(sweep),
    )
    before = runs.base.log_before
    if before is None:
        before = np.full(len(runs.base.success_rates), -np.inf)
    numbers = solution.without_labels()
    columns = _measured(observables.solutions, sweep.record, numbers, runs, before)
    curves = _curves(sweep, solution.saved, runs)
    columns |= {name: _cut(sweep, solution, curve) for name, curve in curves.items()}
    return columns | {observables.OUTCOME: sim.outcome_codes(solution.outcome)}


def _cut(sweep: Sweep, solution: Any, curve: np.ndarray) -> np.ndarray:
    """A curve `[runs, T]`, NaN after the event at which the run stopped."""
    import simulator as sim

    log_times = options(sweep)["save_log_times"]
    stopped = np.asarray(solution.outcome == sim.Outcome.reached)
    over = stopped[:, None] & (log_times > np.asarray(solution.log_time)[:, None])
    return np.where(over, np.nan, curve)


def _train(sweep: Sweep, runs: Runs, values: Mapping[str, Any]) -> Columns:
    """Cells have the same random numbers: what differs between them is no accident."""
    import jax

    import simulator as sim
    from simulator import rollouts

    problem = jax.tree.map(lambda x: x[:, None], runs.problem)
    number = len(problem.success_rates)
    seeds = np.asarray(values.get("seed", np.zeros(number)), int)
    run = rollouts.train(
        problem,
        runs.roots["recipe"],
        keys=rollouts.seed_keys(sweep.seed, 0, seeds[:, None]),
        save_at=None if sweep.along is None else sweep.along.values.astype(int),
        until=runs.roots.get("until"),
    )
    final = run.log_probs[:, 0, 0]
    columns = _measured(observables.policies, sweep.record, final, runs)
    columns |= _curves(sweep, run.saved[:, 0, :, 0], runs)
    if run.first_step is not None:
        first = np.asarray(run.first_step)[:, 0]
        columns |= observables.trainings(sweep.record, first)
    return columns | {observables.OUTCOME: sim.outcome_codes(run.outcome)[:, 0]}


def _curves(sweep: Sweep, saved: Any, runs: Runs) -> Columns:
    """Observables along the run, if any, from the log-probabilities there."""
    if sweep.along is None:
        return {}
    return _measured(along.measured, sweep.along.record, saved, runs)


@functools.cache
def _measure(make: Callable, names: tuple[str, ...]) -> Callable:
    import jax

    return jax.jit(jax.vmap(make(names)))


def _measured(
    make: Callable, names: tuple[str, ...], ends: Any, runs: Runs, *more: np.ndarray
) -> Columns:
    """`make(names)` of every run, in whole blocks: few programs are compiled."""
    import jax

    number = len(runs.base.success_rates)
    size = 1 << (number - 1).bit_length()
    problem = runs.problem
    given = (ends, problem.success_rates, problem.log_policy, *more, problem.attributes)

    def padded(leaf):
        rows = np.asarray(leaf)
        return np.concatenate([rows, np.repeat(rows[-1:], size - number, axis=0)])

    found = _measure(make, names)(*jax.tree.map(padded, given))
    return {name: np.asarray(value)[:number] for name, value in found.items()}

"""The cost of a sweep, from a sample of its cells: memory, disk and time."""

import math
import resource
import sys
import time
from typing import NamedTuple

import numpy as np

from experiments.sweeps import grid, layout, solving, store
from experiments.sweeps.sweep_file import Sweep
from simulator.reporting.display import count

SAMPLES = (256, 4096)  # runs; the difference tells the time of one
KEPT = 3  # copies of what is summarised: in parts, whole, in order


class Took(NamedTuple):
    """Seconds with compiled programs, and what the first time took longer."""

    warm: float
    compiling: float


def _sample(sweep: Sweep, cells: grid.Grid, runs: int) -> tuple[Took, int]:
    """Time of about so many runs of cells from all over the grid, and their number."""
    rng = np.random.default_rng(0)
    unit = cells.unit(int(rng.integers(cells.num_units)))
    each = min(sweep.lanes_per_cell, runs)
    number = min(runs // each, sweep.num_cells)
    values = grid.cells(sweep, unit)
    for i, axis in enumerate(sweep.kept):
        if not sweep.is_static(i):
            values[axis.name] = rng.choice(axis.values, number)
    if sweep.reduce is not None:
        values = grid.with_runs(sweep, values, number, 0, each)
    elapsed = []
    for _ in range(2):
        start = time.perf_counter()
        solving.solve(sweep, values, number * each)
        elapsed.append(time.perf_counter() - start)
    return Took(min(elapsed), elapsed[0] - min(elapsed)), number * each


def seconds(sweep: Sweep, cells: grid.Grid) -> Took:
    """Expected time of the whole sweep on this machine; summaries are not counted.

    Compiling is that of all programs, each as long as the one of the sample.
    """
    (few, small), (many, large) = (_sample(sweep, cells, runs) for runs in SAMPLES)
    compiling = (few.compiling + many.compiling) * programs(sweep)
    total = sweep.num_cells * sweep.lanes_per_cell
    if large in (small, total):
        return Took(many.warm * total / large, compiling)
    each = max(many.warm - few.warm, 0.0) / (large - small)
    return Took(max(few.warm, each * total), compiling)


def programs(sweep: Sweep) -> int:
    """How many programs are compiled: one for each value of a part, as of `update`."""
    sides = [len(a.values) for i, a in enumerate(sweep.axes) if sweep.is_static(i)]
    return math.prod(sides)


def _recorded(sweep: Sweep) -> int:
    """Numbers that are kept of a run until it is summarised."""
    along = sweep.along
    curves = 0 if along is None else len(along.record) * len(along.values)
    return 1 + len(sweep.record) + curves


def disk(sweep: Sweep) -> int:
    """Bytes of the result before compression."""
    size = 0
    for variable in layout.variables(sweep).values():
        extra = math.prod(number for _, number in variable.extra)
        size += sweep.num_cells * extra * np.dtype(variable.dtype).itemsize
    return size


def memory() -> int:
    """The most that this process has had in memory so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def lines(sweep: Sweep, target: store.Store | None) -> str:
    """The answer to `--dry-run`; `target`: the store to go on with, if there is one."""
    cells = grid.cut(sweep)
    took = seconds(sweep, cells)
    unit = math.prod(cells.chunk) * sweep.lanes_per_cell
    # Per run: policies and times at events, and the walker on its way.
    at_once = min(unit, grid.lanes_per_unit(sweep))
    held = memory() + at_once * (15 * sweep.width + sweep.numbers_per_run) * 8
    if sweep.reduce is not None:
        held += KEPT * unit * _recorded(sweep) * 8
    runs = sweep.num_cells * sweep.lanes_per_cell
    done = 0.0 if target is None else float(np.mean(target.done()))
    left = (1 - done) * took.warm
    axes = ", ".join(f"{axis.name} {len(axis.values):,}" for axis in sweep.axes)
    return "\n".join(
        [
            f"axes    {axes}",
            f"cells   {sweep.num_cells:,}, {runs:,} runs, "
            f"{count(cells.num_units, 'unit')}",
            f"memory  about {_size(held)} at most",
            f"disk    {_size(disk(sweep))} before compression, "
            f"{cells.num_units * (len(layout.variables(sweep)) + 1):,} files",
            f"time    {_duration(left + took.compiling)} on this machine: "
            f"{_duration(left)} of solving, {_duration(took.compiling)} of compiling "
            f"{count(programs(sweep), 'program')}",
            *([] if target is None else [f"stored  {done:.0%} of {target.path}"]),
        ]
    )


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def _duration(took: float) -> str:
    if took < 120:
        return f"{took:.2g} s"
    return f"{took / 60:.3g} min" if took < 7200 else f"{took / 3600:.3g} h"

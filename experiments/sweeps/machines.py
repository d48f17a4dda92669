"""One sweep over the devices of many machines, by JAX's multi-process runtime.

All processes go through the same units and solve each of them together; the first one
keeps the store and says what is to be done. If one process dies the runtime stops them
all: start them again, and they go on.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from experiments.errors import UserError
from experiments.sweeps import march, solving
from experiments.sweeps.claims import Shard
from experiments.sweeps.grid import Grid
from experiments.sweeps.store import Store
from experiments.sweeps.sweep_file import Sweep


@dataclass(frozen=True)
class Group:
    """Process `index` of `count`."""

    index: int
    count: int


@contextlib.contextmanager
def joined(
    coordinator: str | None, processes: int | None, process: int | None
) -> Iterator[Group]:
    """In the group of processes that meet at `coordinator`; alone without one."""
    given = [value is not None for value in (coordinator, processes, process)]
    if not any(given):
        yield Group(0, 1)
        return
    if not all(given):
        raise UserError("--coordinator, --processes and --process go together.")
    assert coordinator is not None and processes is not None and process is not None
    if processes < 1:
        raise UserError(f"--processes {processes}: give how many there are, from 1.")
    if not 0 <= process < processes:
        raise UserError(f"--process {process}: give 0 to {processes - 1}.")
    if not re.fullmatch(r".+:\d{1,5}", coordinator):
        raise UserError(
            f"--coordinator {coordinator}: give HOST:PORT of the first process."
        )
    import jax

    try:
        jax.distributed.initialize(coordinator, processes, process)
    except (RuntimeError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise UserError(f"--coordinator {coordinator}: {reason}.") from None
    yield Group(process, processes)
    # After a mistake there is nobody to wait for: the others have been told, or stop.
    jax.distributed.shutdown()


def _share(flags: np.ndarray) -> np.ndarray:
    """The first process's flags, in every process."""
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.broadcast_one_to_all(flags))


def lead(sweep: Sweep, target: Store, progress: march.Progress | None) -> None:
    """What the first process does."""
    _share(target.done())
    march.march(sweep, target, Shard(), progress)


def dismiss(cells: Grid) -> None:
    """What the first process does in place of `lead` when it cannot begin."""
    _share(np.ones(cells.num_units, bool))


def follow(sweep: Sweep, cells: Grid) -> None:
    """What the others do: solve along, keep nothing."""
    done = _share(np.zeros(cells.num_units, bool))
    for unit in cells.units():
        if not done[unit.index]:
            solving.unit_columns(sweep, unit)

"""One sweep over the devices of many machines, by JAX's multi-process runtime.

All processes go through the same units and solve each of them together; the first one
keeps the store and says what is to be done. If one process ends early, so do all: start
them again, and they go on. One that is not heard of for 100 s, where a network fails
say, has ended for JAX's runtime, which then ends the others with exit code 134.
"""

import atexit
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from experiments.sweeps import rendezvous, run_units, solving
from experiments.sweeps.grid import Grid
from experiments.sweeps.locks import Shard
from experiments.sweeps.store import Store
from experiments.sweeps.sweep_file import Sweep
from experiments.text.errors import UserError

SOON = 1.0  # seconds in which the end of another process is noticed


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
    meeting = rendezvous.Meeting(coordinator, processes, process)
    import jax

    try:
        _initialize(coordinator, processes, process)
        yield Group(process, processes)
        jax.distributed.shutdown()
        meeting.over()
    except BaseException as error:
        # JAX raises this or that where another process is dead: `meeting` says it.
        if not isinstance(error, (UserError, KeyboardInterrupt)):
            time.sleep(SOON)
        # Without JAX's wait for the others, who end as well.
        code = 2 if isinstance(error, (UserError, ValueError, OSError)) else 1
        atexit.register(_end, 130 if isinstance(error, KeyboardInterrupt) else code)
        raise


def _initialize(coordinator: str, processes: int, process: int) -> None:
    import jax

    try:
        jax.distributed.initialize(
            coordinator,
            processes,
            process,
            initialization_timeout=int(rendezvous.PATIENCE),
            coordinator_bind_address=coordinator,  # and on no other interface
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise UserError(f"--coordinator {coordinator}: {reason}.") from None


def _end(code: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # a broken pipe, or none
        sys.stdout.flush()
    os._exit(code)


def _share(flags: np.ndarray) -> np.ndarray:
    """The first process's flags, in every process."""
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.broadcast_one_to_all(flags))


def lead(sweep: Sweep, target: Store, progress: run_units.Progress | None) -> None:
    """The work of the first process."""
    _share(target.done())
    run_units.march(sweep, target, Shard(), progress)


def follow(sweep: Sweep, cells: Grid) -> None:
    """The work of the others: solve along, keep nothing."""
    done = _share(np.zeros(cells.num_units, bool))
    for unit in cells.units():
        if not done[unit.index]:
            solving.unit_columns(sweep, unit)

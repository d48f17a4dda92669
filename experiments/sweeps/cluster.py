"""The units of a sweep on the workers of a Dask cluster, which may come and go.

Workers solve units; the command alone stores them, as they come. A unit is the same
whoever solves it: a worker whose code, packages or devices would make other bits is
refused. Nothing here imports JAX before its environment is set, as in workers it is the
task that does.
"""

import asyncio
import contextlib
import functools
import json
import logging
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.runtime import compiling, progress
from experiments.text.errors import UserError

if TYPE_CHECKING:
    from experiments.sweeps.grid import Region, Unit
    from experiments.sweeps.sweep_file import Sweep

LOCAL = "local"
PATIENCE = 30.0  # seconds for the scheduler to answer
AHEAD = 2  # units per worker that are handed out, or solved and not stored yet
# Dask gives a unit up that has lost 4 workers, and it is handed out again; but not for
# ever: one that takes too much memory would end worker after worker.
ATTEMPTS = 5
SAFE = "What is stored is safe: the same command goes on"

Columns = dict[str, np.ndarray]
Solved = Generator[tuple["Unit", Columns], None, None]
Elsewhere = Callable[["Sweep", list["Unit"]], Solved]

_one_at_a_time = threading.Lock()  # however many threads the worker has


@contextlib.contextmanager
def joined(address: str | None) -> Iterator[Elsewhere | None]:
    """Solve units on the cluster at `address`, or on one of this machine (`local`).

    None without an address. Raises `UserError` if Dask is not installed, or if nobody
    answers.
    """
    if address is None:
        yield None
        return
    try:
        import distributed
    except ImportError:
        raise UserError(
            "--dask needs Dask; give pip install 'pattern-selection[dask]'."
        ) from None
    # What has to be said is said in one line, below.
    for logger in ("distributed", "distributed.client"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    name = f"--dask {address}"
    with contextlib.ExitStack() as stack:
        where: Any = address
        if address == LOCAL:
            where = stack.enter_context(_local())
        try:
            if address != LOCAL:
                asyncio.run(asyncio.wait_for(_greet(address), PATIENCE))
            client = distributed.Client(where, timeout=PATIENCE, set_as_default=False)
        except Exception as error:  # whatever Dask makes of an answer that is none
            raise UserError(
                f"{name}: no scheduler answers in {PATIENCE:g} s "
                f"({_first_line(error)}); give the tcp://HOST:PORT that `dask "
                f"scheduler` prints, or {LOCAL}."
            ) from None
        stack.enter_context(client)
        yield functools.partial(_solved, client, name)


async def _greet(address: str) -> None:
    """Connect once: Dask's client would wait for ever where nobody answers."""
    from distributed import comm, security

    known = security.Security().get_connection_args("client")
    line = await comm.connect(address, timeout=PATIENCE, **known)
    await line.close()


def _local():
    """Workers with two devices each, on all devices of this machine."""
    import distributed
    import jax

    if jax.default_backend() != "cpu":
        raise UserError(
            f"--dask {LOCAL}: processes cannot share a {jax.default_backend()}; the "
            "command without --dask uses all there are."
        )
    devices = jax.device_count()
    return distributed.LocalCluster(
        n_workers=max(1, devices // 2),
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,  # none, as of the command itself
        silence_logs=logging.CRITICAL,
        env={"JAX_NUM_CPU_DEVICES": str(min(2, devices))},
    )


def _solved(client: Any, name: str, sweep: "Sweep", units: list["Unit"]) -> Solved:
    """Units and their columns, as they come."""
    import distributed

    order, lost = _order(sweep), Counter[int]()
    waiting, under_way = list(reversed(units)), dict[Any, "Unit"]()
    finished = distributed.as_completed(loop=client.loop)
    try:
        if not (client.nthreads() or progress.is_quiet()):
            progress.say(f"{name}: no workers yet; waiting for some")
        while waiting or under_way:
            room = AHEAD * max(1, len(client.nthreads())) - len(under_way)
            for _ in range(min(room, len(waiting))):
                unit = waiting.pop()
                future = client.submit(
                    unit_columns, order, unit.index, unit.region, pure=False
                )
                under_way[future] = unit
                finished.add(future)
            future = next(finished)
            unit = under_way.pop(future)
            try:
                columns = future.result()
            except distributed.KilledWorker:
                lost[unit.index] += 1
                if lost[unit.index] == ATTEMPTS:
                    raise UserError(
                        f"{name}: workers died again and again over unit {unit.index}; "
                        f"is there enough memory? {SAFE}."
                    ) from None
                waiting.append(unit)
                continue
            except Exception as error:
                if future.status != "error" or isinstance(error, UserError):
                    raise
                raise UserError(
                    f"{name}: unit {unit.index} failed ({_first_line(error)}); the log "
                    f"of the workers says more. {SAFE}."
                ) from None
            del future  # the workers may forget it
            yield unit, columns
    except UserError:
        raise
    except Exception as error:  # whatever Dask makes of a scheduler that is dead
        raise UserError(
            f"{name}: the connection to the scheduler is lost ({_first_line(error)}). "
            f"{SAFE}."
        ) from None


def _first_line(error: BaseException) -> str:
    line = str(error).partition("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def _order(sweep: "Sweep") -> str:
    """What a worker has to know: the sweep, and what has to agree."""
    from experiments.sweeps import grid, run_units, sweep_file

    stamp = run_units.identity(sweep, grid.cut(sweep))
    table = {k: v for k, v in sweep.table.items() if k not in sweep_file.NO_NUMBERS}
    agree = {key: stamp[key] for key in run_units.MUST_AGREE}
    return json.dumps({"table": table, "seed": sweep.seed, "stamp": agree})


def unit_columns(order: str, index: int, region: "Region") -> Columns:
    """A task of a worker: `solving.unit_columns`.

    Raises `UserError` if its bits would be others than those of the command.
    """
    with _one_at_a_time:
        sweep = _agreed(order)
        from experiments.runtime import workers
        from experiments.sweeps import solving
        from experiments.sweeps.grid import Unit

        columns = solving.unit_columns(sweep, Unit(index, region))
        workers.forget_programs()
        return columns


@functools.lru_cache(maxsize=1)
def _agreed(order: str) -> "Sweep":
    """The sweep that is ordered, in a process that is set up for it."""
    given = json.loads(order)
    if "jax" not in sys.modules:
        compiling.prepare("sweep")
    import jax

    from experiments.sweeps import grid, run_units, sweep_file

    stamp = given["stamp"]
    jax.config.update("jax_enable_x64", stamp["dtype"] == "float64")
    # First, as another version may not understand the sweep.
    _check(stamp, {"code_sha256": run_units.code_digest()})
    sweep = sweep_file.read(given["table"], given["seed"])
    _check(stamp, run_units.identity(sweep, grid.cut(sweep)))
    return sweep


def _check(stamp: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Raise `UserError` for what is not as the command has it."""
    from experiments.sweeps.run_units import MUST_AGREE

    for key in MUST_AGREE:
        there, here = own.get(key, stamp[key]), stamp[key]
        if there == here:
            continue
        if isinstance(there, dict):
            names = [name for name in there if there[name] != here.get(name)]
            there, here = (
                ", ".join(f"{name} {known.get(name)}" for name in names)
                for known in (there, here)
            )
        raise UserError(
            f"the worker on {socket.gethostname()} would find other bits than the "
            f"command ({key}: {there} there, {here} here); start workers with the "
            "code, the packages and the kind of devices that the command has."
        )

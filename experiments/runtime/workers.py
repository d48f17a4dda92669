"""Tasks side by side: while one process compiles, on one core, another computes."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any

from experiments.runtime import compiling, progress
from experiments.text.errors import UserError

MOST = 2  # processes: a check of a million problems takes up to 3.4 GiB
MAPPINGS = 30_000  # of memory; Linux allows a process 65,530

Task = tuple[Callable[..., Any], tuple[Any, ...]]


def run(
    tasks: Mapping[Any, Task], ended: Callable[[Any, Any], None] | None = None
) -> dict[Any, Any]:
    """`{name: function(*arguments)}` of every task `name: (function, arguments)`.

    Tasks begin in the order given and end in any; at each end `ended(name, result)` is
    called. Functions, arguments and results must pickle. A single task, and all of them
    where an accelerator can serve but one process, run in this process. The results are
    the same.

    An exception ends all tasks. Raises `UserError` if a process was killed.
    """
    import jax

    processes = min(MOST, len(tasks))
    if processes > 1 and jax.default_backend() == "cpu":
        pairs = _side_by_side(tasks, processes)
    else:
        pairs = ((name, _alone(f, *given)) for name, (f, given) in tasks.items())
    results = {}
    with contextlib.closing(pairs):
        for name, result in pairs:
            results[name] = result
            if ended is not None:
                ended(name, result)
    return results


def _side_by_side(tasks, processes):
    import jax

    context = multiprocessing.get_context("spawn")
    places = context.Queue()
    for place in range(processes):
        places.put(place)
    double = jax.dtypes.canonicalize_dtype(float).itemsize == 8
    lock = progress.share(context.RLock())
    begin = (places, lock, progress.is_quiet(), double)
    with futures.ProcessPoolExecutor(processes, context, _begin, begin) as pool:
        try:
            names = {
                pool.submit(_alone, function, *arguments): name
                for name, (function, arguments) in tasks.items()
            }
            # A pool notices the death of processes that it had at a submission.
            pool.submit(int)
            for done in futures.as_completed(names):
                yield names[done], done.result()
        except BaseException as error:  # the tasks under way are not waited for
            for process in multiprocessing.active_children():
                process.terminate()
            if isinstance(error, futures.process.BrokenProcessPool):
                raise UserError(
                    "a process of this command was killed; is there enough memory?"
                ) from None
            raise


def _begin(places, lock, quiet, double):
    """Set a process up, before its first task."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is heeded by the parent
    threading.Thread(target=_end_with_parent, daemon=True).start()
    progress.share(lock, places.get())
    progress.set_quiet(quiet)
    compiling.collect_seldom()
    import jax

    jax.config.update("jax_enable_x64", double)


def _end_with_parent():
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _alone(function, *arguments):
    """The result of a task; compiled programs are forgotten if there are too many.

    Every program takes some mappings of memory; with those of all tasks the compiler
    would fail for want of memory on Linux.
    """
    result = function(*arguments)
    forget_programs()
    return result


def forget_programs() -> None:
    """Forget all compiled programs if they take too many mappings of memory."""
    import jax

    if _mappings() > MAPPINGS:
        jax.clear_caches()


def _mappings() -> int:
    """How many mappings of memory this process has; 0 where that cannot be told."""
    try:
        with open("/proc/self/maps", "rb") as file:
            return sum(1 for _ in file)
    except OSError:
        return 0

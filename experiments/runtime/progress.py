"""Progress bars on stderr, for people only (nothing when stderr is not a terminal)."""

import contextlib
from collections.abc import Callable, Iterator

from tqdm import tqdm

_line: int | None = None  # of this process, below the cursor


def share(lock, line: int | None = None):
    """Processes that draw side by side have one lock, and each a line of its own."""
    global _line
    tqdm.set_lock(lock)
    _line = line
    return lock


@contextlib.contextmanager
def bar(label: str, unit: str = "problem") -> Iterator[Callable[[int, int], None]]:
    """A bar as a function `(done, total)`; restarts when a new count begins.

    It is gone when the block ends.
    """
    options = {"disable": None, "leave": False, "position": _line}
    with tqdm(desc=label, unit=unit, **options) as display:

        def update(done: int, total: int) -> None:
            display.total = total
            display.n = done
            display.refresh()

        yield update

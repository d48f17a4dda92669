"""Progress bars on stderr, for people only (nothing when stderr is not a terminal)."""

import contextlib
from collections.abc import Callable, Iterator

from tqdm import tqdm


@contextlib.contextmanager
def bar(label: str, unit: str = "problem") -> Iterator[Callable[[int, int], None]]:
    """A bar as a function `(done, total)`; restarts when a new count begins."""
    with tqdm(desc=label, disable=None, delay=2, unit=unit) as display:

        def update(done: int, total: int) -> None:
            display.total = total
            display.n = done
            display.refresh()

        yield update

"""Progress on stderr: a bar on a terminal, and a line a minute elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from tqdm import tqdm

EVERY = 60.0  # seconds between lines

_line: int | None = None  # of this process, below the cursor
_quiet = False


def share(lock, line: int | None = None):
    """Processes that draw side by side have one lock, and each a line of its own."""
    global _line
    tqdm.set_lock(lock)
    _line = line
    return lock


def set_quiet(quiet: bool) -> None:
    """Whether this process keeps its progress to itself."""
    global _quiet
    _quiet = quiet


def is_quiet() -> bool:
    """As it was set."""
    return _quiet


def say(text: str) -> None:
    """A line on stderr, above the bars."""
    tqdm.write(text, file=sys.stderr)


@contextlib.contextmanager
def bar(label: str, unit: str = "problem") -> Iterator[Callable[[int, int], None]]:
    """A bar as a function `(done, total)`; restarts when a new count begins.

    It is gone when the block ends. Where stderr is no terminal a line a minute says how
    far it is, and since when.
    """
    if _quiet or not sys.stderr.isatty():
        yield _lines(label, unit)
        return
    with tqdm(desc=label, unit=unit, leave=False, position=_line) as display:

        def update(done: int, total: int) -> None:
            display.total = total
            display.n = done
            display.refresh()

        yield update


def _lines(label: str, unit: str) -> Callable[[int, int], None]:
    started = said = time.monotonic()

    def update(done: int, total: int) -> None:
        nonlocal said
        now = time.monotonic()
        if _quiet or now - said < EVERY:
            return
        said = now
        minutes, seconds = divmod(round(now - started), 60)
        print(
            f"{label}: {done:,} of {total:,} {unit}s after {minutes} min {seconds} s",
            file=sys.stderr,
            flush=True,
        )

    return update

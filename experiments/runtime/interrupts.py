"""Ctrl-C while compiled modules are imported, which it may crash."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def wait() -> Iterator[None]:
    """An interrupt counts afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

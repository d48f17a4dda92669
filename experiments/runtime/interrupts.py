"""Ctrl-C that is not lost: compiled libraries may swallow it, or crash."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

PATIENCE = 1.0  # seconds until an interrupt that had no effect comes again


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """`KeyboardInterrupt` comes again until the block is left.

    Python drops exceptions in callbacks (of the garbage collector, say), and libraries
    catch them while they look for optional parts. Where Ctrl-C is ignored, as in the
    background of a shell, or handled by somebody else, it stays so.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    left, before = threading.Event(), sys.unraisablehook

    def again():
        if not left.wait(PATIENCE):
            os.kill(os.getpid(), signal.SIGINT)

    def interrupt(number, frame):
        threading.Thread(target=again, daemon=True).start()
        raise KeyboardInterrupt

    def unraisable(lost):
        if not isinstance(lost.exc_value, KeyboardInterrupt):
            before(lost)

    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = unraisable
    try:
        yield
    finally:
        left.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = before


@contextlib.contextmanager
def wait() -> Iterator[None]:
    """An interrupt counts afterwards: it may crash the import of compiled modules."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

"""Who answers when: two threads, and of each kind of question the newest.

Curves must never wait for a diagram, so quick kinds have a thread of their own. While a
thread is busy the newest question of a page and kind waits; the one that waited before
is dropped, for it is of a state that is no longer shown.

Programs are compiled in the order in which the page needs them, one after another:
compiling holds Python's lock, and several at once would all come late. A question that
waits goes before the next program, and programs that may never be needed wait until
nobody has asked for a while.
"""

import asyncio
import contextlib
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

IDLE = 3.0  # seconds without a question


class Dropped(Exception):
    """A newer question of the kind came before this one was begun."""


class Kind(NamedTuple):
    """A kind of question: its answer, and whether that is quick."""

    answer: Callable[[Mapping[str, Any]], Any]
    quick: bool = False


class Warming(NamedTuple):
    """A program to compile before it is needed: its name, and a call that does it.

    `quick`: in the thread of quick kinds. `idle`: not while questions come.
    """

    name: str
    call: Callable[[], Any]
    quick: bool = False
    idle: bool = False


class Worker:
    """Answers questions, by the name of their kind.

    `ready`: names of what is warmed up; `failed`: of what is not, and why.
    """

    def __init__(self, kinds: Mapping[str, Kind], warm_up: Sequence[Warming] = ()):
        self.kinds = kinds
        self.ready: list[str] = []
        self.failed: dict[str, str] = {}
        self._threads = {quick: ThreadPoolExecutor(1) for quick in (True, False)}
        self._newest: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._last = -math.inf  # when somebody asked
        self._stopped = threading.Event()
        for quick in (True, False):
            self._go_on([one for one in warm_up if one.quick is quick])

    @property
    def asked(self) -> int:
        """How many questions have come."""
        return self._newest.total()

    async def ask(self, name: str, question: Mapping[str, Any]) -> Any:
        """The answer; `page` in the question tells the pages of several tabs apart.

        Raises `Dropped`, and whatever the answer raises.
        """
        kind, asker = self.kinds[name], (name, str(question.get("page"))[:32])
        with self._lock:
            self._newest[asker] += 1
            self._last = time.monotonic()
            number = self._newest[asker]

        def call():
            if number != self._newest[asker]:
                raise Dropped
            return kind.answer(question)

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads[kind.quick], call)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped.set()
        for thread in self._threads.values():
            thread.shutdown(wait=False, cancel_futures=True)

    def _go_on(self, rest: Sequence[Warming]) -> None:
        """Have the first of the rest done when its turn comes, and then the others."""
        if not rest or self._stopped.is_set():
            return
        if rest[0].idle and time.monotonic() - self._last < IDLE:
            timer = threading.Timer(IDLE, self._go_on, [rest])
            timer.daemon = True
            timer.start()
            return
        with contextlib.suppress(RuntimeError):  # stopped in the meantime
            self._threads[rest[0].quick].submit(self._warm, rest)

    def _warm(self, rest: Sequence[Warming]) -> None:
        one, *others = rest
        try:
            one.call()
        except Exception as error:  # the page says so, and the rest goes on
            self.failed[one.name] = f"{type(error).__name__}: {error}"
        else:
            self.ready.append(one.name)
        self._go_on(others)

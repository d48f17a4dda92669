"""Who answers when: two threads, and of each kind of question the newest.

Curves must never wait for a diagram, so quick kinds have a thread of their own. While a
kind is busy its newest question waits, and the one that waited before is dropped: it
would be answered for a state that is no longer shown.

Programs are compiled in the order in which the page needs them, one after another:
compiling holds Python's lock, and several at once would all come late.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Answer = Callable[[Any], Any]


class Dropped(Exception):
    """A newer question of the kind came before this one was begun."""


class Worker:
    """Answers questions of several kinds, `kinds[name]` being (answer, quick).

    `warm_up`: pairs of a name and what to call, in their order, before all else that is
    slow; `ready` has the names of those that are done.
    """

    def __init__(
        self,
        kinds: Mapping[str, tuple[Answer, bool]],
        warm_up: list[tuple[str, bool, Callable[[], Any]]],
    ):
        self.kinds = kinds
        self._threads = {True: ThreadPoolExecutor(1), False: ThreadPoolExecutor(1)}
        self._newest = dict.fromkeys(kinds, 0)
        self._lock = threading.Lock()
        self.ready: list[str] = []
        self.failed: dict[str, str] = {}
        for name, quick, call in warm_up:
            self._threads[quick].submit(self._warm, name, call)

    async def ask(self, kind: str, question: Any) -> Any:
        """The answer. Raises `Dropped`, and whatever the answer raises."""
        answer, quick = self.kinds[kind]
        with self._lock:
            self._newest[kind] += 1
            number = self._newest[kind]

        def call():
            if number != self._newest[kind]:
                raise Dropped
            return answer(question)

        return await asyncio.get_running_loop().run_in_executor(
            self._threads[quick], call
        )

    def stop(self) -> None:
        """Begin nothing more."""
        for thread in self._threads.values():
            thread.shutdown(wait=False, cancel_futures=True)

    def _warm(self, name: str, call: Callable[[], Any]) -> None:
        try:
            call()
        except Exception as error:
            self.failed[name] = f"{type(error).__name__}: {error}"
        else:
            self.ready.append(name)

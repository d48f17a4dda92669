"""Who works on which units: shards of a store, and locks that a kill cannot leave.

Shard i of n does the units i, i + n, i + 2 n, ... A shard is claimed by a lock on a
file next to the store, which the system releases with the process. It is not needed for
correct results (a unit is the same whoever computes it), but saves doing work twice.

Limit: needs `flock`, which network file systems have to support.
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.sweeps.place import real
from experiments.text.errors import UserError

MOST_SHARDS = 100_000
CREATION = "creation"


@dataclass(frozen=True)
class Shard:
    """Number `index` of `count`, from 0."""

    index: int = 0
    count: int = 1

    def has(self, unit: int) -> bool:
        """Whether the unit of this number is this shard's."""
        return unit % self.count == self.index


def read(text: str) -> Shard:
    """A shard written `i/n`, i from 0. Raises `UserError`."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if match:
        index, count = int(match[1]), int(match[2])
        if index < count <= MOST_SHARDS:
            return Shard(index, count)
    raise UserError(
        f"--shard {text}: give i/n with i from 0 to n - 1, as in 0/4, and n at most "
        f"{MOST_SHARDS:,}."
    )


@contextlib.contextmanager
def claim(store: Path, shard: Shard, alone: bool = False) -> Iterator[None]:
    """Hold the shard. Raises `UserError` if another process holds it, or overlaps.

    `alone`: also if another process holds any other shard.
    """
    folder = _folder(store)
    with _locked(folder / f"{shard.index}-of-{shard.count}") as taken:
        if not taken:
            raise UserError(
                f"another process works on shard {shard.index}/{shard.count} of "
                f"{store}; wait for it, or give another --shard."
            )
        _refuse_others(folder, shard, store, alone)
        yield


@contextlib.contextmanager
def creation(store: Path) -> Iterator[None]:
    """Wait until no other process creates the store, and keep others waiting."""
    with _locked(_folder(store) / CREATION, wait=True):
        yield


def _folder(store: Path) -> Path:
    # However the store is reached, its locks are the same.
    store = real(store)
    return store.with_name(f"{store.name}.locks")


def _refuse_others(folder: Path, shard: Shard, store: Path, alone: bool) -> None:
    """Raise `UserError` if a process works on a shard of another number of shards.

    With `alone`, on any other shard. What processes that were killed have left in the
    folder is removed.
    """
    for other in folder.iterdir():
        found = re.fullmatch(r"(\d+)-of-(\d+)", other.name)
        if found is None:
            continue  # the lock of `creation`, or nothing of ours
        held = Shard(int(found[1]), int(found[2]))
        if held == shard or (held.count == shard.count and not alone):
            continue
        with _locked(other) as free:
            if free:
                continue
            advice = (
                f"cut it into {held.count} (--shard i/{held.count}), or wait for it"
            )
            if alone:
                advice = "stop it, or wait for it, before --overwrite removes the store"
            raise UserError(
                f"another process works on {store} as shard {held.index}/{held.count}; "
                f"{advice}."
            )


@contextlib.contextmanager
def _locked(path: Path, wait: bool = False) -> Iterator[bool]:
    """Whether the lock was free; it is held meanwhile, and removed afterwards."""
    mode = fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB)
    while True:
        path.parent.mkdir(exist_ok=True)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # the folder's last user has just removed it
            continue
        try:
            fcntl.flock(handle, mode)
        except BlockingIOError:
            os.close(handle)
            yield False
            return
        # Its last holder may have removed the file in between.
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ino == os.fstat(handle).st_ino:
                break
        os.close(handle)
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # unless other locks are held

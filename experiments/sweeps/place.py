"""A folder that is written to for hours, and may be replaced meanwhile."""

import os
import weakref
from pathlib import Path

from experiments.text.errors import UserError


def real(path: Path) -> Path:
    """The path of what a link leads to, in the end."""
    return Path(os.path.realpath(path))


class Place:
    """The folder that is at `path` now.

    It is held open, so that the system cannot give its number to another one. Raises
    `UserError` if there is none.
    """

    def __init__(self, path: Path):
        self._path = path
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise UserError(
                f"cannot open {path} ({error.strerror}); give another --out."
            ) from None
        weakref.finalize(self, os.close, self._handle)

    def check(self) -> None:
        """Raise `UserError` if it was removed, or another folder stands there."""
        try:
            same = os.path.samestat(os.stat(self._path), os.fstat(self._handle))
        except OSError:
            same = False
        if not same:
            raise UserError(
                f"{self._path} was removed or replaced by another process; nothing "
                "more is written to it. Look which sweep it holds now (--check)."
            )

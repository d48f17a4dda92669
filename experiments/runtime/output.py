"""Where results go: whole files or none, and a clear line if they cannot be written."""

import contextlib
import json
import os
import secrets
import tempfile
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

from experiments.text.errors import UserError


def check_writable_folder(path: Path, option: str = "--out") -> None:
    """Raise `UserError` if files cannot be written there: before any work is done.

    Nothing is made: `write_bytes` makes the folder, with its first file.
    """
    try:
        with tempfile.TemporaryFile(dir=_nearest(path)):
            pass
    except OSError as error:
        raise UserError(
            f"cannot write to {path} ({error.strerror}); choose another folder with "
            f"{option}."
        ) from None


def _nearest(path: Path) -> Path:
    """The folder itself, or the first one above it that exists."""
    for place in (path, *path.parents):
        with contextlib.suppress(FileNotFoundError):
            place.lstat()
            return place
    return path


def check_writable_file(path: str | None) -> None:
    """As `check_writable_folder`, for the target of `--json` (`-` is stdout)."""
    if path is None or path == "-":
        return
    target = Path(path)
    if target.is_dir() or not target.parent.is_dir():
        raise UserError(
            f"--json {path}: not a file in an existing folder; give a file name or -."
        )
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise UserError(f"--json {path}: no permission to write; give another file.")


def write_bytes(path: Path, content: bytes) -> None:
    """Write whole or not at all (a temporary neighbour, then a rename).

    Folders that do not exist are made. A link stays a link; into a device or a pipe,
    which must not be replaced by a file, the content goes directly.

    Raises `UserError` with the name of the file.
    """
    try:
        target = Path(path)
        if target.exists() and not target.is_file():
            # As it is called: the pipe behind /dev/stdout has no other name.
            with target.open("wb") as file:
                file.write(content)
        else:
            target = Path(os.path.realpath(path))
            target.parent.mkdir(parents=True, exist_ok=True)
            _replace(target, content)
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}).") from None


def _replace(path: Path, content: bytes) -> None:
    """Put a new file in the place of what is there, if anything."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.partial")
    # Exclusive: not through a link that somebody has put there.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def to_json(value: Any) -> str:
    """JSON with `null` for numbers that JSON does not have."""
    return json.dumps(plain(value, lambda number: None), indent=2, allow_nan=False)


def write_json(value: Any, path: str | None) -> None:
    """To a file, to stdout for `-`, nowhere for None."""
    if path is None:
        return
    if path == "-":
        print(to_json(value))
    else:
        write_bytes(Path(path), (to_json(value) + "\n").encode())


def plain(value: Any, odd: Callable[[float], Any]) -> Any:
    """Dicts, lists, texts and numbers; `odd` of those that JSON does not have."""
    if isinstance(value, dict):
        return {key: plain(item, odd) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, odd) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist(), odd)
    return odd(value) if isinstance(value, float) and not isfinite(value) else value

"""Where results go: whole files or none, and a clear line if they cannot be written."""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from experiments.errors import UserError


def check_writable_folder(path: Path) -> None:
    """Make the folder, or raise `UserError`: before any work is done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise UserError(
            f"cannot write to {path} ({error.strerror}); choose another folder with "
            "--out."
        ) from None


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
    """Write whole or not at all (a temporary neighbour, then a rename)."""
    path = path.resolve()  # a link stays a link
    if path.exists() and not path.is_file():
        _write_through(path, content)
        return
    temporary = path.with_name(f".{os.getpid()}.partial")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"cannot write {path} ({error.strerror}).") from None


def _write_through(path: Path, content: bytes) -> None:
    """Into a device or a pipe, which must not be replaced by a file."""
    try:
        with path.open("wb") as file:
            file.write(content)
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}).") from None


def to_json(value: Any) -> str:
    """JSON with `null` for numbers that JSON does not have."""
    return json.dumps(_plain(value), indent=2, allow_nan=False)


def write_json(value: Any, path: str | None) -> None:
    """To a file, to stdout for `-`, nowhere for None."""
    if path is None:
        return
    if path == "-":
        sys.stdout.write(to_json(value) + "\n")
    else:
        write_bytes(Path(path), (to_json(value) + "\n").encode())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and (value != value or value in _INFINITE):
        return None
    return value


_INFINITE = (float("inf"), float("-inf"))

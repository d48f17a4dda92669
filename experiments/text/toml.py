"""TOML files: those that come with the program, and those of users."""

import tomllib
from pathlib import Path
from typing import Any

from experiments.text.errors import UserError


def described(folder: Path) -> dict[str, str]:
    """The files of a folder by name, with what their first line says."""
    found = {}
    for path in sorted(folder.glob("*.toml")):
        first = path.read_text(encoding="utf-8").split("\n", 1)[0]
        found[path.stem] = first.lstrip("# ")
    return found


def read(path: Path, advice: str) -> str:
    """The text of a file. Raises `UserError` with `advice` if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise UserError(f"cannot read {path} ({reason}); {advice}.") from None


def parse(text: str) -> dict[str, Any]:
    """The table of a TOML text. Raises `UserError` if it is none."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"not TOML: {error}.") from None
    except ValueError as error:  # a whole number of thousands of digits
        raise UserError(f"not TOML that can be read: {error}.") from None
    except RecursionError:
        raise UserError("not TOML that can be read: nested too deeply.") from None

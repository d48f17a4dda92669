"""The root of a store: its attributes, and what describes its arrays.

It is one JSON text that is kept twice, as `zarr.json` and as `units/root.json`. It
holds the SHA-256 of all that it says, so that a change of either file is seen, and each
is mended from the other. The description of each array is mended from the root.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from experiments.runtime.output import write_bytes
from experiments.sweeps.layout import UNITS
from experiments.text.errors import UserError

FORMAT = 3
FILE, COPY = "zarr.json", f"{UNITS}/root.json"
SEAL = "sha256"
# Attributes that are tables here, and JSON texts in the file: other tools, as the
# writer of netCDF, take texts and numbers only.
TABLES = ("stamp", "mixed")
Table = dict[str, Any]


def _changed(table: Mapping[str, Any], change: Callable[[Any], Any]) -> Table:
    own = table["attributes"]
    return {
        **table,
        "attributes": own | {k: change(own[k]) for k in TABLES if k in own},
    }


def _content(table: Mapping[str, Any]) -> bytes:
    """The file that says this."""
    return json.dumps(_changed(table, json.dumps), indent=2).encode()


def _digest(table: Mapping[str, Any]) -> str:
    own = {k: v for k, v in table["attributes"].items() if k != SEAL}
    text = json.dumps({**table, "attributes": own}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _parsed(file: Path) -> Table | None:
    """The contents of the file, if it is a group with attributes."""
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        old = table["attributes"]["format"] < FORMAT
        return table if old else _changed(table, json.loads)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _whole(file: Path) -> Table | None:
    """The contents of the file, if nothing has changed since it was written."""
    table = _parsed(file)
    sealed = table is not None and table["attributes"].get(SEAL) == _digest(table)
    return table if sealed else None


def write(path: Path, table: Table) -> None:
    """Seal the root of the store and write it, and its copy after it."""
    table["attributes"][SEAL] = _digest(table)
    for name in (FILE, COPY):
        write_bytes(path / name, _content(table))


def read(path: Path, damaged: bool = False) -> Table:
    """The root of an existing store; with `damaged`, one of the copies will do.

    Raises `UserError` if it is no store, damaged, or of another format.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; compute it first, or give --out.")
    whole, copy = _whole(path / FILE), _whole(path / COPY)
    found = whole or copy
    number = _old_format(path) if found is None else found["attributes"]["format"]
    if number not in (None, FORMAT):
        raise UserError(
            f"{path} was written in format {number}, this version reads {FORMAT}: use "
            "the version that wrote it (see its stamp), or --overwrite it."
        )
    if found is None:
        raise UserError(
            f"{path} is not a store of a sweep, or both its {FILE} and {COPY} are "
            "damaged; choose another place with --out."
        )
    if whole is None and not damaged:
        raise UserError(
            f"{path / FILE} is damaged; look with --check, mend with --repair."
        )
    return found


def attributes(path: Path, damaged: bool = False) -> Table:
    """The attributes in `read`."""
    return read(path, damaged)["attributes"]


def _old_format(path: Path) -> Any:
    """The format of a store that was made before roots were sealed."""
    table = _parsed(path / FILE)
    if table is None or not {"format", "sweep", "stamp"} <= table["attributes"].keys():
        return None
    number = table["attributes"]["format"]
    return number if isinstance(number, int) and number < FORMAT else None


def is_store(path: Path) -> bool:
    """Whether the folder is a store of a sweep, of this format or another."""
    try:
        read(path, damaged=True)
    except UserError:
        return _old_format(path) is not None
    return True


def _damaged(path: Path) -> list[tuple[Path, bytes]]:
    """The files that do not say what they have to, and what that is."""
    table = read(path, damaged=True)
    content = _content(table)
    found = []
    for file in (path / FILE, path / COPY):
        if not file.is_file() or file.read_bytes() != content:
            found.append((file, content))
    for name, described in table["consolidated_metadata"]["metadata"].items():
        wanted = {k: v for k, v in described.items() if k != "consolidated_metadata"}
        file = path / name / FILE
        try:
            same = json.loads(file.read_text(encoding="utf-8")) == wanted
        except (OSError, ValueError, RecursionError):
            same = False
        if not same:
            found.append((file, json.dumps(wanted, indent=2).encode()))
    return found


def damages(path: Path) -> list[Path]:
    """Files that describe the store or an array, and are lost or changed."""
    return [file for file, _ in _damaged(path)]


def mend(path: Path) -> list[Path]:
    """Write those again; which they were."""
    damaged = _damaged(path)
    for file, content in damaged:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, content)
    return [file for file, _ in damaged]

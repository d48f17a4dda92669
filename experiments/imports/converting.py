"""A configuration as a recipe: the table, its TOML, and what became of each setting."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.imports import leftovers, openrlhf, reading, trl, verl
from experiments.imports.verdicts import NONE, TAKEN, Settings, Verdict
from experiments.text import recipes
from experiments.text.errors import UserError, arguments

READERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "trl": trl.read,
    "verl": verl.read,
    "openrlhf": openrlhf.read,
}
WIDTH = 84
LONGEST = 28


def convert(path: Path, trainer: str | None = None) -> dict[str, Any]:
    """What `recipe` prints: trainer, version, the table of the recipe, the verdicts.

    The recipe is one that `train` takes. Raises `UserError`, with the file and the
    setting, for what cannot be read.
    """
    trainer, version, given = reading.read(path, trainer)
    kind = openrlhf.Options if trainer == "openrlhf" else Settings
    settings = kind(version, given)
    try:
        recipe = READERS[trainer](settings)
        leftovers.note(settings)
        with arguments():
            recipes.loads(toml(recipe)).check_alone()
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return {
        "trainer": version.trainer,
        "version": version.number,
        "version_date": version.date,
        "recipe": recipe,
        "settings": [vars(verdict) for verdict in settings.verdicts()],
    }


def toml(recipe: dict[str, Any]) -> str:
    """The recipe as TOML."""
    import tomli_w

    return tomli_w.dumps(recipe)


def file(found: dict[str, Any], name: str) -> str:
    """The recipe as a TOML file whose comments are the verdicts."""
    comments = [f"# {name} as a recipe, from {found['trainer']}", "#"]
    comments += [f"# {line}".rstrip() for line in lines(found)]
    # TOML allows no control characters in comments.
    comments = ["".join(filter(str.isprintable, line)) for line in comments]
    return "\n".join([*comments, "", toml(found["recipe"])])


def lines(found: dict[str, Any]) -> list[str]:
    """The verdicts as a table: given settings, then defaults.

    Settings that have no counterpart for one reason of `leftovers` share a line.
    """
    verdicts = [Verdict(**row) for row in found["settings"]]
    alone = [v for v in verdicts if v.why not in leftovers.SHARED]
    left = max(len(_set(verdict)) for verdict in alone)
    version = f"{found['trainer']} {found['version']} ({found['version_date']})"
    rows = [_row(v, left) for v in alone if v.given]
    for why in dict.fromkeys(v.why for v in verdicts if v.why in leftovers.SHARED):
        names = ", ".join(v.setting for v in verdicts if v.why == why)
        rows += ["", f"{NONE}: {why}"]
        rows += textwrap.wrap(names, WIDTH, initial_indent="  ", subsequent_indent="  ")
    rows += ["", f"left out, as {version} has them"]
    return rows + [_row(v, left) for v in alone if not v.given]


def _row(verdict: Verdict, left: int) -> str:
    return f"{_set(verdict):<{left}}  {verdict.verdict:<14}  {_what(verdict)}"


def _set(verdict: Verdict) -> str:
    return f"{verdict.setting} = {_short(verdict.value)}"


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _what(verdict: Verdict) -> str:
    made = f"{verdict.field} = {_short(verdict.to)}" if verdict.field else ""
    if verdict.verdict == TAKEN and verdict.field == verdict.setting:
        made = verdict.field
    return "; ".join(filter(None, [made, verdict.why]))

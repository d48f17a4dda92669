"""Words of the command line like NAME=VALUE, and numbers inside of them."""

import math
from collections.abc import Iterable

from experiments.text.errors import UserError


def pairs(option: str, words: Iterable[str], form: str) -> dict[str, str]:
    """`NAME=VALUE ...` by name, of an option that takes words of this `form`.

    Raises `UserError` for a word without `=`, and for a name that comes twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UserError(f"{option} {word}: give {form}.")
        if name in found:
            raise UserError(f"{option}: {name} is given twice; give it once.")
        found[name] = value
    return found


def as_number(text: str) -> float:
    """The number that `text` is; NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan

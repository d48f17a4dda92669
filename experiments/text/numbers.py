"""Numbers inside words of the command line, as in NAME=VALUE."""

import math


def as_number(text: str) -> float:
    """The number that `text` is; NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan

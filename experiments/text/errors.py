"""One clear line for a user's mistake: what was given, what is allowed, what to do."""

import contextlib
import difflib
from collections.abc import Iterable, Iterator


class UserError(Exception):
    """A mistake in the input; the command line prints it and exits with code 2."""


@contextlib.contextmanager
def arguments() -> Iterator[None]:
    """Where arguments are checked: a `ValueError` of the checks is a `UserError`."""
    try:
        yield
    except ValueError as error:
        raise UserError(str(error)) from None


def choose_from(given: object, known: Iterable[str]) -> str:
    """`choose from a, b, c`, with the nearest name first if one is near.

    >>> choose_from("grpoo", ["rloo", "grpo"])
    'did you mean grpo? Choose from rloo, grpo'
    """
    known = list(known)
    listed = f"hoose from {', '.join(known)}"
    lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(str(given).lower(), lower, n=1)
    return f"did you mean {lower[near[0]]}? C{listed}" if near else f"c{listed}"

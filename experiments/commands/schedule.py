"""In which order tasks begin when two run side by side. Only time depends on it.

Most of the time goes into compiling, and a process keeps what it compiled for the
others. So tasks that need the same program do not begin together: the second finds the
program of the first. Among the rest, long ones begin first, so that no long one is left
at the end. A task that is not listed begins after those that are: a new statement or
picture need not be named here, unless it is long.
"""

from collections.abc import Iterable

BEGIN = (
    # The data of figures, and the agreement of engines, that take longest.
    *("degradation", "agreement", "random_rewards", "majority_vote"),
    # Statements: A2 and B7 share no program, nor do B7 and A3, and so on.
    *("A2", "B7", "A3", "B5", "B3", "B6", "B2", "C3", "B1", "B4"),
    *("C6", "C2", "C1", "C5", "A1", "A4", "C4", "C7"),
)


def in_order(names: Iterable[str]) -> list[str]:
    """The same names, those of `BEGIN` first."""
    names = list(names)
    return [n for n in BEGIN if n in names] + [n for n in names if n not in BEGIN]

"""Which axis of a sweep is x, which is y, and which one is panels."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from experiments.text.errors import UserError, choose_from

SIDES = ("x", "y", "panels")


class Places(NamedTuple):
    """The names of the axes; `panels` is None where there are two of them."""

    x: str
    y: str
    panels: str | None


def of(figure: Mapping[str, Any], named: Mapping[str, bool]) -> Places:
    """The places that `[figure]` gives to the axes, `named` in the order of the file.

    Where it does not say: panels are a third axis, the first one that holds names
    (`named`) if one does, else the first one; then the first one is upright, and the
    last one is x. Raises `UserError`.
    """
    listed = ", ".join(named)
    if len(named) not in (2, 3):
        raise UserError(
            f"a diagram has two axes, and panels for a third; this sweep has {listed}."
        )
    for side in SIDES:
        if figure.get(side, next(iter(named))) not in [*named]:
            raise UserError(
                f"figure: {side} = {figure[side]!r} is no axis; "
                f"{choose_from(figure[side], named)}."
            )
    given = {side: figure[side] for side in SIDES if side in figure}
    if len(set(given.values())) < len(given):
        twice = next(n for n in given.values() if [*given.values()].count(n) > 1)
        sides = " and ".join(side for side, name in given.items() if name == twice)
        raise UserError(f"figure: {sides} are both {twice}; give each its own axis.")
    if len(named) == 2 and "panels" in given:
        raise UserError(
            f"figure: panels = {given['panels']!r}: panels are a third axis, and this "
            f"sweep has {listed}."
        )
    free = [name for name in named if name not in given.values()]
    panels = given.get("panels")
    if len(named) == 3 and panels is None:
        panels = next((name for name in free if named[name]), free[0])
        free.remove(panels)
    y = given["y"] if "y" in given else free.pop(0)
    x = given["x"] if "x" in given else free.pop()
    return Places(x, y, panels)

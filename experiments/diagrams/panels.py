"""The panels of a diagram: how many in a row, their labels, and one legend."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND_COLUMN = 2.5  # inches, in letters of any size
WIDE, SHORT_LINE = 3.0, 24  # inches of a panel; letters of a line below others


def rows(number: int) -> tuple[int, int]:
    """How many rows and columns so many panels are put into."""
    columns = number if number <= 3 else 2 if number == 4 else 3 if number <= 6 else 4
    return -(-number // columns), columns


def new(number: int, third: bool) -> list["Axes"]:
    """Axes of a new figure: a row of values, or rows of a `third` axis on one page."""
    from experiments.pictures import style

    if not third:
        width = style.COLUMN * 1.15 if number == 1 else style.PAGE * number / 2.6
        return list(style.panels(number, width=width, height=3.1)[1][0])
    cells = rows(number)
    height = 0.8 + 2.0 * cells[0]
    found = style.grid(*cells, width=style.PAGE, height=height)[1].ravel()
    for spare in found[number:]:
        spare.remove()
    return list(found[:number])


def label_outside(panels: Sequence["Axes"]) -> None:
    """Labels at the left and at the bottom only."""
    _, columns = rows(len(panels))
    for place, panel in enumerate(panels):
        if place % columns:
            panel.set_ylabel("")
            panel.tick_params(labelleft=False)
        if place + columns < len(panels):
            panel.set_xlabel("")
            panel.tick_params(labelbottom=False)


def _width(panel) -> float:
    """The width of a panel in inches, before there are labels."""
    figure = panel.figure
    return panel.get_position().width * figure.get_size_inches()[0]


def label_below(panel: "Axes", label: str) -> None:
    """The label of x, in short lines below a narrow panel."""
    panel.set_xlabel(_narrow(label) if _width(panel) < WIDE else label)


def _narrow(label: str) -> str:
    """A label with its words in short lines; symbols stay whole."""
    words, comma, symbol = label.partition(", $")
    if "$" in words:
        return label
    return "\n".join(textwrap.wrap(words, SHORT_LINE)) + comma + symbol


def explain(panels, own: bool, handles: list) -> None:
    """A legend below the figure, or below the first of somebody else's panels.

    Where somebody else's figure makes room for it, it is one for all that is drawn.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from experiments.pictures.style import legend_below

    if not handles:
        return
    figure = panels[0].figure
    columns = len(panels)
    if not own:
        if not isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
            panels[0].legend(
                handles=handles,
                loc="upper center",
                bbox_to_anchor=(0.5, -0.2),
                handlelength=2.2,
            )
            return
        columns = max(1, int(figure.get_size_inches()[0] / LEGEND_COLUMN))
        handles = _with_earlier(figure, handles)
    legend_below(figure, columns, handles=handles, handlelength=2.2)


def _with_earlier(figure, handles: list) -> list:
    """These, and those of the legend that an earlier diagram put there: it goes."""
    from experiments.pictures.style import LEGEND

    found: dict[str, Any] = {}
    for old in [legend for legend in figure.legends if legend.get_gid() == LEGEND]:
        found |= {handle.get_label(): handle for handle in old.legend_handles}
        old.remove()
    return [*(found | {handle.get_label(): handle for handle in handles}).values()]

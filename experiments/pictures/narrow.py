"""Panels below each other where a figure is too narrow for them side by side."""

import math

from experiments.pictures.style import LEGEND, legend_below

LEAST = 0.9  # of the width that a panel was made for
LEGEND_COLUMN = 2.0  # inches


def stack(figure, width: float, height: float | None) -> None:
    """Put the panels of one row, or of rows, into as many columns as fit.

    Each keeps about the width in inches that it was made for. `height`: of the figure,
    if it was asked for; else it grows with the rows.
    """
    from matplotlib.gridspec import GridSpec

    panels = [axes for axes in figure.axes if axes.get_subplotspec() is not None]
    grids = {id(p.get_subplotspec().get_gridspec()) for p in panels}
    if len(panels) < 2 or len(grids) != 1:
        return
    own = panels[0].get_subplotspec().get_gridspec()
    old_width, old_height = figure.get_size_inches()
    least = LEAST * old_width / own.ncols
    columns = max(1, math.floor(width / least))
    if columns >= own.ncols:
        return
    rows = math.ceil(len(panels) / columns)
    new = GridSpec(rows, columns, figure=figure)
    for place, panel in enumerate(panels):
        panel.set_subplotspec(new[divmod(place, columns)])
        if place % columns == 0:
            _label(panel.yaxis, "labelleft", panels[0].get_ylabel())
        if place + columns >= len(panels):
            _label(panel.xaxis, "labelbottom", panels[-1].get_xlabel())
    for legend in [one for one in figure.legends if one.get_gid() == LEGEND]:
        handles = legend.legend_handles
        texts = [text.get_text() for text in legend.get_texts()]
        legend.remove()
        number = max(1, math.floor(width / LEGEND_COLUMN))
        legend_below(figure, number, handles, texts)
    if height is None:
        figure.set_figheight(old_height * rows / own.nrows)


def _label(axis, side: str, label: str) -> None:
    """Give an axis the labels that it had left to its neighbour."""
    if not axis.get_tick_params().get(side, True):
        axis.set_tick_params(**{side: True})
        axis.set_label_text(label)

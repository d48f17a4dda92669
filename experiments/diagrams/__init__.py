"""Phase diagrams: sweeps over two axes, with the lines that theory draws on them.

`draw` puts one on axes of Matplotlib; `pattern-selection phase-diagram` writes files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

__all__ = ["draw"]


def draw(
    source: "str | Path | xarray.Dataset",
    axes: "Axes | Sequence[Axes] | None" = None,
    **figure: Any,
) -> Any:
    """Draw a sweep over two axes as a phase diagram, over three as panels; the axes.

    - `source`: the store of `sweep` or `phase-diagram`, or what `xarray.open_zarr`
      makes of it, or a part of that: `data.sel(update="grpo")`.
    - `axes`: where to draw: one panel, or as many as there are values, or values of
      the third axis, which share one colour bar and one legend. Without, a new
      figure is made, in the style of the house.
    - `figure`: what a sweep file says in `[figure]`, instead of what is stored:
      `panels`, `value`, `lines`, `title`, `labels`, `scale`, `range`, `cmap`, and of a
      new figure `width`, `height` and `style`.

    One panel comes back as it is, several as a list. Lines of theory that would be
    false are left out, and said on stderr. Raises `UserError` for what cannot be drawn.
    """
    import contextlib

    import matplotlib.axes
    import numpy as np
    import xarray

    from experiments.diagrams import drawing, saved
    from experiments.pictures import style
    from experiments.runtime.output import plain
    from experiments.text.errors import UserError, arguments
    from simulator.validation import check_kind

    panels = None if axes is None else list(np.asarray(axes, object).ravel())
    with arguments():
        example = "the store 'quality.zarr', or what xarray.open_zarr makes of it"
        check_kind("source", source, str | Path | xarray.Dataset, example)
        for panel in panels or ():
            check_kind("axes", panel, matplotlib.axes.Axes, "those of plt.subplots()")
    figure = plain(figure, lambda number: number)  # lists for arrays
    if isinstance(source, str | Path):
        shown, columns = saved.load(Path(source), **figure)
    else:
        shown, columns = saved.of_dataset(source, **figure)
    if panels is not None and len(panels) != shown.number:
        raise UserError(
            f"{len(panels)} axes for {shown.number} panels; give one for each."
        )
    drawing.say(shown)
    settings = {**style.RC, **shown.looks.style}
    with matplotlib.rc_context(settings) if axes is None else contextlib.nullcontext():
        drawn = drawing.draw(shown, columns, panels)
    return drawn[0] if len(drawn) == 1 else drawn

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
    """Draw a sweep over two axes as a phase diagram; returns the axes.

    - `source`: the store of `sweep` or `phase-diagram`, or what `xarray.open_zarr`
      makes of it, or a part of that: `data.sel(update="grpo")`.
    - `axes`: where to draw: one panel, or as many as there are values. Without, a new
      figure is made, in the style of the house.
    - `figure`: what a sweep file says in `[figure]`, instead of what is stored:
      `value`, `lines`, `title`, `labels`, `scale`, `range`, `cmap`, and of a new figure
      `width`, `height` and `style`.

    One panel comes back as it is, several as a list. Lines of theory that would be
    false are left out, and said on stderr. Raises `UserError` for what cannot be drawn.
    """
    import contextlib

    import matplotlib
    import numpy as np

    from experiments.diagrams import drawing, saved
    from experiments.pictures import style
    from experiments.text.errors import UserError

    if isinstance(source, str | Path):
        shown, columns = saved.load(Path(source), **figure)
    else:
        shown, columns = saved.of_dataset(source, **figure)
    panels = None if axes is None else list(np.asarray(axes, object).ravel())
    if panels is not None and len(panels) != len(shown.values):
        raise UserError(
            f"{len(panels)} axes for {len(shown.values)} values; give one for each."
        )
    drawing.say(shown)
    settings = {**style.RC, **shown.looks.style}
    with matplotlib.rc_context(settings) if axes is None else contextlib.nullcontext():
        drawn = drawing.draw(shown, columns, panels)
    return drawn[0] if len(drawn) == 1 else drawn

"""A diagram as a picture: the stored value in colour, lines from theory on top."""

import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from experiments.diagrams import labels, panels as layout
from experiments.diagrams.assumptions import goal, numbers
from experiments.diagrams.diagram import DERIVED, Diagram
from experiments.diagrams.lines import LINES, Line
from experiments.diagrams.sides import Side, prepare, side
from experiments.sweeps import assembly, grid
from experiments.sweeps.axis_texts import suffixes
from experiments.sweeps.store import Columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW_BEYOND = 0.95  # of the cells have colours of their own, whatever the others show
TIMES = {"log10_t": r"$\log_{10} t$", "step": "step"}
MOST_DRAWS = 500  # of random base models, for lines that are means over them
SIGNED = ("gain",)  # observables whose zero has a colour of its own


def value(diagram: Diagram, name: str, columns: Columns) -> np.ndarray:
    """The values of a panel, `[y, x]`. Infinite ones are left out."""
    x, y = sides(diagram)
    table = _stored(diagram, name, columns)
    if diagram.sweep.kept[0] == diagram.x:
        table = table.T
    table = table[np.ix_(y.order, x.order)]
    if name in DERIVED:
        with np.errstate(invalid="ignore"):
            table = -np.gradient(table, np.log10(x.places), axis=1)
    if diagram.scales.get("colour") == "log":
        table = np.where(table > 0, table, np.nan)
    return np.where(np.isfinite(table), table, np.nan)


def _stored(diagram: Diagram, name: str, columns: Columns) -> np.ndarray:
    """The array that a panel is drawn of, as it was stored; of curves, one time."""
    table = np.asarray(columns[DERIVED.get(name, name)], float)
    return table[..., diagram.time] if table.ndim == 3 else table


def sides(diagram: Diagram) -> tuple[Side, Side]:
    """x and y as they are drawn."""
    scales = diagram.scales
    return side(diagram.x, scales.get("x")), side(diagram.y, scales.get("y"))


def line(diagram: Diagram, which: Line):
    """`x`, `y` and the field of a line on a grid of at most `most` cells per axis."""
    sweep = diagram.sweep
    x, y = (_thinned(one.places, which.most) for one in sides(diagram))
    grid_x, grid_y = (one.ravel() for one in np.meshgrid(x, y))
    cells = {diagram.x.name: grid_x, diagram.y.name: grid_y}
    if sweep.reduced and not sweep.trains:
        runs = min(sweep.lanes_per_cell, MOST_DRAWS)
        cells = grid.with_runs(sweep, cells, len(grid_x), 0, runs)
    parameters = assembly.parameters(sweep, cells, len(cells[diagram.x.name]))
    base = sweep.family.build(parameters, sweep.width, sweep.seed)
    number = len(cells[diagram.x.name])
    values = {name: np.full(number, one) for name, one in numbers(sweep).items()}
    for axis, slot in zip(sweep.axes, sweep.places, strict=True):
        if axis.name in cells:
            values |= {name: cells[axis.name] for name in suffixes(slot.name)}
    with np.errstate(all="ignore"):
        field = which.function(base, values | parameters).reshape(len(grid_x), -1)
    return x, y, field.mean(axis=1).reshape(len(y), len(x))


def to_the_frame(diagram: Diagram, x, y, field):
    """The same, continued in straight lines from the last cells' middles to their ends.

    Straight on the scales of the diagram.
    """
    longer = []
    for dim, places, one in zip((1, 0), (x, y), sides(diagram), strict=True):
        scaled = np.log if one.scale == "log" else np.asarray
        edges = one.edges[[0, -1]]
        beyond = []
        for edge, last, inner in ((edges[0], 0, 1), (edges[1], -1, -2)):
            step = scaled(places[last]) - scaled(places[inner])
            part = (scaled(edge) - scaled(places[last])) / step
            a, b = (np.take(field, [i], axis=dim) for i in (last, inner))
            beyond.append(a + part * (a - b))
        field = np.concatenate([beyond[0], field, beyond[1]], axis=dim)
        longer.append(np.concatenate([edges[:1], places, edges[1:]]))
    return *longer, field


def _thinned(values: np.ndarray, most: int) -> np.ndarray:
    if len(values) <= most:
        return values
    return values[np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))]


def say(diagram: Diagram) -> None:
    """Say on stderr which lines are left out, and why."""
    for note in diagram.notes:
        print(f"note: {note}", file=sys.stderr)


def draw(
    diagram: Diagram, columns: Columns, panels: Sequence["Axes"] | None = None
) -> list["Axes"]:
    """One panel per value, or per value of a third axis: on these axes, or in a new
    figure.

    Panels of a third axis share their colours and one bar. The looks of the diagram are
    put on at the end.
    """
    from experiments.pictures import looks

    own = panels is None
    if panels is None:
        panels = layout.new(diagram.number, third=bool(diagram.parts))
    panes = _panes(diagram, columns)
    figure, x_y = panels[0].figure, sides(diagram)
    colours = [_colours(p.diagram, p.name, p.shown) for p in panes]
    if diagram.parts:
        together = np.ma.concatenate([pane.shown for pane in panes])
        colours = [_colours(diagram, panes[0].name, together)] * len(panes)
    images = [
        _paint(panel, *x_y, pane.shown, own_colours)
        for panel, pane, own_colours in zip(panels, panes, colours, strict=True)
    ]
    handles: dict[str, Any] = {}
    for panel, pane in zip(panels, panes, strict=True):
        layout.label_below(panel, labels.of_axis(diagram.sweep, diagram.x))
        panel.set_ylabel(labels.of_axis(diagram.sweep, diagram.y))
        handles |= _draw_lines(panel, pane.diagram, diagram.lines)
    if diagram.parts:
        bar = _bar(figure, images[0], list(panels), together)
        bar.set_label(shows(diagram, panes[0].name))
    for panel, pane, image in zip(panels, panes, images, strict=True):
        if diagram.parts:
            panel.set_title(pane.title)
            continue
        bar = _bar(figure, image, panel, pane.shown)
        # Beside the next panel a label would read as that of its axis.
        if len(panes) == 1:
            bar.set_label(shows(diagram, pane.name))
        else:
            panel.set_title(shows(diagram, pane.name))
    if own:
        layout.label_outside(panels)
    layout.explain(panels, own, [*handles.values(), *_gaps(diagram, panes)])
    looks.dress(figure, diagram.looks, panels, sized=own)
    return list(panels)


class Pane(NamedTuple):
    """What one panel shows: a value of a diagram over two axes, `[y, x]`."""

    title: str
    diagram: Diagram
    name: str
    shown: Any
    stored: np.ndarray


def _panes(diagram: Diagram, columns: Columns) -> list[Pane]:
    if diagram.parts:
        assert diagram.across is not None
        place = diagram.sweep.kept.index(diagram.across)
        (name,) = diagram.values
        own = [
            (part, {k: np.take(v, part.place, axis=place) for k, v in columns.items()})
            for part in diagram.parts
        ]
        return [_pane(part.title, part.diagram, name, c) for part, c in own]
    return [_pane("", diagram, name, columns) for name in diagram.values]


def _pane(title: str, diagram: Diagram, name: str, columns: Columns) -> Pane:
    shown = np.ma.masked_invalid(value(diagram, name, columns))
    return Pane(title, diagram, name, shown, _stored(diagram, name, columns))


def _bar(figure, image, beside, shown):
    """The colour bar of an image, with points where some cells lie beyond its ends."""
    low, high = image.get_clim()
    above = bool(shown.count() and shown.max() > high)
    below = bool(shown.count() and shown.min() < low)
    ends = {(0, 0): "neither", (1, 0): "max", (0, 1): "min", (1, 1): "both"}
    return figure.colorbar(image, ax=beside, extend=ends[above, below])


def _paint(panel, x: Side, y: Side, shown, colours: dict[str, Any]):
    """The colours of a panel, and its axes: whole cells, up to the frame."""
    panel.set_facecolor("0.85")
    prepare(panel.xaxis, x)
    prepare(panel.yaxis, y)
    return panel.pcolormesh(x.edges, y.edges, shown, rasterized=True, **colours)


def _colours(diagram: Diagram, name: str, shown) -> dict[str, Any]:
    """The colour map, and the numbers at its ends."""
    from cmcrameri import cm
    from matplotlib.colors import LogNorm, Normalize

    signed = labels.base_of(name) in SIGNED and not name.endswith(("_std", "_count"))
    limits = _limits(shown)
    if signed and shown.count():
        most = float(np.abs(shown).max()) or 1.0
        limits = -most, most
    log = diagram.scales.get("colour") == "log"
    if log and shown.count():
        limits = float(shown.min()), float(shown.max())
    low, high = diagram.limits or limits
    norm = LogNorm if log else Normalize
    return {
        "cmap": cm.vik if signed and not log else cm.batlow,
        "norm": norm(low, high),
    }


def _limits(shown) -> tuple[float | None, float | None]:
    """Colours for what all but a few cells show, if those lie far beyond."""
    known = shown.compressed()
    if not len(known):
        return None, None
    low, high, most = map(float, np.quantile(known, [0, FEW_BEYOND, 1]))
    return (low, high) if most - high > high - low else (low, most)


def _gaps(diagram: Diagram, panes: Sequence[Pane]) -> list:
    """What the legend says of cells without a colour."""
    from matplotlib.patches import Patch

    raw = [pane.stored for pane in panes]
    gaps = []
    if any(np.isinf(table).any() for table in raw):
        gaps.append("no such time, or from the start")
    if any(np.isnan(table).any() for table in raw):
        gaps.append("no number: failed, or nothing to summarise")
    if diagram.scales.get("colour") == "log" and any((t <= 0).any() for t in raw):
        gaps.append("0 or less")
    return [Patch(fc="0.85", label="; ".join(gaps))] if gaps else []


DECADES = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300)
STYLES = ("-", "--", ":", "-.")


def _draw_lines(panel, diagram: Diagram, order: Sequence[str]) -> dict[str, Any]:
    """The lines of one panel, each in the stroke of its place in `order`: handles."""
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import withStroke

    from experiments.pictures.style import BLACK as color

    halo = [withStroke(linewidth=2.2, foreground="white")]  # on dark and light ground
    handles = {}
    for name in diagram.lines:
        i, which = order.index(name), LINES[name]
        x, y, field = to_the_frame(diagram, *line(diagram, which))
        known = field[np.isfinite(field)]
        levels = [0.0]
        if which.decades and len(known):
            levels = [n for n in DECADES if known.min() < n < known.max()]
        kind = STYLES[i % len(STYLES)]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No contour levels were found")
            contours = panel.contour(
                x, y, field, levels, colors=color, linewidths=1.1, linestyles=kind
            )
        contours.set(path_effects=halo)
        if which.decades:
            for label in panel.clabel(contours, fontsize=6, fmt="%d"):
                label.set(path_effects=halo)
        handles[name] = Line2D([], [], color=color, ls=kind, label=which.label)
    return handles


def shows(diagram: Diagram, name: str) -> str:
    """The label of a panel's colours."""
    text = labels.of_value(diagram.sweep, name)
    if name in DERIVED and diagram.x.name != "best_probability":
        text = text.replace(r"\pi_0(*)", "x")
    for level in goal(diagram.sweep).values():
        text = text.replace("the goal", f"accuracy {level:g}")
    along = diagram.sweep.along
    if along is not None and name.rpartition("_along")[1]:
        text += f", {TIMES[along.dim]} = {along.values[diagram.time]:g}"
    return text

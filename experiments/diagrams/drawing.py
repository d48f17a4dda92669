"""A diagram as a picture: the stored value in colour, lines from theory on top."""

import warnings

import numpy as np

from experiments.diagrams.lines import LINES, Line
from experiments.diagrams.preset import DERIVED, Diagram, goal
from experiments.sweeps import assembly, grid, observables
from experiments.sweeps.store import Columns
from experiments.sweeps.sweep_file import Sweep

FEW_BEYOND = 0.95  # of the cells have colours of their own, whatever the others show
MOST_DRAWS = 500  # of random base models, for lines that are means over them
LABELS = {
    "best_probability": r"base probability of the best pattern, $\pi_0(*)$",
    "bad_rate": "success rate of the bad patterns",
    "rival_rate": "success rate of the rival, $s_{r'}$",
    "bad_probability": r"base probability of all bad patterns",
    "gap": r"success-rate gap, $s_* - s_{r'}$",
    "gamma": r"entanglement $\gamma$",
    "patterns": r"number of patterns, $K$",
    "correlation": "correlation of confidence and success",
    "entropy": r"entropy of the base model $/ \log K$",
    "fixed-confidence.weight": "weight of the model's own confidence",
    "overconfidence": "overconfidence in the rival",
    "false_positive": r"false positive rate, $f_+$",
    "false_negative": r"false negative rate, $f_-$",
    "learning_rate": r"learning rate, $\eta$",
    "group_size": r"group size, $G$",
    "length": r"length of SFT (learning rate $\times$ steps)",
    "quality": "demonstrations of the best pattern",
}
VALUES = {
    "log10_t0": r"$\log_{10}$ transition time $T_0$",
    "crossing_degree": r"$-d \log T_\times / d \log \pi_0(*)$, $T_\times$: crossing",
    "t0_degree": r"$-d \log T_0 / d \log \pi_0(*)$",
    "peak_gain_mean": "mean gain at the peak",
    "log10_peak_time_q50": r"median $\log_{10}$ time of the peak",
    "gain_mean": "mean final change of accuracy",
    "gain": "final change of accuracy",
    "accuracy": "accuracy at the end",
    "optimal_probability_mean": r"mean final $\pi_*$",
    "log10_total_time": r"$\log_{10}$ total time to the goal",
}
DIVERGING = ("gain", "gain_mean", "peak_gain")


def value(diagram: Diagram, name: str, columns: Columns) -> np.ndarray:
    """The values of a panel, `[y, x]`. Infinite ones are left out."""
    order = [axis.name for axis in diagram.sweep.kept]
    table = _stored(name, columns)
    if order == [diagram.x, diagram.y]:
        table = table.T
    if name in DERIVED:
        x = _axis(diagram.sweep, diagram.x).values
        with np.errstate(invalid="ignore"):
            table = -np.gradient(table, np.log10(x), axis=1)
    return np.where(np.isfinite(table), table, np.nan)


def _stored(name: str, columns: Columns) -> np.ndarray:
    """The array that a panel is drawn of, as it was stored."""
    return np.asarray(columns[DERIVED.get(name, name)], float)


def _axis(sweep: Sweep, name: str):
    return next(axis for axis in sweep.axes if axis.name == name)


def line(diagram: Diagram, which: Line):
    """`x`, `y` and the field of a line on a grid of at most `most` cells per axis."""
    sweep = diagram.sweep
    x, y = (
        _thinned(_axis(sweep, n).values, which.most) for n in (diagram.x, diagram.y)
    )
    grid_x, grid_y = (side.ravel() for side in np.meshgrid(x, y))
    cells = {diagram.x: grid_x, diagram.y: grid_y}
    if sweep.reduced and not sweep.trains:
        runs = min(sweep.lanes_per_cell, MOST_DRAWS)
        cells = grid.with_runs(sweep, cells, len(grid_x), 0, runs)
    parameters = assembly.parameters(sweep, cells, len(cells[diagram.x]))
    base = sweep.family.build(parameters, sweep.width, sweep.seed)
    with np.errstate(all="ignore"):
        values = parameters | cells | goal(sweep)
        field = which.function(base, values).reshape(len(grid_x), -1)
    return x, y, field.mean(axis=1).reshape(len(y), len(x))


def _thinned(values: np.ndarray, most: int) -> np.ndarray:
    if len(values) <= most:
        return values
    return values[np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))]


def draw(diagram: Diagram, columns: Columns):
    """The figure: one panel per value, the same lines on each."""
    from matplotlib.patches import Patch

    from experiments.pictures.style import BLACK, COLUMN, PAGE, panels

    number = len(diagram.values)
    width = COLUMN * 1.15 if number == 1 else PAGE * number / 2.6
    figure, axes = panels(number, width=width, height=3.1)
    lines = [(LINES[name], line(diagram, LINES[name])) for name in diagram.lines]
    raw = [_stored(name, columns) for name in diagram.values]
    for panel, name in zip(axes[0], diagram.values, strict=True):
        shown = np.ma.masked_invalid(value(diagram, name, columns))
        image = _paint(panel, diagram, name, shown)
        handles = _draw_lines(panel, lines, BLACK)
        shows = _shows(diagram, name)
        beyond = shown.count() and shown.max() > image.get_clim()[1]
        bar = figure.colorbar(image, ax=panel, extend="max" if beyond else "neither")
        # Beside the next panel a label would read as that of its axis.
        if number == 1:
            bar.set_label(shows)
        else:
            panel.set_title(shows)
    for panel in axes[0][1:]:
        panel.set_ylabel("")
        panel.tick_params(labelleft=False)
    gaps = []
    if any(np.isinf(table).any() for table in raw):
        gaps.append("no such time, or from the start")
    if any(np.isnan(table).any() for table in raw):
        gaps.append("no number: failed, or nothing to summarise")
    if gaps:
        handles.append(Patch(fc="0.85", label="; ".join(gaps)))
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncol=number, handlelength=2.2
        )
    return figure


def _paint(panel, diagram: Diagram, name: str, shown):
    """The colours of a panel, and its axes."""
    from cmcrameri import cm

    x, y = (_axis(diagram.sweep, side).values for side in (diagram.x, diagram.y))
    limits = _limits(shown)
    if name in DIVERGING and shown.count():
        most = float(np.abs(shown).max()) or 1.0
        limits = {"vmin": -most, "vmax": most}
    panel.set_facecolor("0.85")
    for side, values in ((panel.xaxis, x), (panel.yaxis, y)):
        if _is_geometric(values):
            _logarithmic(side, values)
    panel.set(
        xlabel=LABELS.get(diagram.x, diagram.x),
        ylabel=LABELS.get(diagram.y, diagram.y),
        xlim=(x[0], x[-1]),
        ylim=(y[0], y[-1]),
    )
    color_map = cm.vik if name in DIVERGING else cm.batlow
    return panel.pcolormesh(
        x, y, shown, cmap=color_map, shading="nearest", rasterized=True, **limits
    )


def _limits(shown) -> dict[str, float]:
    """Colours for what all but a few cells show, if those lie far beyond."""
    known = shown.compressed()
    if not len(known):
        return {}
    low, high, most = np.quantile(known, [0, FEW_BEYOND, 1])
    return {"vmin": low, "vmax": high} if most - high > high - low else {}


def _logarithmic(side, values: np.ndarray) -> None:
    """A logarithmic axis; over less than three decades with plain numbers."""
    from matplotlib.ticker import AutoLocator, FuncFormatter, LogLocator, NullFormatter

    side.axes.set(**{f"{side.axis_name}scale": "log"})
    if values.max() / 1000 < values.min():
        few = values.max() / 10 < values.min()
        side.set_major_locator(AutoLocator() if few else LogLocator(subs=(1, 2, 5)))
        side.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
        side.set_minor_formatter(NullFormatter())


DECADES = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300)
STYLES = ("-", "--", ":")


def _draw_lines(panel, lines, color: str) -> list:
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.2, foreground="white")]  # on dark and light ground
    handles = []
    for (which, (x, y, field)), style in zip(lines, STYLES, strict=False):
        known = field[np.isfinite(field)]
        levels = [0.0]
        if which.decades and len(known):
            levels = [n for n in DECADES if known.min() < n < known.max()]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No contour levels were found")
            contours = panel.contour(
                x, y, field, levels, colors=color, linewidths=1.1, linestyles=style
            )
        contours.set(path_effects=halo)
        if which.decades:
            for label in panel.clabel(contours, fontsize=6, fmt="%d"):
                label.set(path_effects=halo)
        handles.append(Line2D([], [], color=color, ls=style, label=which.label))
    return handles


def _shows(diagram: Diagram, name: str) -> str:
    """The label of a panel's colours."""
    shows = VALUES.get(name, _described(name))
    if name in DERIVED and diagram.x != "best_probability":
        return shows.replace(r"\pi_0(*)", "x")
    for level in goal(diagram.sweep).values():
        shows = shows.replace("the goal", f"accuracy {level:g}")
    return shows


def _is_geometric(values: np.ndarray) -> bool:
    """Whether the axis has a logarithmic scale: that on which its values are even.

    Two values, and those that are even on neither scale: by how far they go.
    """
    if not values.min() > 0:
        return False
    if len(values) > 2 and _is_even(values):
        return False
    if len(values) > 2 and _is_even(np.log(values)):
        return True
    return bool(values.max() / 15 > values.min())


def _is_even(values: np.ndarray) -> bool:
    steps = np.diff(values)
    return bool(np.allclose(steps, steps.mean(), rtol=1e-6, atol=0))


def _described(name: str) -> str:
    known = observables.find(name)
    if known is not None:
        return known.text
    observable, _, statistic = name.rpartition("_")
    known = observables.find(observable)
    return name if known is None else f"{known.text} ({statistic})"

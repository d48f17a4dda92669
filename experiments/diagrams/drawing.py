"""A diagram as a picture: the stored value in colour, lines from theory on top."""

import warnings
from collections.abc import Mapping

import numpy as np

from experiments.diagrams.lines import LINES, Line
from experiments.diagrams.preset import DERIVED, Diagram
from experiments.sweeps import grid, observables
from experiments.sweeps.store import Columns
from experiments.sweeps.sweep_file import Sweep

MOST_DRAWS = 400  # of random base models, for lines that are means over them
LABELS = {
    "best_probability": r"base probability of the best pattern, $\pi_0(*)$",
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
    "quality": "share of demonstrations of the best pattern",
}
VALUES = {
    "log10_t0": r"$\log_{10}$ transition time $T_0$",
    "crossing_degree": r"local degree of the crossing time in $1/\pi_0(*)$",
    "t0_degree": r"local degree of $T_0$ in $1/\pi_0(*)$",
    "gain_mean": "mean final change of accuracy",
    "gain": "final change of accuracy",
    "accuracy": "accuracy at the end",
    "optimal_probability_mean": r"mean final $\pi_*$",
    "log10_total_time": r"$\log_{10}$ total time to 0.9 of the best",
}
DIVERGING = ("gain", "gain_mean", "peak_gain")


def value(diagram: Diagram, columns: Columns) -> np.ndarray:
    """What is shown, `[y, x]`. Infinite values are left out."""
    order = [axis.name for axis in diagram.sweep.kept]
    name = DERIVED.get(diagram.value, diagram.value)
    table = np.asarray(columns[name], float)
    if order == [diagram.x, diagram.y]:
        table = table.T
    if diagram.value in DERIVED:
        x = _axis(diagram.sweep, diagram.x).values
        with np.errstate(invalid="ignore"):
            table = -np.gradient(table, np.log10(x), axis=1)
    return np.where(np.isfinite(table), table, np.nan)


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
    parameters = _parameters(sweep, cells)
    base = sweep.family.build(parameters, sweep.width, sweep.seed)
    field = which.function(base, parameters | cells).reshape(len(grid_x), -1)
    return x, y, field.mean(axis=1).reshape(len(y), len(x))


def _thinned(values: np.ndarray, most: int) -> np.ndarray:
    if len(values) <= most:
        return values
    return values[np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))]


def _parameters(sweep: Sweep, values: Mapping[str, np.ndarray]):
    number = len(next(iter(values.values())))
    known = dict(sweep.fixed) | {
        name: value for name, value in values.items() if name in sweep.family.parameters
    }
    return {
        k: np.broadcast_to(np.asarray(v, float), (number,)) for k, v in known.items()
    }


def draw(diagram: Diagram, columns: Columns):
    """The figure."""
    from cmcrameri import cm

    from experiments.style import BLACK, COLUMN, panels

    figure, axes = panels(1, width=COLUMN * 1.15, height=3.1)
    panel = axes[0][0]
    x, y = (_axis(diagram.sweep, name).values for name in (diagram.x, diagram.y))
    shown = np.ma.masked_invalid(value(diagram, columns))
    limits = {}
    if diagram.value in DIVERGING and shown.count():
        most = float(np.abs(shown).max()) or 1.0
        limits = {"vmin": -most, "vmax": most}
    image = panel.pcolormesh(
        x,
        y,
        shown,
        cmap=cm.vik if limits else cm.batlow,
        shading="nearest",
        rasterized=True,
        **limits,
    )
    panel.set_facecolor("0.85")
    for name, values in (("xscale", x), ("yscale", y)):
        if _is_geometric(values):
            panel.set(**{name: "log"})
    panel.set(
        xlabel=LABELS.get(diagram.x, diagram.x),
        ylabel=LABELS.get(diagram.y, diagram.y),
        xlim=(x[0], x[-1]),
        ylim=(y[0], y[-1]),
    )
    handles = _draw_lines(panel, diagram, BLACK)
    if np.ma.is_masked(shown):
        from matplotlib.patches import Patch

        handles.append(Patch(fc="0.85", label="does not happen, or from the start"))
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncol=1, handlelength=2.2
        )
    figure.colorbar(image, label=VALUES.get(diagram.value, _described(diagram.value)))
    return figure


DECADES = (0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300)
STYLES = ("-", "--", ":")


def _draw_lines(panel, diagram: Diagram, color: str) -> list:
    from matplotlib.lines import Line2D

    handles = []
    for name, style in zip(diagram.lines, STYLES, strict=False):
        which = LINES[name]
        with np.errstate(all="ignore"):
            x, y, field = line(diagram, which)
        known = field[np.isfinite(field)]
        levels = [0.0]
        if which.decades and len(known):
            levels = [n for n in DECADES if known.min() < n < known.max()]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No contour levels were found")
            contours = panel.contour(
                x, y, field, levels, colors=color, linewidths=1.1, linestyles=style
            )
        if which.decades:
            panel.clabel(contours, fontsize=6, fmt="%d")
        handles.append(Line2D([], [], color=color, ls=style, label=which.label))
    return handles


def _is_geometric(values: np.ndarray) -> bool:
    """Whether the axis is better read on a logarithmic scale."""
    return bool(values.min() > 0 and values.max() / values.min() > 15)


def _described(name: str) -> str:
    known = observables.find(name)
    if known is not None:
        return known.text
    observable, _, statistic = name.rpartition("_")
    known = observables.find(observable)
    return name if known is None else f"{known.text} ({statistic})"

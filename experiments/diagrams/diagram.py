"""A diagram: a sweep over two axes, and what its table `[figure]` says is drawn of it.

A preset is such a sweep file that comes along; a user's file is read in the same way.

    [figure]
    x = "best_probability"          # the axes; y is the first one of the file
    y = "gap"
    panels = "update"               # a third axis: one panel for each of its values
    value = "log10_t0"              # the colour, or a list: one panel each
    lines = ["regime"]              # of theory, see `phase-diagram --help`
    title = "How long the model waits"
    labels = {colour = "decades"}   # also of x and y
    scale = {y = "linear"}          # or "log"; also of x and colour
    range = [0, 12]                 # of the colours
    log10_t = 3                     # of curves, accuracy_along (step: in training)
    cmap = "viridis"                # looks: width, height, style, text, format too
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from experiments.diagrams import fixing, labels, places
from experiments.diagrams.assumptions import reason
from experiments.diagrams.lines import LINES
from experiments.diagrams.places import Places
from experiments.pictures import looks
from experiments.pictures.looks import Looks
from experiments.sweeps import layout, sweep_file
from experiments.sweeps.along import SUFFIX
from experiments.sweeps.axes import Axis
from experiments.sweeps.observables import OUTCOME
from experiments.sweeps.sweep_file import Sweep
from experiments.text.errors import UserError, choose_from

# Slopes along x, both logarithmic, of recorded values.
DERIVED = {"crossing_degree": "log10_crossing", "t0_degree": "log10_t0"}
TIMES = ("log10_t", "step")
KEYS = ("x", "y", "panels", "value", "lines", "scale", "range", *TIMES, *looks.KEYS)
SCALES = ("linear", "log")
MOST_PANELS = 12
MOST = sys.float_info.max


@dataclass(frozen=True)
class Diagram:
    """A sweep over `x` and `y`, and what is drawn: one panel per value, and `lines`.

    - `across`: the third axis, if there is one, and `parts`: its panels.
    - `figure`: the table that says so; `notes`: why lines are left out.
    - `time`: the number of the time at which curves are drawn.
    - `scales`: of x, y and colour, where they are given; `limits` of the colours.
    """

    sweep: Sweep
    figure: Mapping[str, Any]
    x: Axis
    y: Axis
    across: Axis | None
    parts: tuple["Part", ...]
    values: tuple[str, ...]
    time: int
    lines: tuple[str, ...]
    notes: tuple[str, ...]
    scales: Mapping[str, Any]
    limits: tuple[float, float] | None
    looks: Looks

    @property
    def number(self) -> int:
        """The number of panels."""
        return len(self.parts) or len(self.values)

    @property
    def stored(self) -> list[str]:
        """The arrays that are drawn."""
        return [DERIVED.get(value, value) for value in self.values]


class Part(NamedTuple):
    """One panel of several: the place along the third axis, what it is, the rest."""

    place: int
    title: str
    diagram: Diagram


def of_sweep(sweep: Sweep, **changes: Any) -> Diagram:
    """The diagram that the sweep's table `[figure]` describes, with these changes.

    Raises `UserError`.
    """
    table = looks.merged(sweep.table.get("figure", {}), looks.with_style(changes))
    for key in table:
        if key not in KEYS:
            raise UserError(f"figure: {key!r} is unknown; {choose_from(key, KEYS)}.")
    if "title" in sweep.table:
        table.setdefault("title", sweep.table["title"])
    asked = looks.read(table, "figure: ")
    x, y, across = _axes(sweep, table)
    values, time = _values(sweep, table)
    for name in DERIVED.keys() & set(values):
        if x.shown.dtype == object or x.values.min() <= 0:
            raise UserError(f"{name} is a slope along log x; give an x above 0.")
    if len(values) > 1 and "colour" in asked.labels:
        raise UserError("figure: label colour: several panels have their own; drop it.")
    if across is None:
        parts: tuple[Part, ...] = ()
        lines, notes = _lines(sweep, table, values)
    else:
        parts = _parts(sweep, table, Places(x.name, y.name, across.name), values)
        lines = tuple(dict.fromkeys(n for part in parts for n in part.diagram.lines))
        notes = _notes(parts)
    return Diagram(
        sweep=sweep,
        figure=table,
        x=x,
        y=y,
        across=across,
        parts=parts,
        values=values,
        time=time,
        lines=lines,
        notes=notes,
        scales=_scales(table, {"x": x, "y": y}),
        limits=_range(table),
        looks=asked,
    )


def _axes(sweep: Sweep, table: Mapping[str, Any]) -> tuple[Axis, Axis, Axis | None]:
    """x, y, and the axis of panels. Raises `UserError`."""
    known = {axis.name: axis for axis in sweep.kept}
    named = {name: axis.shown.dtype == object for name, axis in known.items()}
    found = places.of(table, named)
    for name in found[:2]:
        if len(known[name].values) < 2:
            raise UserError(f"axis {name} has one value; a diagram needs two at least.")
    if found.panels is None:
        return known[found.x], known[found.y], None
    panels = known[found.panels]
    if len(panels.values) > MOST_PANELS:
        raise UserError(
            f"figure: {panels.name} has {len(panels.values)} values; at most "
            f"{MOST_PANELS} panels: leave some out, or draw another axis as panels."
        )
    return known[found.x], known[found.y], panels


def _parts(
    sweep: Sweep, table: Mapping[str, Any], at: Places, values: tuple[str, ...]
) -> tuple[Part, ...]:
    """The diagram at each value of the third axis, which is fixed there."""
    if len(values) > 1:
        raise UserError("figure: panels of a third axis show one value; give one.")
    (across,) = (axis for axis in sweep.kept if axis.name == at.panels)
    figure = {k: v for k, v in table.items() if k not in places.SIDES}
    found = []
    for index, shown in enumerate(across.shown.tolist()):
        own = fixing.opened(sweep.table, sweep)
        fixing.fix(own, across, shown, "figure: panels: ")
        own["figure"] = figure | {"x": at.x, "y": at.y}
        part = of_sweep(sweep_file.read(own, sweep.seed))
        found.append(Part(index, labels.of_place(sweep, across, shown), part))
    return tuple(found)


def _notes(parts: tuple[Part, ...]) -> tuple[str, ...]:
    """Why lines are left out, and where, if not of all panels."""
    notes: dict[str, list[str]] = {}
    for part in parts:
        for note in part.diagram.notes:
            notes.setdefault(note, []).append(part.title)
    return tuple(
        note if len(where) == len(parts) else f"{', '.join(where)}: {note}"
        for note, where in notes.items()
    )


def _values(sweep: Sweep, table: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
    """The arrays in colour, and the number of their time."""
    known = {
        name: variable.extra
        for name, variable in layout.variables(sweep).items()
        if name != OUTCOME and {dim for dim, _ in variable.extra} <= set(TIMES)
    }
    # What is recorded comes before how many runs ended how.
    known = dict(
        sorted(known.items(), key=lambda item: item[0].startswith(layout.RUNS))
    )
    allowed = [*known, *(name for name, of in DERIVED.items() if of in known)]
    given = table.get("value", allowed[0])
    values = [given] if isinstance(given, str) else given
    if not isinstance(values, list) or not values:
        raise UserError(f"figure: value = {given!r}; give a name, or a list of names.")
    for name in values:
        if name not in allowed:
            raise UserError(
                f"figure: value {name!r} is not recorded; "
                f"{choose_from(name, allowed)}, or record it."
            )
    return tuple(dict.fromkeys(values)), _time(sweep, table, values)


def _time(sweep: Sweep, table: Mapping[str, Any], values: list[str]) -> int:
    """The number of the recorded time that is nearest to the one that is given."""
    curves = [name for name in values if SUFFIX in name]
    given = [key for key in TIMES if key in table]
    if not curves:
        if given:
            raise UserError(
                f"figure: {given[0]} is of curves; give a value of [along]."
            )
        return 0
    assert sweep.along is not None
    dim, times = sweep.along.dim, sweep.along.values
    if given and given != [dim]:
        raise UserError(f"figure: {', '.join(given)}: the curves are along {dim}.")
    time = table.get(dim, times[-1])
    number = isinstance(time, int | float) and not isinstance(time, bool)
    if not number or not times[0] <= time <= times[-1]:
        raise UserError(
            f"figure: {dim} = {time!r}; the curves go from {times[0]:g} to "
            f"{times[-1]:g}."
        )
    return int(np.argmin(np.abs(times - time)))


def _scales(table: Mapping[str, Any], axes: Mapping[str, Axis]) -> dict[str, Any]:
    scales = table.get("scale", {})
    if not isinstance(scales, dict):
        raise UserError(f"figure: scale = {scales!r}; give a table, {{x = 'log'}}.")
    for side, scale in scales.items():
        if side not in looks.SIDES:
            raise UserError(
                f"figure: scale {side!r}: {choose_from(side, looks.SIDES)}."
            )
        if scale not in SCALES:
            raise UserError(f"figure: scale {scale!r}: {choose_from(scale, SCALES)}.")
        axis = axes.get(side)
        if axis is None or scale == "linear":
            continue
        if axis.shown.dtype == object or axis.values.min() <= 0:
            raise UserError(
                f"figure: scale of {side} is log; {axis.name} needs numbers above 0."
            )
    return dict(scales)


def _range(table: Mapping[str, Any]) -> tuple[float, float] | None:
    given = table.get("range")
    if given is None:
        return None
    good = isinstance(given, list) and len(given) == 2
    good = good and all(type(x) in (int, float) and abs(x) <= MOST for x in given)
    if not good or not given[0] < given[1]:
        raise UserError(f"figure: range = {given!r}; give two rising numbers.")
    low, high = map(float, given)
    if table.get("scale", {}).get("colour") == "log" and low <= 0:
        raise UserError(f"figure: range from {low:g} on a log scale; begin above 0.")
    return low, high


def _lines(sweep: Sweep, table: Mapping[str, Any], values: tuple[str, ...]):
    """The lines that hold, and for the others that were asked for why they do not."""
    given = table.get("lines")
    if given is None:
        about = {labels.base_of(value) for value in values} | set(values)
        own = [name for name, line in LINES.items() if about & set(line.about)]
        return tuple(name for name in own if not _false(name, sweep)), ()
    if not isinstance(given, list):
        raise UserError(f"figure: lines = {given!r}; give a list of names.")
    for name in given:
        if name not in [*LINES]:
            raise UserError(f"line {name!r} is unknown; {choose_from(name, LINES)}.")
    why = {name: _false(name, sweep) for name in given}
    notes = [f"the line {n} is left out: {text}." for n, text in why.items() if text]
    return tuple(name for name, text in why.items() if not text), tuple(notes)


def _false(name: str, sweep: Sweep) -> str:
    """Why the line would be false; empty if it is true."""
    return reason(LINES[name].needs, LINES[name].assumes, sweep)

"""The diagrams that come along, and what the command line changes in them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.text import toml
from experiments.text.errors import UserError, choose_from
from experiments.text.numbers import as_number

if TYPE_CHECKING:
    from experiments.sweeps.sweep_file import Sweep

FOLDER = Path(__file__).parent / "presets"
FEWEST, MOST = 2, 20_000  # cells along an axis
QUICK = 24
# Slopes along x, both logarithmic, of recorded values.
DERIVED = {"crossing_degree": "log10_crossing", "t0_degree": "log10_t0"}


@dataclass(frozen=True)
class Diagram:
    """A sweep over `x` and `y`, and what is drawn: one panel per value, and `lines`."""

    sweep: Sweep
    text: str  # of the sweep file, with `[figure]`
    x: str
    y: str
    values: tuple[str, ...]
    lines: tuple[str, ...]


def names() -> dict[str, str]:
    """The presets, with what they are."""
    return toml.described(FOLDER)


def file_name(name: str) -> str:
    """The file name of a preset's diagram."""
    return f"phase_{name.replace('-', '_')}"


def load(
    name: str,
    *,
    x: str | None = None,
    y: str | None = None,
    value: str | None = None,
    fixed: list[str] | None = None,
    cells: int | None = None,
    quick: bool = False,
    seed: int | None = None,
) -> Diagram:
    """The diagram of this name with other axes, value, parameters or resolution.

    `x`, `y`: `NAME=LOW:HIGH` or `NAME=LOW:HIGH:log`. Raises `UserError`.
    """
    import tomli_w

    from experiments.sweeps import sweep_file

    if name not in names():
        raise UserError(f"preset {name} is unknown; {choose_from(name, names())}.")
    path = FOLDER / f"{name}.toml"
    table = toml.parse(path.read_text(encoding="utf-8"))
    figure = table.pop("figure")
    for side, given in (("x", x), ("y", y)):
        if given is not None:
            figure[side] = _replace_axis(table, figure[side], given, cells)
    if any(given is not None for given in (x, y)) and figure["x"] == figure["y"]:
        raise UserError(f"--x and --y are both {figure['x']}; give two.")
    given_names = [item.partition("=")[0] for item in fixed or ()]
    for item, name in zip(fixed or (), given_names, strict=True):
        if given_names.count(name) > 1:
            raise UserError(f"--set: {name} is given twice; give it once.")
        _fix(table, item)
    if cells is not None or quick:
        along = QUICK if cells is None else cells
        _resize(table, (figure["x"], figure["y"]), along, quick)
    if value is not None:
        figure["value"] = [value]
        _record(table, value)
    text = tomli_w.dumps(table | {"figure": figure})
    return of_sweep(sweep_file.read(table, seed), figure, text)


def of_sweep(sweep: Sweep, figure: Mapping[str, Any], text: str) -> Diagram:
    """The picture that `figure` describes, drawn from the sweep. Raises `UserError`."""
    dims = {axis.name for axis in sweep.kept}
    if dims != {figure["x"], figure["y"]}:
        raise UserError(f"a diagram has two axes; these are {', '.join(sorted(dims))}.")
    lowest = next(a.values.min() for a in sweep.axes if a.name == figure["x"])
    for name in DERIVED.keys() & set(figure["value"]):
        if lowest <= 0:
            raise UserError(f"{name} is a slope along log x; give an x above 0.")
    return Diagram(
        sweep=sweep,
        text=text,
        x=figure["x"],
        y=figure["y"],
        values=tuple(figure["value"]),
        lines=tuple(line for line in figure["lines"] if _holds(line, sweep)),
    )


def _holds(line: str, sweep: Sweep) -> bool:
    """Whether the line takes account of all that varies, and has what it needs."""
    from experiments.diagrams.lines import LINES

    needs = set(LINES[line].needs)
    known = {axis.name for axis in sweep.kept} | set(sweep.fixed) | set(goal(sweep))
    varied = zip(sweep.kept, sweep.places, strict=False)
    others = {axis.name for axis, slot in varied if slot.path[0] != "model"}
    return known >= needs >= others


def goal(sweep: Sweep) -> dict[str, float]:
    """The accuracy at which all runs end, if that is what they wait for."""
    import simulator as sim

    if any(slot.path[0] == "until" for slot in sweep.places):
        return {}
    until = sweep.roots.get("until")
    return {"goal": float(until.level)} if isinstance(until, sim.Accuracy) else {}


def _replace_axis(table, old: str, given: str, cells: int | None) -> str:
    name, equals, span = given.partition("=")
    parts = span.split(":")
    log = len(parts) == 3 and parts[2] == "log"
    low, high = as_number(parts[0]), as_number(parts[-1 - log])
    if not equals or len(parts) != 2 + log or not low < high:
        raise UserError(
            f"axis {given}: give NAME=LOW:HIGH or NAME=LOW:HIGH:log, numbers with LOW "
            "below HIGH."
        )
    number = 100 if cells is None else cells
    kind = "logspace" if log else "linspace"
    new = {name: {kind: [low, high, number]}}
    # In its place, so that the order of the axes stays.
    pairs = [new if k == old else {k: v} for k, v in table["axes"].items()]
    table["axes"] = {k: v for pair in pairs for k, v in pair.items()}
    table["model"].pop(name, None)  # no longer fixed
    return name


def _fix(table, item: str) -> None:
    name, equals, text = item.partition("=")
    number = as_number(text)
    if not equals or not math.isfinite(number):
        raise UserError(f"--set {item}: give NAME=NUMBER, a parameter of the model.")
    if name in table["axes"]:
        raise UserError(f"--set {item}: {name} is an axis here; give --x or --y.")
    table["model"][name] = number


def _resize(table, sides, cells: int, quick: bool) -> None:
    if not FEWEST <= cells <= MOST:
        raise UserError(f"--cells {cells}: give {FEWEST} to {MOST:,}.")
    for name, spec in table["axes"].items():
        if not isinstance(spec, dict):
            if quick:
                table["axes"][name] = spec[:: max(1, len(spec) // 4)]
            continue
        ((kind, numbers),) = spec.items()
        if name in sides and isinstance(numbers, list):
            table["axes"][name] = {kind: [*numbers[:2], cells]}
        elif quick and kind == "count":
            table["axes"][name] = {"count": min(numbers, 20)}


def _record(table, value: str) -> None:
    """Record what the value needs, if it is not recorded yet."""
    from experiments.sweeps import observables, reduction

    if value in DERIVED or observables.find(value):
        wanted = DERIVED.get(value, value)
        statistic = None
    else:
        wanted, _, statistic = value.rpartition("_")
    if "reduce" in table:
        if statistic is None:
            raise UserError(
                f"--value {value}: runs are summarised here; say how, {value}_mean."
            )
        statistics = table["reduce"].setdefault("statistics", list(reduction.DEFAULT))
        if statistic not in statistics:
            statistics.append(statistic)
    elif statistic is not None:
        observables.read([value], "recipe" in table)
    if wanted not in table["record"]:
        table["record"].append(wanted)

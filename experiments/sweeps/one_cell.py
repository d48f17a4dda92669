"""One cell of a sweep: what is stored, and the command that computes it alone."""

import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.sweeps import grid, observables, solving
from experiments.sweeps.assembly import Runs, assemble, first_lane
from experiments.sweeps.store import Store
from experiments.sweeps.sweep_file import Sweep
from experiments.text import catalogue, events, objects, recipes
from experiments.text.errors import UserError, choose_from
from experiments.text.numbers import as_number, pairs


def nearest(sweep: Sweep, wanted: list[str]) -> dict[str, int]:
    """`NAME=VALUE ...` as the index along every axis (0 along reduced ones).

    Raises `UserError` for an axis that is missing, or unknown.
    """
    given = pairs("--cell", wanted, "NAME=VALUE")
    names = [axis.name for axis in sweep.axes]
    for name in given:
        if name not in names:
            raise UserError(
                f"--cell: {name} is not an axis; choose from {', '.join(names)}."
            )
    found = {axis.name: 0 for axis in sweep.reduced}
    for axis in sweep.axes:
        if axis.name in given:
            found[axis.name] = _index(axis, given[axis.name])
        elif axis.name not in found:
            choices = "VALUE"
            if axis.shown.dtype == object:
                choices = " or ".join(axis.shown)
            raise UserError(f"--cell: give {axis.name}={choices} as well.")
    return found


def _index(axis, text: str) -> int:
    if axis.shown.dtype == object:
        if text not in list(axis.shown):
            allowed = choose_from(text, axis.shown)
            raise UserError(f"--cell {axis.name}={text}: {allowed}.")
        return list(axis.shown).index(text)
    value = as_number(text)
    if not np.isfinite(value):
        raise UserError(f"--cell {axis.name}={text}: give a number.")
    low, high = axis.values.min(), axis.values.max()
    if not low <= value <= high:
        raise UserError(
            f"--cell {axis.name}={text}: the axis goes from {low:g} to {high:g}."
        )
    return int(np.argmin(np.abs(axis.values - value)))


def values_of(sweep: Sweep, index: dict[str, int]) -> dict[str, Any]:
    """The axes' values of one run."""
    return {axis.name: axis.values[index[axis.name]] for axis in sweep.axes}


def stored(sweep: Sweep, target: Store, index: dict[str, int]) -> dict[str, Any]:
    """The cell as the store has it. Raises `UserError` if it is not there yet."""
    cell = tuple(index[axis.name] for axis in sweep.kept)
    unit = target.grid.unit_of(cell)
    if not target.done()[unit.index]:
        raise UserError("this cell is not stored yet; run the sweep first.")
    place = tuple(i - side.start for i, side in zip(cell, unit.region, strict=True))
    return {name: values[place] for name, values in target.read(unit).items()}


def one_run(sweep: Sweep, values: dict[str, Any]) -> tuple[Runs, dict[str, Any]]:
    """One run by itself, assembled, and what is recorded of it."""
    given = grid.alone(sweep, values)
    found = solving.solve(sweep, given, 1)
    return assemble(sweep, given, 1), {name: value[0] for name, value in found.items()}


def summary(sweep: Sweep, values: dict[str, Any]) -> dict[str, Any]:
    """The cell of these values, solved by itself, as it would be stored."""
    found = solving.cell_columns(sweep, grid.alone(sweep, values), 1)
    return {name: value[0] for name, value in found.items()}


def _numbers_of(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if np.ndim(value) == 0}


def command(sweep: Sweep, runs: Runs) -> str:
    """The command that computes this run alone, from its numbers."""
    import jax

    inside = np.asarray(runs.problem.log_policy)[0] > -np.inf
    words = ["pattern-selection", "train" if sweep.trains else "run"]
    if jax.dtypes.canonicalize_dtype(float) == np.float32:
        words += ["--precision", "float32"]
    words += ["--success-rates", *_numbers(runs.problem.success_rates[0][inside])]
    words += ["--logits", *_numbers(runs.problem.log_policy[0][inside])]
    if runs.problem.answer_kernel is not None:
        rows = np.asarray(runs.problem.answer_kernel)[0][inside]
        words += ["--answer-kernel", *(",".join(_numbers(row)) for row in rows)]
    columns = {} if sweep.trains else runs.problem.attributes
    for name, column in columns.items():
        words += ["--attribute", f"{name}={','.join(_numbers(column[0][inside]))}"]
    if sweep.trains:
        seeds = next((len(a.values) for a in sweep.axes if a.name == "seed"), 1)
        words += ["--seeds", str(seeds), "--seed", str(sweep.seed)]
        if "until" in runs.roots:
            words += ["--until", events.write(first_lane(runs.roots["until"]))]
        words += ["--recipe", "/dev/stdin"]
        recipe = recipes.dumps(first_lane(runs.roots["recipe"]))
        return f"{shlex.join(words)} <<'END'\n{recipe}END"
    words += _part("--signal", runs.roots["signal"], inside)
    words += _part("--update", runs.roots["update"], inside)
    event = first_lane(runs.roots["until"])
    words += ["--until", events.REST if event is None else events.write(event)]
    words += ["--max-log10-time", repr(sweep.max_log10_time)]
    for key in ("method", "max_steps", "tolerance"):
        if key in sweep.table:
            words += ["--" + key.replace("_", "-"), str(sweep.table[key])]
    return shlex.join(words)


def _numbers(values) -> list[str]:
    return [repr(float(x)) for x in np.asarray(values)]


def _part(option: str, part: Any, inside: np.ndarray) -> list[str]:
    """A signal or an update as words, with the options of its parameters."""
    part = first_lane(part)
    if not hasattr(part, "weights"):
        return [option, objects.name_of(part), *_options([part], inside)]
    names = [objects.name_of(one) for one in part.signals]
    weights = [repr(float(weight)) for weight in part.weights]
    pairs = [f"{name}={w}" for name, w in zip(names, weights, strict=True)]
    return [option, *pairs, *_options(part.signals, inside)]


def _options(parts, inside: np.ndarray) -> list[str]:
    words: list[str] = []
    for part in parts:
        for name in objects.fields(type(part)):
            option, value = catalogue.option(name), getattr(part, name)
            if isinstance(value, bool):
                words += [option] if value else []
            elif isinstance(value, str):
                words += [option, value]
            elif np.ndim(value):
                words += [option, *_numbers(np.asarray(value)[inside])]
            elif isinstance(value, int):
                words += [option, str(value)]
            else:
                words += [option, repr(float(value))]
    return words


def lines(sweep: Sweep, target: Store, wanted: list[str], apart: Sequence[str]) -> str:
    """The answer to `--cell`; `apart`: what else the store is of than what is here."""
    index = nearest(sweep, wanted)
    values, kept = values_of(sweep, index), stored(sweep, target, index)
    runs, run = one_run(sweep, values)
    alone = summary(sweep, values) if sweep.reduced else run
    text = [
        _row("cell", {a.name: values[a.name] for a in sweep.kept}),
        _row("stored", _numbers_of(kept)),
        _row("computed", _numbers_of(alone)),
    ]
    if sweep.along is not None:
        apart_most = _differences(sweep.along.names, kept, alone)
        text.append(_row("largest difference", apart_most))
    if sweep.reduced:
        first = {axis.name: values[axis.name] for axis in sweep.reduced}
        text.append(_row("one run", first | _numbers_of(run)))
    if sweep.trains and any(axis.name == "seed" for axis in sweep.axes):
        text.append("# The command trains all seeds; --json lists them `by_seed`.")
    text += [f"# What is stored is of {what}: numbers may differ." for what in apart]
    return "\n".join([*text, command(sweep, runs)])


def _differences(curves: tuple[str, ...], kept: dict, alone: dict) -> dict[str, float]:
    """How far each curve that is stored lies from that of the cell alone, at most."""
    found = {}
    for name in kept:
        if name.startswith(curves):
            one, other = kept[name], alone[name]
            alike = (one == other) | (np.isnan(one) & np.isnan(other))
            apart = np.where(alike, 0.0, np.abs(one - other))
            found[name] = np.max(apart)
    return found


def _row(label: str, values: dict[str, Any]) -> str:
    import simulator as sim

    shown = []
    for name, value in values.items():
        if name == observables.OUTCOME:
            value = sim.OUTCOME_NAMES[int(value)]
        written = value if isinstance(value, str) else f"{float(value):.10g}"
        shown.append(f"{name} = {written}")
    return f"{label:<9} {', '.join(shown)}"

"""Going through the units of a sweep: begin, go on, check, mend."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.sweeps import cluster, grid, making, root, solving, store
from experiments.sweeps.grid import Grid, Unit
from experiments.sweeps.locks import Shard
from experiments.sweeps.place import Place
from experiments.sweeps.store import Store
from experiments.sweeps.sweep_file import Sweep
from experiments.text.errors import UserError

PACKAGES = ("simulator", "experiments")
Progress = Callable[[int, int], None]


def code_digest() -> str:
    """A hash of the source that decides on the numbers, with or without git."""
    digest = hashlib.sha256()
    for name in PACKAGES:
        root = Path(__file__).resolve().parents[2] / name
        for file in sorted(root.rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def identity(sweep: Sweep, cells: Grid) -> dict[str, Any]:
    """The stamp of a sweep's store: what has to be the same for the same bits."""
    import jax

    from experiments.runtime.stamp import stamp

    batch = int(np.prod(cells.chunk)) * sweep.lanes_per_cell
    table = stamp(sweep.identity, sweep.seed, batch)
    # However many share the lanes, XLA's program is the same; for one it is another.
    devices = "one" if jax.device_count() == 1 else "several"
    return table | {"code_sha256": code_digest(), "devices": devices}


# What a store has to agree on with the run that goes on with it.
MUST_AGREE = {
    "config_sha256": "another sweep",
    "dtype": "another precision",
    "code_sha256": "another version of the code",
    "versions": "other versions of its packages",
    "device": "another kind of device",
    "devices": "numbers of one device, or of several, not of what is here",
}


def begin(
    path: Path, sweep: Sweep, text: str, overwrite: bool = False, force: bool = False
) -> Store:
    """The store of the sweep, new or to go on with.

    `force`: go on although something that it must agree on differs, if the cells are
    the same. Raises `UserError` if the store is of another sweep.
    """
    cells = grid.cut(sweep)
    stamp = identity(sweep, cells)
    if overwrite and path.exists():
        making.remove(path)
    if not path.exists():
        making.create(path, sweep, cells, stamp, text)
    place = Place(path)
    agree(path, sweep, stamp, force)
    target = store.open_store(path, sweep, cells)
    place.check()  # what is opened is what agrees
    return target


def agree(
    path: Path,
    sweep: Sweep,
    stamp: Mapping[str, Any],
    force: bool = False,
    reading: bool = False,
) -> list[str]:
    """Differences between the store's stamp and the `stamp` of this sweep.

    Raises `UserError` if there is no store, or if it is of something else. With `force`
    the cells have to be the same, no more; `reading` only, the sweep.
    """
    found = []
    old = root.attributes(path, damaged=True)["stamp"]
    for key, what in MUST_AGREE.items():
        if old.get(key) == stamp[key]:
            continue
        found.append(what)
        config = key == "config_sha256"
        fits = not config or _fits(path, sweep, old, stamp)
        if (force and fits) or (reading and not config):
            continue
        advice = "give another --out, or --overwrite it"
        if reading:
            advice = "give the file and the options that it was made with"
        if fits:
            advice += ", or go on all the same with --force"
        change = f"{key} is {_short(old.get(key))}, now {_short(stamp[key])}"
        if config:
            new = json.loads(json.dumps(sweep.identity))
            change = _change(old.get("config"), new) or change
        raise UserError(f"{path} holds {what} ({change}); {advice}.")
    return found


# What may differ between runs of the same cells.
SETTINGS = ("method", "max_steps", "tolerance")


def same_cells(
    old: Mapping[str, Any], new: Mapping[str, Any], any_recipe: bool = False
) -> bool:
    """Whether two identities of sweeps ask the same of the same cells.

    `any_recipe`: recipes may be written differently, as by another version of the code.
    """
    left_out = {*SETTINGS, "recipes"} if any_recipe else {*SETTINGS}
    keys = {*old, *new} - left_out
    return all(old.get(key) == new.get(key) for key in keys)


def _fits(
    path: Path, sweep: Sweep, old: Mapping[str, Any], stamp: Mapping[str, Any]
) -> bool:
    other_code = old.get("code_sha256") != stamp["code_sha256"]
    new = json.loads(json.dumps(sweep.identity))
    same = same_cells(old.get("config", {}), new, any_recipe=other_code)
    return same and store.fits(path, sweep, grid.cut(sweep))


def look(path: Path, sweep: Sweep, force: bool) -> tuple[Store, list[str]]:
    """The store, to be read only, and what else it is of than what is here."""
    cells = grid.cut(sweep)
    apart = agree(path, sweep, identity(sweep, cells), force, reading=True)
    return store.open_store(path, sweep, cells, mode="r"), apart


def note_mixture(sweep: Sweep, target: Store) -> None:
    """Put the stamp of a run with other settings or code next to those that differ."""
    stamp = identity(sweep, target.grid)

    def is_known(other: Mapping[str, Any]) -> bool:
        return all(other.get(key) == stamp[key] for key in MUST_AGREE)

    target.add_stamp(stamp, is_known)


def _change(old: Any, new: Any, place: str = "") -> str:
    """Where two tables differ first, in words; empty if that cannot be said."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (one, other) in enumerate(zip(old, new, strict=True)):
            if one != other:
                return _change(one, other, f"{place}[{i}]")
    if not isinstance(old, dict) or not isinstance(new, dict):
        return f"{place} was {_short(old)}, is {_short(new)}" if place else ""
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            inner = f"{place}.{key}" if place else str(key)
            return _change(old.get(key, "not given"), new.get(key, "not given"), inner)
    return ""


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:97]}...{text[-100:]}"


def check_corners(sweep: Sweep) -> None:
    """Build the cells at the corners of the grid, one by one.

    Raises `UserError` for what cannot be run, with the corner.
    """
    ends = []
    for axis in sweep.axes:
        order = np.arange(len(axis.values))
        if axis.values.dtype != object:
            order = np.unique([np.argmin(axis.values), np.argmax(axis.values)])
        ends.append(axis.values[order])
    shape = tuple(len(values) for values in ends)
    for corner in np.ndindex(*shape):
        triples = zip(sweep.axes, ends, corner, strict=True)
        values = {axis.name: side[i] for axis, side, i in triples}
        try:
            check_cell(sweep, values)
        except (UserError, ValueError) as error:
            place = ", ".join(f"{name} = {value}" for name, value in values.items())
            raise UserError(f"at {place}: {error}") from None


def check_cell(sweep: Sweep, values: Mapping[str, Any]) -> None:
    """Raise `UserError` or `ValueError` if a cell cannot be run."""
    import jax

    import simulator as sim
    from experiments.sweeps.assembly import assemble, first_lane
    from experiments.text import step_events

    runs = assemble(sweep, grid.alone(sweep, values), 1)
    if sweep.trains:
        recipe = runs.roots["recipe"]
        recipe.check(jax.tree.map(lambda x: x[:, None], runs.problem))
        if "until" in runs.roots:
            event = first_lane(runs.roots["until"])
            step_events.at_start(event, "until", runs.problem)
        if sweep.along is not None and sweep.along.values[-1] > recipe.num_steps:
            raise UserError(
                f"along: step goes to {sweep.along.values[-1]:g}, and training has "
                f"{recipe.num_steps} steps."
            )
        return
    runs.roots["signal"].check(runs.problem)
    runs.roots["update"].check(runs.roots["signal"])
    method = sweep.table.get("method", "auto")
    known = sim.closed_form(runs.roots["signal"], runs.roots["update"])
    if method == "exact" and not known:
        raise UserError("method exact: no closed form is known; use auto or flow.")


def march(
    sweep: Sweep,
    target: Store,
    shard: Shard,
    progress: Progress | None = None,
    solve: Callable[[Sweep, Unit], solving.Columns] = solving.unit_columns,
    *,
    elsewhere: cluster.Elsewhere | None = None,
) -> int:
    """Solve, here or `elsewhere`, and store the shard's missing units; how many."""
    done = target.done()
    todo = [u for u in target.grid.units() if shard.has(u.index) and not done[u.index]]
    for unit in todo:
        target.remove_leftovers(unit)
    total, finished = sum(unit.num_cells for unit in todo), 0
    here = ((unit, solve(sweep, unit)) for unit in todo)
    with contextlib.closing(elsewhere(sweep, todo) if elsewhere else here) as solved:
        for unit, columns in solved:
            target.write(unit, columns)
            finished += unit.num_cells
            if progress is not None:
                progress(finished, total)
    target.check_place()  # what was written is there
    return len(todo)


def all_columns(
    target: Store, names: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """Every array, or some, of a store that is complete, in memory."""
    parts = [(unit, target.read(unit, names)) for unit in target.grid.units()]
    whole = {}
    for name, first in parts[0][1].items():
        extra = first.shape[len(target.grid.shape) :]
        whole[name] = np.empty((*target.grid.shape, *extra), first.dtype)
        for unit, columns in parts:
            whole[name][unit.region] = columns[name]
    return whole


def damages(target: Store) -> list[tuple[Unit, str]]:
    """Faults of the units that are done: the unit, and which file."""
    done = target.done()
    return list(target.damages(u for u in target.grid.units() if done[u.index]))


def redo_unresolved(sweep: Sweep, target: Store, progress: Progress | None) -> int:
    """Compute again the cells with runs that failed; how many cells.

    `sweep` may allow more steps than the one that the store was made with.
    """
    done, bad = target.done(), []
    for unit in target.grid.units():
        if done[unit.index]:
            cells = _failed_cells(target, unit)
            if cells.any():
                bad.append((unit, cells))
    if bad:
        note_mixture(sweep, target)
    total, finished = sum(int(cells.sum()) for _, cells in bad), 0
    for unit, cells in bad:
        columns = target.read(unit)
        values = {
            name: value[cells.ravel()] if isinstance(value, np.ndarray) else value
            for name, value in grid.cells(sweep, unit).items()
        }
        new = solving.cell_columns(sweep, values, int(cells.sum()))
        for name, column in columns.items():
            column[cells] = new[name]
        target.write(unit, columns)
        finished += int(cells.sum())
        if progress is not None:
            progress(finished, total)
    return total


def _failed_cells(target: Store, unit: Unit) -> np.ndarray:
    codes = solving.failure_codes()
    outcomes = target.read_outcomes(unit)
    if outcomes.ndim > len(unit.shape):
        return outcomes[..., codes].sum(axis=-1) > 0
    return np.isin(outcomes, codes)

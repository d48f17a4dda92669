"""What the command line changes of a diagram: axes, values, parameters, resolution."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.diagrams import diagram, preset
from experiments.diagrams.diagram import DERIVED, Diagram
from experiments.pictures import looks as pictures_looks
from experiments.sweeps import (
    axes,
    families,
    observables,
    parameter_paths,
    reduction,
    sweep_file,
    sweep_objects,
)
from experiments.sweeps.sweep_file import Sweep
from experiments.text import objects, toml
from experiments.text.errors import UserError, choose_from
from experiments.text.numbers import as_number

FEWEST, MOST = 2, 20_000  # cells along an axis
QUICK, QUICK_RUNS = 24, 20  # cells along an axis, runs of one cell
NESTED = ("model", "axes", "along", "reduce", "figure")
USUAL = {"signal": "verifiable", "update": "policy-gradient", "until": "gap=1e-3"}
Table = dict[str, Any]


def load(
    given: str,
    *,
    x: str | None = None,
    y: str | None = None,
    value: str | None = None,
    lines: list[str] | None = None,
    fixed: Sequence[str] = (),
    cells: int | None = None,
    quick: bool = False,
    seed: int | None = None,
    looks: Mapping[str, Any] | None = None,
) -> Diagram:
    """The diagram of a preset or a sweep file, with what is changed of it.

    `x`, `y`: `NAME=LOW:HIGH` or `NAME=LOW:HIGH:log`; `fixed`: `NAME=VALUE`; `looks`: as
    in `[figure]`. Raises `UserError`.
    """
    table = _read(given, seed)
    for item in _given(fixed, whole=True):
        _set(table, item)
    figure = table.setdefault("figure", {})
    _replace_axes(table, {"x": x, "y": y}, 100 if cells is None else cells)
    for item in _given(fixed, whole=False):
        _set(table, item)
    if cells is not None or quick:
        _resize(table, QUICK if cells is None else cells, quick)
    if value is not None:
        figure["value"] = value
        _record(table, value)
    if lines is not None:
        figure["lines"] = lines
    return diagram.of_sweep(sweep_file.read(table, seed), **(looks or {}))


def _read(given: str, seed: int | None) -> Table:
    """The table of a sweep file that is a diagram by itself."""
    known = preset.names()
    path = preset.FOLDER / f"{given}.toml" if given in known else Path(given)
    advice = f"{choose_from(given, known)}, or give a TOML file"
    text = toml.read(path, advice)
    try:
        table = toml.parse(text)
        if isinstance(table.get("figure"), dict):
            table["figure"] = pictures_looks.with_style(table["figure"], path.parent)
        sweep = sweep_file.read(table, seed, path.parent)
        diagram.of_sweep(sweep)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return opened(sweep.table, sweep)


def opened(table: Mapping[str, Any], sweep: Sweep) -> Table:
    """The table of a sweep, with what it leaves out, as it is changed."""
    own = dict(axes.named(table.get("axes", {}), ("model", *sweep.roots)))
    rest = [axis for axis in sweep.axes if axis.name not in own]  # the base models'
    listed = {axis.name: axis.shown.tolist() for axis in rest} | own
    return {"model": {"family": "rival"}, **table, "axes": listed}


def text_of(shown: Diagram) -> str:
    """The sweep file of a diagram."""
    import tomli_w

    return tomli_w.dumps({**shown.sweep.table, "figure": dict(shown.figure)})


def _replace_axes(table: Table, spans: Mapping[str, str | None], cells: int) -> None:
    """Put other axes in the places of x and y, so that their order stays."""
    given = {side: span for side, span in spans.items() if span is not None}
    if not given:
        return
    old = {side: _side(table, side) for side in ("x", "y")}
    new = {old[side]: _axis(span, cells) for side, span in given.items()}
    listed = [new.get(name, (name, spec)) for name, spec in table["axes"].items()]
    names = {side: new.get(name, (name,))[0] for side, name in old.items()}
    if names["x"] == names["y"]:
        raise UserError(f"--x and --y are both {names['x']}; give two.")
    table["axes"] = dict(listed)
    table["figure"] |= names
    for name, _ in new.values():
        table["model"].pop(name, None)  # no longer fixed


def _axis(given: str, cells: int) -> tuple[str, dict[str, Any]]:
    """The name and the law of an axis on the command line."""
    name, equals, span = given.partition("=")
    parts = span.split(":")
    log = len(parts) == 3 and parts[2] == "log"
    low, high = as_number(parts[0]), as_number(parts[-1 - log])
    if not equals or len(parts) != 2 + log or not low < high:
        raise UserError(
            f"axis {given}: give NAME=LOW:HIGH or NAME=LOW:HIGH:log, numbers with LOW "
            "below HIGH."
        )
    return name, {"logspace" if log else "linspace": [low, high, cells]}


def _side(table: Table, side: str) -> str:
    """The name of the axis that is x or y so far."""
    figure = table["figure"]
    if side in figure:
        return figure[side]
    over = table.get("reduce", {}).get("over", [])
    other = figure.get("y" if side == "x" else "x")
    free = [name for name in table["axes"] if name not in over and name != other]
    return free[-1 if side == "x" else 0]


def _given(items: Sequence[str], whole: bool) -> list[str]:
    """Those that name a key of sweep files itself, or the others, tables first."""
    names = {item: item.partition("=")[0] for item in items}
    listed = [item.partition("=")[0] for item in items]
    for name in listed:
        if listed.count(name) > 1:
            raise UserError(f"--set: {name} is given twice; give it once.")
    found = [item for item in items if (names[item] in sweep_file.KEYS) == whole]
    return sorted(found, key=lambda item: names[item].partition(".")[0] not in NESTED)


def _set(table: Table, item: str) -> None:
    """Change one thing that sweep files say, by its name."""
    name, equals, text = item.partition("=")
    root, _, inner = name.partition(".")
    if not equals or not name:
        raise UserError(
            f"--set {item}: give NAME=VALUE, a parameter or a key of sweep files."
        )
    nested = root in NESTED and bool(inner)
    inside, key = (table.setdefault(root, {}), inner) if nested else (table, name)
    if not text:
        if key not in inside:
            raise UserError(
                f"--set {item}: the file does not say {name}; give a value."
            )
        del inside[key]
    elif name in sweep_file.KEYS:
        table[name] = _value_of(text)
    elif nested:
        if root == "model" and {inner, name} & table["axes"].keys():
            raise UserError(f"--set {item}: {inner} is an axis here; give --x or --y.")
        inside[key] = _value_of(text)
    else:
        put(table, name, _value_of(text), f"--set {item}: ")


def _value_of(text: str) -> Any:
    """A value as TOML has it, or a word."""
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        number = as_number(text)  # as .5, which TOML has not
        return text if number != number else number
    return found["value"] if len(found) == 1 else text


def put(table: Table, name: str, value: Any, where: str) -> None:
    """Fix a parameter of the base models, signal, update, event or recipe.

    Raises `UserError`, beginning with `where`, if there is none, or if it is an axis.
    """
    family, _ = families.read(table.get("model", {"family": "rival"}))
    roots, _ = sweep_objects.roots(table)
    slots = [*sweep_file.model_slots(family).values(), *sweep_file.known_slots(roots)]
    slot = _slot(slots, name, f"{where}parameter")
    for axis in table["axes"]:
        if axis != "seed" and _slot(slots, axis, "axis").path == slot.path:
            raise UserError(f"{where}{axis} is an axis here; give --x or --y.")
    root, path = str(slot.path[0]), list(slot.path[1:])
    if not path:
        table[root] = value
    elif root == "model":
        table["model"][path[0]] = value
    elif root == "until":
        table["until"] = (
            f"{table.get('until', USUAL['until']).partition('=')[0]}={value}"
        )
    elif root == "recipe":
        table["recipe"] = _put(objects.encode_fields(roots["recipe"]), path, value)
    else:
        table[root] = _put(table.get(root, USUAL.get(root)), path, value)


def _slot(slots: list, name: str, what: str) -> parameter_paths.Slot:
    own = [slot for slot in slots if f"model.{slot.name}" == name or slot.name == name]
    return own[0] if own else parameter_paths.resolve(slots, name, what)


def _put(entry: Any, path: list, value: Any) -> Any:
    """`entry`, a name, a table or a list of them, with one value changed."""
    if not path:
        return value
    head, *rest = path
    if isinstance(entry, list):
        if isinstance(head, str):  # the parts of a mixture, or their weights
            number, *inner = rest
            rest = ["weight"] if head == "weights" else inner
        else:
            number = head
        new = _put(entry[number], rest, value)
        return [*entry[:number], new, *entry[number + 1 :]]
    own = {"name": entry} if isinstance(entry, str) else dict(entry)
    return own | {head: _put(own.get(head), rest, value)}


def _resize(table: Table, cells: int, quick: bool) -> None:
    if not FEWEST <= cells <= MOST:
        raise UserError(f"--cells {cells}: give {FEWEST} to {MOST:,}.")
    over = table.get("reduce", {}).get("over", [])
    for name, spec in table["axes"].items():
        if not isinstance(spec, dict):
            if quick:
                table["axes"][name] = spec[:: max(1, len(spec) // 4)]
            continue
        ((kind, numbers),) = spec.items()
        if name not in over and isinstance(numbers, list):
            table["axes"][name] = {kind: [*numbers[:2], cells]}
        elif quick and kind == "count":
            table["axes"][name] = {"count": min(numbers, QUICK_RUNS)}
        elif quick:
            table["axes"][name] = {kind: [*numbers[:2], min(numbers[2], QUICK_RUNS)]}


def _record(table: Table, value: str) -> None:
    """Record what the value needs, if it is not recorded yet."""
    wanted = DERIVED.get(value, value)
    if wanted.endswith("_along"):
        return
    statistic = None
    if observables.find(wanted) is None:
        wanted, _, statistic = value.rpartition("_")
    if "reduce" in table:
        if statistic is None:
            raise UserError(
                f"--value {value}: runs are summarised here; say how, {value}_mean."
            )
        statistics = table["reduce"].setdefault("statistics", list(reduction.DEFAULT))
        if statistic not in statistics:
            statistics.append(statistic)
    trains = "recipe" in table
    watches = trains and "until" in table
    if "reduce" not in table and statistic is not None:
        observables.read([value], trains, watches)
    record = table.setdefault("record", list(observables.usual(trains, watches)))
    if wanted not in record:
        record.append(wanted)

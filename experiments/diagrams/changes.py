"""What the command line changes of a diagram: axes, values, parameters, resolution."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.diagrams import diagram, fixing, places, preset
from experiments.diagrams.diagram import DERIVED, Diagram
from experiments.pictures import looks as pictures_looks
from experiments.sweeps import given_models, observables, reduction, sweep_file
from experiments.text import toml
from experiments.text.errors import UserError, choose_from
from experiments.text.numbers import as_number

FEWEST, MOST = 2, 20_000  # cells along an axis
QUICK, QUICK_RUNS = 24, 20  # cells along an axis, runs of one cell
FILE = "model.file"
OF_MODELS = (given_models.AXIS, f"model.{given_models.AXIS}")
NESTED = ("model", "axes", "along", "reduce", "figure")
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
    return fixing.opened(sweep.table, sweep)


def text_of(shown: Diagram) -> str:
    """The sweep file of a diagram."""
    import tomli_w

    return tomli_w.dumps({**shown.sweep.table, "figure": dict(shown.figure)})


def _replace_axes(table: Table, spans: Mapping[str, str | None], cells: int) -> None:
    """Put other axes in the places of x and y, so that their order stays."""
    given = {side: span for side, span in spans.items() if span is not None}
    if not given:
        return
    old = _sides(table)
    new = {old[side]: _axis(span, cells) for side, span in given.items()}
    listed = [new.get(name, (name, spec)) for name, spec in table["axes"].items()]
    names = {side: new.get(name, (name,))[0] for side, name in old.items()}
    if names["x"] == names["y"]:
        raise UserError(f"--x and --y are both {names['x']}; give two.")
    table["axes"] = dict(listed)
    table["figure"] |= names
    for name, _ in new.values():
        table["model"].pop(name, None)  # no longer fixed


def _sides(table: Table) -> dict[str, str]:
    """The names of the axes that are x and y so far."""
    x, y, _ = _places(table)
    return {"x": x, "y": y}


def _places(table: Table) -> places.Places:
    over = table.get("reduce", {}).get("over", [])
    named = {
        name: isinstance(spec, list) and isinstance(spec[0], str)
        for name, spec in table["axes"].items()
        if name not in over
    }
    return places.of(table["figure"], named)


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


def _given(items: Sequence[str], whole: bool) -> list[str]:
    """Those that name a key of sweep files itself, or the others, tables first."""
    names = {item: item.partition("=")[0] for item in items}
    listed = [item.partition("=")[0] for item in items]
    for name in listed:
        if listed.count(name) > 1:
            raise UserError(f"--set: {name} is given twice; give it once.")
    found = [item for item in items if (names[item] in sweep_file.KEYS) == whole]

    def place(item: str) -> tuple[bool, bool]:
        return names[item] != FILE, names[item].partition(".")[0] not in NESTED

    return sorted(found, key=place)


def _set(table: Table, item: str) -> None:
    """Change one thing that sweep files say, by its name."""
    name, equals, text = item.partition("=")
    root, _, inner = name.partition(".")
    if not equals or not name:
        raise UserError(
            f"--set {item}: give NAME=VALUE, a parameter or a key of sweep files."
        )
    nested = root in NESTED and bool(inner)
    if text:
        _release(table, name)
    inside, key = (table.setdefault(root, {}), inner) if nested else (table, name)
    if not text:
        if key not in inside:
            raise UserError(
                f"--set {item}: the file does not say {name}; give a value."
            )
        del inside[key]
    elif name in sweep_file.KEYS:
        table[name] = _value_of(text)
    elif name == FILE:
        _other_models(table, str(_value_of(text)))
    elif nested:
        if root == "model" and {inner, name} & table["axes"].keys():
            raise UserError(f"--set {item}: {inner} is an axis here; give --x or --y.")
        inside[key] = _value_of(text)
    else:
        fixing.put(table, name, _value_of(text), f"--set {item}: ")


def _release(table: Table, name: str) -> None:
    """Take away an axis that is to be fixed, where there are three: no panels then."""
    over = table.get("reduce", {}).get("over", [])
    free = [axis for axis in table["axes"] if axis not in over]
    for axis in free if len(free) == 3 else ():
        if axis.removeprefix("model.") == name.removeprefix("model."):
            del table["axes"][axis]
            if table.get("figure", {}).get("panels") == axis:
                del table["figure"]["panels"]


def _other_models(table: Table, file: str) -> None:
    """Base models of a CSV file in the place of those, or of the family, that were."""
    old = table["model"]
    kept = {"temperature": old["temperature"]} if "temperature" in old else {}
    table["model"] = given_models.read_file({"file": file} | kept, Path())
    rest = {k: v for k, v in table["axes"].items() if k not in OF_MODELS}
    table["axes"] = {given_models.AXIS: table["model"]["names"]} | rest


def _value_of(text: str) -> Any:
    """A value as TOML has it, or a word."""
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        number = as_number(text)  # as .5, which TOML has not
        return text if number != number else number
    return found["value"] if len(found) == 1 else text


def _resize(table: Table, cells: int, quick: bool) -> None:
    if not FEWEST <= cells <= MOST:
        raise UserError(f"--cells {cells}: give {FEWEST} to {MOST:,}.")
    over = table.get("reduce", {}).get("over", [])
    panels = _places(table).panels
    for name, spec in table["axes"].items():
        if name == panels:
            continue
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

"""Base models of the user's own: one in full, or many as an axis of their own.

In a sweep file, by lists (a row for each base model) or from a CSV file with a row for
each pattern, and `probability` or `logit`:

    [model]
    names = ["base", "after SFT"]              base_model,success_rate,probability
    success_rates = [[.9, .6], [.9, .6]]       base,0.9,0.05
    policy = [[.05, .95], [.2, .8]]            base,0.6,0.95
                                               after SFT,0.9,0.2
    [model]                                    after SFT,0.6,0.8
    file = "models.csv"

Base models of a file may have different numbers of patterns. They are an axis of their
own; base_model = "base" takes one of them. Other columns of a file are attributes.
"""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.sweeps import attributes
from experiments.sweeps.axes import Axis
from experiments.sweeps.base_models import BaseModels
from experiments.sweeps.family import Family, Parameter, check
from experiments.text import base_model, objects, toml
from experiments.text.errors import UserError, choose_from
from experiments.text.numbers import as_number

GIVEN = ("success_rates", "policy", "logits", "answer_kernel")
AXIS = "base_model"
DEPTHS = {"answer_kernel": 3}  # of lists in lists; of others one less
MOST = 10_000  # all of them are written into the store's description
COLUMNS = (AXIS, "success_rate")
WEIGHTS = {"probability": ("policy", 0.0), "logit": ("logits", -np.inf)}


def family(table: Mapping[str, Any]) -> tuple[Family, dict[str, Any]]:
    """The family of base models that are given, and what else the table says.

    Their temperature can be varied. Raises `UserError` for what is no base model.
    """
    import simulator as sim

    given = {
        key: objects.numbers(table[key], key, DEPTHS.get(key, 2))
        for key in GIVEN
        if key in table
    }
    columns = attributes.numbers(table.get(attributes.KEY, {}), 2)
    try:
        problem = sim.Problem(**given, attributes=columns)
    except ValueError as error:
        raise UserError(f"model: {error}") from None
    if len(problem.batch_shape) > 1:
        raise UserError("model: give one base model, or a list of them.")
    if "policy" in given:
        base_model.note_sums("model: policy", given["policy"])
    names = _names(table, problem.batch_shape)
    rates = np.atleast_2d(np.asarray(problem.success_rates, float))
    logits = np.atleast_2d(np.asarray(problem.log_policy, float))
    kernel = problem.answer_kernel
    kernels = None if kernel is None else np.asarray(kernel)
    if kernels is not None and not problem.batch_shape:
        kernels = kernels[None]

    tables = {k: np.atleast_2d(np.asarray(v)) for k, v in problem.attributes.items()}

    def build(v, width, seed):
        row = v[AXIS].astype(int) if names else np.zeros(len(v["temperature"]), int)
        return BaseModels(
            rates[row],
            logits[row] / v["temperature"][:, None],
            None if kernels is None else kernels[row],
            attributes={name: column[row] for name, column in tables.items()},
        )

    parameters = {"temperature": Parameter(1, 1e-3, 1e3, "divides the logits")}
    if names:
        last = len(names) - 1
        parameters[AXIS] = Parameter(0, 0, last, "number of the base model", whole=True)
    rest = {
        k: v for k, v in table.items() if k not in (*GIVEN, "names", attributes.KEY)
    }
    if isinstance(rest.get(AXIS), str):
        rest[AXIS] = _number(rest[AXIS], names, f"model: {AXIS}")
    found = Family("given in full", parameters, build, rates.shape[1], names)
    return replace(found, attributes=tuple(tables), given=True), rest


def by_name(axis: Axis, family: Family) -> Axis:
    """The axis of base models by their numbers, with their names as labels.

    Any other axis as it is.
    """
    if axis.name.removeprefix("model.") != AXIS or not family.names:
        return axis
    names = np.array(family.names, dtype=object)
    if axis.values.dtype == object:
        numbers = []
        for name in axis.values:
            numbers.append(_number(name, family.names, f"axis {axis.name}"))
        axis = replace(axis, values=np.array(numbers, float))
    check(family.parameters[AXIS], f"axis {axis.name}", axis.values)
    return replace(axis, labels=names[axis.values.astype(int)])


def _number(name: str, names: tuple[str, ...], where: str) -> int:
    """The number of a base model by its name. Raises `UserError`."""
    if name not in names:
        allowed = choose_from(name, names) if names else "there is one, without a name"
        raise UserError(f"{where}: {name} is unknown; {allowed}.")
    return names.index(name)


def _names(table: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[str, ...]:
    """The names of several base models: those given, or their numbers."""
    if not shape:
        if "names" in table:
            raise UserError("model: names belong to several base models; give rows.")
        return ()
    (number,) = shape
    if number > MOST:
        raise UserError(
            f"model: {number:,} base models; give at most {MOST:,} one by one, or draw "
            'them (family = "random" and an axis draw).'
        )
    names = table.get("names", [str(i) for i in range(number)])
    text = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not text or len(names) != number or len(set(names)) != number:
        raise UserError(f"model: names; give {number} different texts.")
    return tuple(names)


def read_file(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The table `[model]` with the base models of its `file` as lists.

    Raises `UserError` with the file and the line for what cannot be read.
    """
    rest = dict(table)
    name = rest.pop("file")
    own = (*GIVEN, attributes.KEY, "names", "family")
    twice = [key for key in own if key in rest]
    if twice or not isinstance(name, str):
        raise UserError("model: give file = NAME, and no base models beside it.")
    path = folder / name
    text = toml.read(path, "give a CSV file")
    try:
        return rest | _from_rows(list(csv.reader(io.StringIO(text))))
    except (UserError, csv.Error) as error:
        reason = str(error).rstrip(".")
        raise UserError(f"{path}: {reason}.") from None


def _from_rows(rows: list[list[str]]) -> dict[str, Any]:
    head = [word.strip() for word in rows[0]] if rows else []
    weights = [word for word in WEIGHTS if word in head]
    others = [word for word in head if word not in (*COLUMNS, *WEIGHTS)]
    known = sorted([*COLUMNS, *weights[:1], *set(others)])
    if sorted(head) != known or len(weights) != 1:
        raise UserError(
            f"the first line is {','.join(head) or 'empty'}; give the columns "
            "base_model,success_rate,probability (or logit), and attributes."
        )
    attributes.numbers(dict.fromkeys(others, 0.0), 0)
    place = {word: head.index(word) for word in head}
    models: dict[str, list[tuple[float, ...]]] = {}
    places: dict[str, list[int]] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(head):
            raise UserError(f"line {line}: give {len(head)} values.")
        columns = ("success_rate", *weights, *others)
        words = [row[place[word]].strip() for word in columns]
        rate, weight, *more = map(as_number, words)
        if any(map(math.isnan, (rate, weight, *more))):
            count = {2: "two"}.get(len(words), len(words))
            raise UserError(f"line {line}: {', '.join(words)}; give {count} numbers.")
        name = row[place[AXIS]].strip()
        _check_row(f"line {line}, base model {name}: ", rate, weights[0], weight)
        models.setdefault(name, []).append((rate, weight, *more))
        places.setdefault(name, []).append(line)
    if not models:
        raise UserError("there are no base models; give a line for each pattern.")
    for name, one in models.items():
        first, last = places[name][0], places[name][-1]
        where = f"lines {first} to {last}, base model {name}: "
        _check_model(where, weights[0], [one_row[1] for one_row in one])
    key, absent = WEIGHTS[weights[0]]
    width = max(map(len, models.values()))
    empty = (0.0, absent, *[0.0] * len(others))
    filled = [one + [empty] * (width - len(one)) for one in models.values()]

    def column(place: int) -> list[list[float]]:
        return [[row[place] for row in one] for one in filled]

    found = {"names": list(models), "success_rates": column(0), key: column(1)}
    named = {name: column(i) for i, name in enumerate(others, start=2)}
    return found | ({attributes.KEY: named} if named else {})


def _check_row(where: str, rate: float, kind: str, weight: float) -> None:
    """Raise `UserError` for a success rate, probability or logit out of range."""
    for name, value in (("success_rate", rate), (kind, weight)):
        if name != "logit" and not 0 <= value <= 1:
            raise UserError(f"{where}{name} {value:g}; give 0 to 1.")
    if kind == "logit" and weight == math.inf:
        raise UserError(f"{where}logit inf; give a finite number, or -inf.")


def _check_model(where: str, kind: str, weights: list[float]) -> None:
    """Raise `UserError` for weights that are no policy."""
    from simulator.problem_checks import SUM_TOLERANCE

    total = math.fsum(weights)
    if kind == "probability" and abs(total - 1) > SUM_TOLERANCE:
        raise UserError(
            f"{where}probabilities sum to {total:.8g}; divide them by the sum."
        )
    if kind == "logit" and max(weights) == -math.inf:
        raise UserError(f"{where}all logits are -inf; one must be finite.")

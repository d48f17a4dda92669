"""Sweep files, checked before anything runs.

    record = ["log10_t0", "accuracy"]
    until = "gap=1e-3"

    [model]
    family = "rival"
    bad_rate = 0.2

    [axes]
    best_probability = {logspace = [1e-6, 0.9, 200]}
    gap = {linspace = [0.01, 0.3, 100]}

The flow takes `signal` and `update`; sampled training takes `recipe` instead: the name
of one, of its file, or a table; its `until` is for `first_step`. `[along]` records on
the way too, `[reduce]` summarises axes instead of storing them. `[figure]` is read by
`phase-diagram` only.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from experiments.sweeps import (
    attributes,
    axes,
    families,
    given_models,
    layout,
    observables,
    parameter_paths,
    reduction,
    sweep_objects,
)
from experiments.sweeps.along import Along, read as read_along
from experiments.sweeps.axes import Axis
from experiments.sweeps.family import Family, check
from experiments.sweeps.given_models import AXIS, by_name
from experiments.text import objects, recipes as recipe_files, toml
from experiments.text.errors import UserError, choose_from

KEYS: dict[str, type | tuple[type, ...]] = {
    "title": str,
    "seed": int,
    "signal": (str, dict, list),
    "update": (str, dict),
    "recipe": (str, dict),
    "until": str,
    "record": list,
    "method": str,
    "max_log10_time": (int, float),
    "max_steps": int,
    "tolerance": (int, float),
    "model": dict,
    "axes": dict,
    "along": dict,
    "reduce": dict,
    "figure": dict,
}
NO_NUMBERS = ("title", "figure")  # they decide on none
WORDS = {dict: "a table", list: "a list", str: "a name", int: "a whole number"}
FLOW_ONLY = (
    "signal",
    "update",
    "method",
    "max_log10_time",
    "max_steps",
    "tolerance",
)
MOST_CELLS = 10**11
MAX_LOG10_TIME = 800.0  # of the flow, where the file does not say


@dataclass(frozen=True)
class Sweep:
    """A checked sweep.

    - `table`: the file as it was read; `seed`: for all that is random.
    - `axes`: in the order of the file, reduced ones last.
    - `places`: what each axis sets: a slot of `model`, `seed`, or one of the roots.
    - `roots`: `signal`, `update` and `until`, or `recipe` (and `until`).
    - `rest`: the part of the mixture `signal` whose weight is what others leave; `own`:
      its parts that pay the confidence of the base model.
    """

    table: Mapping[str, Any]
    seed: int
    family: Family
    fixed: Mapping[str, float]
    axes: tuple[Axis, ...]
    places: tuple[parameter_paths.Slot, ...]
    roots: Mapping[str, Any]
    rest: int | None
    own: tuple[int, ...]
    record: tuple[str, ...]
    along: Along | None
    reduce: reduction.Reduction | None

    @property
    def trains(self) -> bool:
        """Sampled training, or the flow."""
        return "recipe" in self.roots

    @property
    def kept(self) -> tuple[Axis, ...]:
        """The axes that are dimensions of the result."""
        over = () if self.reduce is None else self.reduce.over
        return tuple(axis for axis in self.axes if axis.name not in over)

    @property
    def reduced(self) -> tuple[Axis, ...]:
        """The axes that are summarised."""
        return self.axes[len(self.kept) :]

    @property
    def lanes_per_cell(self) -> int:
        """How many runs one cell of the result stands for."""
        return math.prod(len(axis.values) for axis in self.reduced)

    @property
    def num_cells(self) -> int:
        """Cells of the result."""
        return math.prod(len(axis.values) for axis in self.kept)

    def is_static(self, index: int) -> bool:
        """Whether axis `index` needs a program of its own for every value."""
        return self.places[index].kind != "number"

    @property
    def width(self) -> int:
        """The number of patterns that are stored per base model."""
        if self.family.patterns is not None:
            return self.family.patterns
        for axis, slot in zip(self.axes, self.places, strict=True):
            if slot.path == ("model", "patterns"):
                return int(axis.values.max())
        return int(self.fixed["patterns"])

    @property
    def numbers_per_run(self) -> int:
        """How many probabilities a run hands back."""
        return self.width * (1 if self.along is None else len(self.along.values))

    @property
    def max_log10_time(self) -> float:
        """The time limit of the flow."""
        return float(self.table.get("max_log10_time", MAX_LOG10_TIME))

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides on the numbers, as plain data."""
        table = {k: v for k, v in self.table.items() if k not in NO_NUMBERS}
        # A hash does not see the order of a table, and a file of a recipe may change.
        table |= {"seed": self.seed, "order": [axis.name for axis in self.axes]}
        recipes = [self.roots["recipe"]] if self.trains else []
        for axis, slot in zip(self.axes, self.places, strict=True):
            if slot.path == ("recipe",):
                recipes = [recipe_files.load(name) for name in axis.values]
        return table | {"recipes": [recipe_files.dumps(one) for one in recipes]}

    @property
    def digest(self) -> str:
        """A hash of `identity`."""
        text = json.dumps(self.identity, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def load(path: Path, seed: int | None = None) -> Sweep:
    """The sweep of a TOML file. Raises `UserError` with the file and the mistake."""
    text = toml.read(path, "give a TOML file")
    try:
        return read(toml.parse(text), seed, path.parent)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def text(path: Path, sweep: Sweep) -> str:
    """What a store keeps of the file: all of it, and the files that it names."""
    own = toml.read(path, "give a TOML file")
    named = "file" in toml.parse(own).get("model", {})
    return tomli_w.dumps(dict(sweep.table)) if named else own


def read(
    table: dict[str, Any], seed: int | None = None, folder: Path = Path()
) -> Sweep:
    """The sweep of a table; `seed` instead of the file's.

    `folder`: of the files that it names. Raises `UserError` for whatever cannot be run.
    """
    _check_keys(table)
    if "file" in table.get("model", {}):
        # From here on the table holds them: a file may change.
        table = table | {"model": given_models.read_file(table["model"], folder)}
    given_seed = table.get("seed", 0) if seed is None else seed
    if not 0 <= given_seed < 2**63:
        raise UserError(f"seed = {given_seed}; give 0 to 2^63 - 1.")
    family, fixed = families.read(table.get("model", {"family": "rival"}))
    roots, (rest, own) = sweep_objects.roots(table)
    given = list(axes.named(table.get("axes", {}), ("model", *roots)))
    named = {*table.get("model", {}), *(name for name, _ in given)}
    if family.names and not {AXIS, f"model.{AXIS}"} & named:
        given = [(AXIS, list(family.names)), *given]
    if not given:
        raise UserError("[axes] is missing; give at least one, for example gap.")
    listed = [
        by_name(axes.read(name, value, given_seed), family) for name, value in given
    ]
    reduce = reduction.read(table.get("reduce"), [axis.name for axis in listed])
    if reduce is not None:
        listed.sort(key=lambda axis: axis.name in reduce.over)
    places = tuple(_place(axis, family, roots) for axis in listed)
    dims, paths = {axis.dim for axis in listed}, {slot.path for slot in places}
    if len(dims) < len(listed) or len(paths) < len(listed):
        raise UserError("two axes are the same parameter; give it once.")
    fixed_too = [
        slot.path[1]
        for slot in places
        if slot.path[0] == "model" and slot.path[1] in table.get("model", {})
    ]
    if fixed_too:
        raise UserError(
            f"{fixed_too[0]} is an axis, and fixed in [model] too; give it once."
        )
    # A recipe says that training is sampled, also where an axis has others.
    parts = [slot.path[0] for slot in places if len(slot.path) == 1]
    twice = [name for name in parts if name in table and name != "recipe"]
    if twice:
        raise UserError(f"{twice[0]} is an axis, and fixed too; give it once.")
    trains = "recipe" in roots
    watches = trains and "until" in roots
    record = observables.read(table.get("record"), trains, watches)
    along = read_along(table.get("along"), trains)
    sweep = Sweep(
        table=table,
        seed=given_seed,
        family=family,
        fixed=fixed,
        axes=tuple(listed),
        places=places,
        roots=roots,
        rest=rest,
        own=own,
        record=record,
        along=along,
        reduce=reduce,
    )
    limit = math.inf if sweep.trains else sweep.max_log10_time
    if along is not None and along.values[-1] > limit:
        raise UserError(
            f"along: log10_t goes to {along.values[-1]:g}, beyond max_log10_time = "
            f"{limit:g}."
        )
    for index in range(len(sweep.kept), len(listed)):
        if sweep.is_static(index):
            name = listed[index].name
            raise UserError(f"reduce: axis {name} cannot be summarised; leave it out.")
    if reduce is not None:
        for name in reduce.bins:
            if name not in record:
                raise UserError(f"histogram {name}: record it, or leave it out.")
    layout.check_names(sweep)
    attributes.check(family, (*record, *(along.record if along else ())), roots)
    cells = math.prod(len(axis.values) for axis in listed)
    if cells > MOST_CELLS:
        raise UserError(f"{cells:.3g} runs; at most {MOST_CELLS:.0e} in one sweep.")
    return sweep


def _kinds(kinds: Any) -> str:
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    return " or ".join(WORDS.get(kind, "a number") for kind in kinds)


def _check_keys(table: dict[str, Any]) -> None:
    for key, value in table.items():
        if key not in KEYS:
            raise UserError(f"{key!r} is unknown; {choose_from(key, KEYS)}.")
        if not isinstance(value, KEYS[key]) or isinstance(value, bool):
            raise UserError(
                f"{key} = {objects.brief(value)} is of the wrong kind; give "
                f"{_kinds(KEYS[key])}."
            )
    if "recipe" in table:
        for key in FLOW_ONLY:
            if key in table:
                raise UserError(f"{key} belongs to the flow; a recipe has no {key}.")
    for key, low, high in (
        ("max_log10_time", -300, 1e6),
        ("max_steps", 1, 10**9),
        ("tolerance", 1e-15, 1e-2),
    ):
        if key in table and not low <= table[key] <= high:
            raise UserError(f"{key} = {table[key]}; give {low:g} to {high:g}.")
    if table.get("method", "auto") not in ("auto", "exact", "flow"):
        raise UserError(f"method = {table['method']!r}; give auto, exact or flow.")


def _place(axis: Axis, family, roots) -> parameter_paths.Slot:
    """The parameter that an axis sets, after a look at its values."""
    named = axis.values.dtype == object
    parameters = model_slots(family)
    name = axis.name.removeprefix("model.")
    if axis.name == "seed" and "recipe" in roots:
        if named or (axis.values != np.arange(len(axis.values))).any():
            raise UserError("axis seed: give {count = N}.")
        return parameter_paths.Slot("seed", ("seed",), "number", 0)
    if name in parameters:
        slot = parameters[name]
    else:
        slot = parameter_paths.resolve(
            [*parameters.values(), *known_slots(roots)], axis.name
        )
    text = isinstance(slot.value, str) or slot.kind == "part"
    if named != text:
        kind = "names" if text else "numbers"
        raise UserError(f"axis {axis.name}: give {kind}.")
    if name in parameters:
        check(family.parameters[name], f"axis {axis.name}", axis.values)
    return slot


def model_slots(family: Family) -> dict[str, parameter_paths.Slot]:
    """The parameters of a family of base models, by name."""
    return {
        name: parameter_paths.Slot(
            name,
            ("model", name),
            "static" if name in families.STATIC else "number",
            parameter.default,
        )
        for name, parameter in family.parameters.items()
    }


def known_slots(roots) -> list[parameter_paths.Slot]:
    """The roots themselves, and all slots inside them."""
    found = []
    for root, value in roots.items():
        if value is not None:
            found.append(parameter_paths.Slot(root, (root,), "part", value))
            found += parameter_paths.find(value, root, (root,))
    return found

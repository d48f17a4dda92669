"""The arrays of a sweep's store: names, types, dimensions, attributes, coordinates."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.sweeps import axis_texts, observables
from experiments.text.errors import UserError

if TYPE_CHECKING:
    from experiments.sweeps.sweep_file import Sweep

UNITS = "units"  # the group that says which units of work are stored
DONE = f"{UNITS}/done"
RUNS = "runs_"  # before the name of an outcome: how many runs of a cell had it
UNIT = "unit"  # the dimension of `done`


@dataclass(frozen=True)
class Variable:
    """One array: its type, dimensions after those of the cells, and attributes."""

    dtype: str
    extra: tuple[tuple[str, int], ...]
    attributes: Mapping[str, Any]


def advice(sweep: "Sweep", names: Iterable[str]) -> dict[str, str]:
    """The meaning of outcomes of runs of this sweep, and the remedy."""
    import simulator as sim
    from simulator.outcome import IN_STEPS, WITHOUT_UNTIL

    texts = {}
    if sweep.trains:
        texts = IN_STEPS
    elif sweep.roots["until"] is None:
        texts = WITHOUT_UNTIL
    return {name: texts.get(name, sim.outcome_advice(name)) for name in names}


def variables(sweep: "Sweep") -> dict[str, Variable]:
    """The arrays that hold the results of a sweep."""
    return dict(_results(sweep))


def _results(sweep: "Sweep") -> Iterator[tuple[str, Variable]]:
    import simulator as sim

    names = list(sim.OUTCOME_NAMES)
    if sweep.reduce is None:
        yield observables.OUTCOME, Variable("u1", (), _of_outcomes(sweep, names))
        yield from _recorded(sweep)
        return
    advised = advice(sweep, names)
    for name in names:
        texts = {"long_name": f"runs that ended: {name}", "units": "1"}
        texts["advice"] = advised[name]
        yield f"{RUNS}{name}", Variable("i8", (), texts)
    for name, variable in _recorded(sweep):
        for statistic in sweep.reduce.statistics:
            texts = dict(variable.attributes)
            texts["long_name"] += f": {statistic} over {', '.join(sweep.reduce.over)}"
            if statistic == "count":
                texts["units"] = "1"
            yield f"{name}_{statistic}", replace(variable, attributes=texts)
        if name in sweep.reduce.bins:
            bins = ((f"{name}_bin", sweep.reduce.bins[name][2]),)
            texts = {"long_name": f"runs per bin of {name}", "units": "1"}
            yield f"{name}_histogram", Variable("i8", bins, texts)


def _of_outcomes(sweep: "Sweep", names: list[str]) -> dict[str, Any]:
    """Codes by the conventions of CF, which xarray and others read."""
    advised = advice(sweep, names).items()
    return {
        "long_name": "why the run ended",
        "flag_values": list(range(len(names))),
        "flag_meanings": " ".join(names),
        "advice": "\n".join(f"{name}: {text}" for name, text in advised),
    }


def _recorded(sweep: "Sweep") -> Iterator[tuple[str, Variable]]:
    """The name and the array of each observable: at the end, then on the way."""
    for name in sweep.record:
        yield name, Variable("f8", (), _texts(name))
    if sweep.along is None:
        return
    times = ((sweep.along.dim, len(sweep.along.values)),)
    for name, stored in zip(sweep.along.record, sweep.along.names, strict=True):
        texts = _texts(name)
        texts["long_name"] = texts["long_name"].replace("at the end", "on the way")
        yield stored, Variable("f8", times, texts)


def _texts(name: str) -> dict[str, Any]:
    known = observables.find(name)
    assert known is not None
    texts = {"long_name": known.text, "units": known.units}
    if observables.event_times([name]):
        texts["comment"] = "-inf: from the start; inf: not before the run ended"
    return texts


def coordinates(sweep: "Sweep") -> dict[str, np.ndarray]:
    """Every dimension's values: those of the axes, times, middles of bins."""
    return dict(_dimensions(sweep))


def _dimensions(sweep: "Sweep") -> Iterator[tuple[str, np.ndarray]]:
    for axis in sweep.kept:
        yield axis.dim, axis.shown
    if sweep.along is not None:
        yield sweep.along.dim, sweep.along.values
    if sweep.reduce is not None:
        for name, (low, high, count) in sweep.reduce.bins.items():
            edges = np.linspace(low, high, count + 1)
            yield f"{name}_bin", (edges[1:] + edges[:-1]) / 2


def coordinate_texts(sweep: "Sweep") -> dict[str, dict[str, Any]]:
    """The attributes of the coordinates."""
    texts = {axis.dim: axis_texts.of_axis(sweep, axis) for axis in sweep.kept}
    if sweep.along is not None:
        long_name = "step" if sweep.trains else "log10 of the flow time t"
        texts[sweep.along.dim] = {"long_name": long_name, "units": "1"}
    return texts


def check_names(sweep: "Sweep") -> None:
    """Raise `UserError` if two things in the store would have the same name.

    Dimensions, arrays and the group of units share one space of names.
    """
    dims = [name for name, _ in _dimensions(sweep)]
    names = [*dims, *(name for name, _ in _results(sweep)), UNITS]
    for name in names:
        if names.count(name) > 1:
            advice = _way_out(sweep, name)
            raise UserError(f"the store would have two things called {name}; {advice}.")


def _way_out(sweep: "Sweep", name: str) -> str:
    for axis, slot in zip(sweep.axes, sweep.places, strict=True):
        full = f"model.{slot.name}" if slot.path[0] == "model" else slot.name
        if axis.dim == name and axis.name != full:
            return f'give the axis its full name, "{full}"'
    return "leave one of them out"

"""From the values of some cells to the problem and the objects that solve it."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from experiments.sweeps import parameter_paths
from experiments.sweeps.base_models import BaseModels
from experiments.sweeps.sweep_file import Sweep
from experiments.text import events, objects, recipes, step_events
from experiments.text.errors import UserError


class Runs(NamedTuple):
    """Runs that are solved together: base models, the problem, and what solves it."""

    base: BaseModels
    problem: Any
    roots: dict[str, Any]


def parameters(
    sweep: Sweep, values: Mapping[str, Any], number: int
) -> dict[str, np.ndarray]:
    """The parameters of the family, `[number]` each: those of axes, and fixed ones."""
    known = dict(sweep.fixed)
    for axis, slot in zip(sweep.axes, sweep.places, strict=True):
        if slot.path[0] == "model" and axis.name in values:
            known[str(slot.path[1])] = values[axis.name]
    return {
        name: np.broadcast_to(np.asarray(value, float), (number,))
        for name, value in known.items()
    }


def assemble(sweep: Sweep, values: Mapping[str, Any], number: int) -> Runs:
    """`values`: per axis `[number]`, or one for all.

    Raises `UserError` or `ValueError` for what does not fit together.
    """
    import simulator as sim

    roots = dict(sweep.roots)
    for axis, slot in zip(sweep.axes, sweep.places, strict=True):
        root, *path = slot.path
        if root in roots:
            given = values[axis.name]
            roots[root] = _put(sweep, root, roots[root], tuple(path), given)
    columns = parameters(sweep, values, number)
    base = sweep.family.build(columns, sweep.width, sweep.seed)
    kernel = base.kernel
    if kernel is None and not sweep.family.given and _looks_at_answers(roots):
        kernel = np.asarray(sim.two_answer_kernel(base.success_rates))
    problem = sim.Problem(
        base.success_rates,
        logits=base.log_policy,
        answer_kernel=kernel,
        attributes=base.attributes,
    )
    if not sweep.trains:
        roots["signal"] = _signal(sweep, roots["signal"], base)
    return Runs(base, problem, roots)


def _looks_at_answers(roots: Mapping[str, Any]) -> bool:
    """Whether the signal or the feedback, or a part of it, needs an answer kernel."""
    pays = roots["recipe"].feedback if "recipe" in roots else roots["signal"]
    parts = getattr(pays, "signals", getattr(pays, "parts", (pays,)))
    return any(part.needs_kernel for part in parts)


def _put(
    sweep: Sweep, root: str, old: Any, path: parameter_paths.Path, value: Any
) -> Any:
    import simulator as sim

    if path:
        return parameter_paths.put(old, path, value)
    if root == "until":
        read = step_events.read if sweep.trains else events.read
        return read(value, "axis until")
    if root == "recipe":
        return recipes.load(value)
    bases = {"signal": sim.AbstractSignal, "update": sim.AbstractUpdate}
    return objects.named(bases[root], value, root)


def _signal(sweep: Sweep, signal: Any, base: BaseModels) -> Any:
    """The signal with what the base model brings, and weights that add up to 1."""
    import simulator as sim

    if sweep.own:
        if base.confidence is None:
            raise UserError(
                "signal fixed-confidence needs numbers, or a family with confidences: "
                "rival, confident."
            )
        paid = sim.FixedConfidence(base.confidence)
        if not hasattr(signal, "weights"):
            return paid
        parts = enumerate(signal.signals)
        signal = dataclasses.replace(
            signal, signals=[paid if i in sweep.own else part for i, part in parts]
        )
    if sweep.rest is None:
        return signal
    weights = np.array(signal.weights)
    others = np.delete(weights, sweep.rest, axis=-1).sum(axis=-1)
    weights[..., sweep.rest] = 1 - others
    return dataclasses.replace(signal, weights=weights)


def first_lane(module: Any) -> Any:
    """The object of the first lane."""
    from simulator.engines.lanes import lane_axes, per_lane

    return per_lane(lambda x: x[0], module, lane_axes(module))

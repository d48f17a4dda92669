"""The phase diagram around a state: two of its numbers along axes, else as it is."""

import base64
import math
from typing import Any

import numpy as np

import simulator as sim
from experiments.explorer.arrays import padded
from experiments.explorer.map_lines import lines, no_wait
from experiments.explorer.places import MAPS, models, own_place
from experiments.explorer.state import State
from experiments.text.errors import UserError
from experiments.text.objects import brief

SIDES = (40, 100)
LOG10 = math.log(10)


def values(state: State, side: int) -> dict[str, np.ndarray]:
    """`x` `[side]`, `y` `[side]` and `z` `[side, side]`, rows along y.

    Of times -inf is "from the start", inf "never"; nan: no base model is there, or the
    run failed. Raises `UserError`.
    """
    if side not in SIDES:
        raise UserError(f"side {brief(side)}: give {SIDES[0]} or {SIDES[1]}.")
    kind = MAPS[state.map]
    x, y = kind.x(state).values(side), kind.y(state).values(side)
    found = models(state, x, y[:, None])
    question = sim.Problem(
        padded(found.success_rates, 0.0), logits=padded(found.log_policy, -np.inf)
    )
    signal = sim.FixedConfidence(padded(found.rewards, 0.0))
    if kind.time is None and sum(state.errors) > 1:
        # Paid to be wrong, accuracy only falls: its T0 is the start, or never.
        z = np.where(no_wait(found) >= 0, -np.inf, np.inf)
        return {"x": x, "y": y, "z": np.where(found.known, z, np.nan)}
    if kind.time is None:
        solution = sim.solve(question, signal, until=sim.T0(), max_log_time=800 * LOG10)
        reached = np.asarray(solution.outcome == sim.Outcome.reached)
        z = np.where(reached, np.asarray(solution.log_time) / LOG10, np.inf)
    else:
        solution = sim.solve(question, signal, max_log_time=math.log(kind.time))
        z = np.asarray(solution.accuracy)
    known = found.known & ~np.asarray(solution.failed)
    return {"x": x, "y": y, "z": np.where(known, z, np.nan)}


def diagram(state: State, side: int) -> dict[str, Any]:
    """The map as the page draws it: `z` in 32-bit floats, row by row, in base 64.

    - `lines`: of theory, each a label and a polyline in the numbers of the axes.
    - `here`: the place of the state itself, or None if that is beyond the axes.
    """
    kind = MAPS[state.map]
    found = values(state, side)
    z = np.asarray(found["z"], "<f4")
    return {
        "x": found["x"].tolist(),
        "y": found["y"].tolist(),
        "z": base64.b64encode(z.tobytes()).decode(),
        "axes": {
            name: {"label": axis.label, "log": axis.log}
            for name, axis in (("x", kind.x(state)), ("y", kind.y(state)))
        },
        "label": kind.label,
        "lines": lines(state),
        "here": own_place(state),
    }


def cell(state: State, side: int, i: int, j: int) -> State:
    """The state at column i and row j of its map. Raises `UserError`.

    Its numbers are those of the map: of the map's run, in the time of the policy
    gradient.
    """
    if side not in SIDES or not (0 <= i < side and 0 <= j < side):
        given = f"{brief(i)}, {brief(j)} of {brief(side)}"
        raise UserError(f"cell {given}: there is none.")
    kind = MAPS[state.map]
    x, y = kind.x(state).values(side)[i], kind.y(state).values(side)[j]
    if not models(state, x, y).known:
        raise UserError(f"cell {i}, {j}: no base model is there.")
    fields = {
        name: tuple(np.asarray(value).tolist()) if np.ndim(value) else float(value)
        for name, value in kind.at(state, x, y).items()
    }
    return state.changed(run=kind.run, clock="policy-gradient", **fields)

"""The phase diagram around a state: two of its numbers along axes, else as it is."""

import base64
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

import simulator as sim
from experiments.explorer.arrays import after_sft, padded, ranked
from experiments.explorer.state import State
from experiments.text.errors import UserError

SIDES = (40, 100)
LOG10 = math.log(10)
Place = dict[str, Any]


class Axis(NamedTuple):
    """`low` to `high`, by their logarithms if `log`; `label` says what is along it."""

    label: str
    low: float
    high: float
    log: bool

    def values(self, side: int) -> Float[np.ndarray, " n"]:
        """The centres of `side` cells."""
        if self.log:
            return np.geomspace(self.low, self.high, side)
        return np.linspace(self.low, self.high, side)


class Map(NamedTuple):
    """Two axes, the numbers of a state at a place, and what is shown there.

    `at(state, x, y)`: fields of the state that are other there; x, y may be arrays, and
    columns of patterns are last. `value`: `log10_t0`, or `accuracy` after `time`.
    """

    x: Callable[[State], Axis]
    y: Callable[[State], Axis]
    at: Callable[[State, Any, Any], Place]
    run: str
    value: str
    label: str
    time: float | None = None


def _scaled(state: State, given: dict[int, Any]) -> np.ndarray:
    """Logits `[..., K]` with some probabilities given, the others in proportion."""
    log_policy = np.asarray(state.log_policy)
    others = [k for k in range(state.num_patterns) if k not in given]
    left = 1 - sum(given.values())
    share = np.exp(log_policy[others])
    columns: list[Any] = [None] * state.num_patterns
    with np.errstate(invalid="ignore", divide="ignore"):
        for k, value in given.items():
            columns[k] = np.log(value)
        for k, part in zip(others, share / share.sum(), strict=True):
            columns[k] = np.log(left * part)
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def _replaced(values: Any, place: int, new: Any) -> np.ndarray:
    """A row per pattern with one column given, `[..., K]`."""
    columns = [new if k == place else x for k, x in enumerate(values)]
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def _best_share(state: State) -> Axis:
    return Axis("base probability of the best pattern", 1e-6, 0.95, True)


def _gap(state: State) -> Axis:
    best, rival, _ = ranked(state)
    room = 1 - state.success_rates[best if rival is None else rival]
    return Axis(
        "gap between the best and the rival's rate", 0.01, max(room, 0.02), True
    )


def _at_quality(state: State, x: Any, y: Any) -> Place:
    best, rival, _ = ranked(state)
    assert rival is not None  # see `_check`
    rates = state.success_rates
    top = rates[rival] + y
    return {
        "success_rates": _replaced(rates, best, top),
        "logits": _scaled(state, {best: x}),
    }


def _at_bad_mass(state: State, x: Any, y: Any) -> Place:
    best, _, worst = ranked(state)
    return {"logits": _scaled(state, {best: x, worst: y})}


def _at_mixture(state: State, x: Any, y: Any) -> Place:
    _, rival, _ = ranked(state)
    assert rival is not None  # see `_check`
    return {"weight": x, "confidences": _replaced(state.confidences, rival, y)}


def _at_noise(state: State, x: Any, y: Any) -> Place:
    return {"errors": np.stack(np.broadcast_arrays(x, y), axis=-1)}


def _at_dose(state: State, x: Any, y: Any) -> Place:
    best, _, _ = ranked(state)
    return {"dose": x, "logits": _scaled(state, {best: y})}


def _line(label: str, low: float, high: float) -> Callable[[State], Axis]:
    return lambda state: Axis(label, low, high, False)


T0 = "log10 T0, time until accuracy passes the rival's rate"
MAPS = {
    "quality": Map(_best_share, _gap, _at_quality, "rlvr", "log10_t0", T0),
    "bad-mass": Map(
        _best_share,
        lambda state: Axis("base probability of the worst pattern", 1e-6, 0.9, True),
        _at_bad_mass,
        "rlvr",
        "log10_t0",
        T0,
    ),
    "mixture": Map(
        _line("weight of confidence", 0, 1),
        _line("the rival's confidence", 0, 1),
        _at_mixture,
        "mixture",
        "accuracy",
        "accuracy at t = 10,000",
        1e4,
    ),
    "noise": Map(
        _line("wrong answers paid", 0, 1),
        _line("right answers not paid", 0, 1),
        _at_noise,
        "rlvr",
        "accuracy",
        "accuracy at t = 10,000",
        1e4,
    ),
    "dose": Map(
        lambda state: Axis("SFT dose on the best pattern", 0.03, 30, True),
        _best_share,
        _at_dose,
        "rlvr",
        "log10_t0",
        T0,
    ),
}


def values(state: State, side: int) -> dict[str, np.ndarray]:
    """`x` `[side]`, `y` `[side]` and `z` `[side, side]`, rows along y.

    Of times -inf is "from the start", inf "never"; nan: no base model is there.
    """
    if side not in SIDES:
        raise UserError(f"side {side!r}: give {SIDES[0]} or {SIDES[1]}.")
    kind = MAPS[state.map]
    _check(state)
    x, y = kind.x(state).values(side), kind.y(state).values(side)
    X, Y = np.meshgrid(x, y)
    place = kind.at(state, X, Y)
    rates = np.asarray(place.get("success_rates", state.success_rates), float)
    logits = np.asarray(place.get("logits", state.log_policy), float)
    known = np.isfinite(logits).any(axis=-1) & ~np.isnan(logits).any(axis=-1)
    known = known & (rates <= 1).all(axis=-1) & np.ones_like(X, bool)
    rates, logits = (
        np.broadcast_to(a, (*X.shape, a.shape[-1])) for a in (rates, logits)
    )
    logits = padded(np.where(known[..., None], logits, 0.0), -np.inf)
    best = ranked(state).best
    if state.map == "dose":
        # Doses are along x, so the lanes are those of one column.
        logits = after_sft(logits[:, 0], best, x)
    elif state.dose:
        logits = after_sft(logits, best, [state.dose])[..., 0, :]
    question = sim.Problem(padded(rates, 0.0), logits=logits)
    pays = padded(_rewards(state, place, kind.run, rates), 0.0)
    signal = sim.FixedConfidence(np.broadcast_to(pays, (*X.shape, pays.shape[-1])))
    if kind.time is None:
        found = sim.solve(question, signal, until=sim.T0(), max_log_time=800 * LOG10)
        reached = np.asarray(found.outcome == sim.Outcome.reached)
        z = np.where(reached, np.asarray(found.log_time) / LOG10, np.inf)
    else:
        found = sim.solve(question, signal, max_log_time=math.log(kind.time))
        z = np.asarray(found.accuracy)
    return {"x": x, "y": y, "z": np.where(known, z, np.nan)}


def _check(state: State) -> None:
    who = ranked(state)
    if who.rival is None:
        raise UserError("all rates are equal: nothing moves, and there is no map.")
    if state.map == "bad-mass" and who.worst == who.rival:
        raise UserError("bad-mass needs three patterns: best, rival and worst.")


def _rewards(state: State, place: Place, run: str, rates: np.ndarray) -> np.ndarray:
    """What the run pays at each place, `[..., K]`."""
    if run == "mixture":
        w = np.asarray(place.get("weight", state.weight))[..., None]
        sure = np.asarray(place.get("confidences", state.confidences))
        return (1 - w) * rates + w * sure
    errors = np.asarray(place.get("errors", state.errors))
    positive, negative = errors[..., :1], errors[..., 1:]
    return positive + (1 - positive - negative) * rates


def diagram(state: State, side: int) -> dict[str, Any]:
    """The map as the page draws it: `z` in 32-bit floats, row by row, in base 64."""
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
    }


def cell(state: State, side: int, i: int, j: int) -> State:
    """The state at column i and row j of its map. Raises `UserError`."""
    if side not in SIDES or not (0 <= i < side and 0 <= j < side):
        raise UserError(f"cell {i}, {j} of {side}: there is none.")
    _check(state)
    kind = MAPS[state.map]
    x, y = kind.x(state).values(side)[i], kind.y(state).values(side)[j]
    place = kind.at(state, x, y)
    fields = {
        name: tuple(np.asarray(value).tolist()) if np.ndim(value) else float(value)
        for name, value in place.items()
    }
    return state.changed(run=kind.run, **fields)

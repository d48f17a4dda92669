"""What is along the axes of the map, and the base model at each of its places."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from experiments.explorer.arrays import ranked
from experiments.explorer.sft import after_sft
from experiments.explorer.state import State
from experiments.text.errors import UserError

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
    columns of patterns are last. `own`: where the state itself is. `value`: `log10_t0`,
    or `accuracy` after `time`, which is that of the policy gradient.
    """

    x: Callable[[State], Axis]
    y: Callable[[State], Axis]
    at: Callable[[State, Any, Any], Place]
    own: Callable[[State], tuple[float, float]]
    run: str
    value: str
    label: str
    time: float | None = None


def _scaled(state: State, given: list[tuple[tuple[int, ...], Any]]) -> np.ndarray:
    """Logits `[..., K]`: groups of patterns get a probability, the others the rest.

    Inside a group, and among the others, all stay in proportion.
    """
    log_policy = np.asarray(state.log_policy)
    known = {k for group, _ in given for k in group}
    others = tuple(k for k in range(state.num_patterns) if k not in known)
    groups = [*given, (others, 1 - sum(value for _, value in given))]
    columns: list[Any] = [None] * state.num_patterns
    with np.errstate(invalid="ignore", divide="ignore"):
        for group, value in groups:
            inside = log_policy[list(group)]
            total = np.logaddexp.reduce(inside)
            for k, part in zip(group, inside - total, strict=True):
                columns[k] = np.log(value) + part
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def _replaced(values: Any, places: tuple[int, ...], new: Any) -> np.ndarray:
    """A row per pattern with some columns given, `[..., K]`."""
    columns = [new if k in places else x for k, x in enumerate(values)]
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def bests(state: State) -> tuple[int, ...]:
    """The best pattern, and those of the same rate that are drawn too."""
    rates = state.success_rates
    top = rates[ranked(state).best]
    drawn = [k for k, x in enumerate(state.logits) if x > -np.inf]
    return tuple(k for k in drawn if rates[k] == top)


def rival(state: State) -> int:
    """The rival. Raises `UserError` where all rates are equal."""
    found = ranked(state).rival
    if found is None:
        raise UserError("all rates are equal: nothing moves, and there is no map.")
    return found


def _worst(state: State) -> int:
    worst = ranked(state).worst
    if worst == rival(state):
        raise UserError("bad-mass needs three patterns: best, rival and worst.")
    return worst


def _mass(state: State, patterns: tuple[int, ...]) -> float:
    return float(np.exp(np.logaddexp.reduce([state.log_policy[k] for k in patterns])))


def _best_share(state: State) -> Axis:
    several = len(bests(state)) > 1
    which = "patterns" if several else "pattern"
    return Axis(f"base probability of the best {which}", 1e-6, 0.95, True)


def _gap_of(state: State) -> float:
    return state.success_rates[bests(state)[0]] - state.success_rates[rival(state)]


def _gap(state: State) -> Axis:
    room = 1 - state.success_rates[rival(state)]
    label = "gap between the best and the rival's rate"
    return Axis(label, 0.01, max(room, 0.02), True)


def _at_quality(state: State, x: Any, y: Any) -> Place:
    rates, best = state.success_rates, bests(state)
    top = rates[rival(state)] + y
    top = np.where(top < 1 + 1e-12, np.minimum(top, 1), top)
    return {
        "success_rates": _replaced(rates, best, top),
        "logits": _scaled(state, [(best, x)]),
    }


def _at_bad_mass(state: State, x: Any, y: Any) -> Place:
    return {"logits": _scaled(state, [(bests(state), x), ((_worst(state),), y)])}


def _at_mixture(state: State, x: Any, y: Any) -> Place:
    confidences = _replaced(state.confidences, (rival(state),), y)
    return {"weight": x, "confidences": confidences}


def _at_noise(state: State, x: Any, y: Any) -> Place:
    return {"errors": np.stack(np.broadcast_arrays(x, y), axis=-1)}


def _at_dose(state: State, x: Any, y: Any) -> Place:
    return {"dose": x, "logits": _scaled(state, [(bests(state), y)])}


def _line(label: str, low: float, high: float) -> Callable[[State], Axis]:
    return lambda state: Axis(label, low, high, False)


T0 = "log10 T0, time until accuracy passes the rival's rate"
MAPS = {
    "quality": Map(
        _best_share,
        _gap,
        _at_quality,
        lambda state: (_mass(state, bests(state)), _gap_of(state)),
        "rlvr",
        "log10_t0",
        T0,
    ),
    "bad-mass": Map(
        _best_share,
        lambda state: Axis("base probability of the worst pattern", 1e-6, 0.9, True),
        _at_bad_mass,
        lambda state: (_mass(state, bests(state)), _mass(state, (_worst(state),))),
        "rlvr",
        "log10_t0",
        T0,
    ),
    "mixture": Map(
        _line("weight of confidence", 0, 1),
        _line("the rival's confidence", 0, 1),
        _at_mixture,
        lambda state: (state.weight, state.confidences[rival(state)]),
        "mixture",
        "accuracy",
        "accuracy at t = 10,000",
        1e4,
    ),
    "noise": Map(
        _line("wrong answers paid", 0, 1),
        _line("right answers not paid", 0, 1),
        _at_noise,
        lambda state: (state.errors[0], state.errors[1]),
        "rlvr",
        "accuracy",
        "accuracy at t = 10,000",
        1e4,
    ),
    "dose": Map(
        lambda state: Axis("SFT dose on the best pattern", 0.03, 30, True),
        _best_share,
        _at_dose,
        lambda state: (state.dose, _mass(state, bests(state))),
        "rlvr",
        "log10_t0",
        T0,
    ),
}


class Models(NamedTuple):
    """Base models at places of the map, `[..., K]` each; `known` `[...]`: there is one.

    `log_policy`: normalised, after SFT. `rewards`: what the run of the map pays.
    """

    success_rates: Float[np.ndarray, "*B K"]
    log_policy: Float[np.ndarray, "*B K"]
    rewards: Float[np.ndarray, "*B K"]
    known: Bool[np.ndarray, "*B"]


def models(state: State, x: Any, y: Any) -> Models:
    """The base models at x and y, arrays that broadcast. Raises `UserError`.

    Where probabilities would sum to more than 1, or a rate exceed it, none is known,
    and the state's own stands in.
    """
    kind = MAPS[state.map]
    place = kind.at(state, x, y)
    shape = np.broadcast_shapes(np.shape(x), np.shape(y))
    rates = np.asarray(place.get("success_rates", state.success_rates), float)
    logits = np.asarray(place.get("logits", state.log_policy), float)
    known = ~np.isnan(logits).any(axis=-1) & (rates <= 1).all(axis=-1)
    logits = np.where(known[..., None], logits, state.log_policy)
    dose = np.asarray(place.get("dose", state.dose), float)
    logits = after_sft(logits, ranked(state).best, dose)
    rewards = _rewards(state, place, kind.run, rates)
    columns = (*shape, state.num_patterns)
    return Models(
        np.broadcast_to(rates, columns),
        np.broadcast_to(logits, columns),
        np.broadcast_to(rewards, columns),
        np.broadcast_to(known, shape),
    )


def _rewards(state: State, place: Place, run: str, rates: np.ndarray) -> np.ndarray:
    """What the run pays at each place, `[..., K]`."""
    if run == "mixture":
        w = np.asarray(place.get("weight", state.weight))[..., None]
        sure = np.asarray(place.get("confidences", state.confidences))
        return (1 - w) * rates + w * sure
    errors = np.asarray(place.get("errors", state.errors))
    positive, negative = errors[..., :1], errors[..., 1:]
    return positive + (1 - positive - negative) * rates


def own_place(state: State) -> tuple[float, float] | None:
    """Where the state itself is on its map; None if it is beyond the axes."""
    kind = MAPS[state.map]
    inside = [
        axis.low <= value <= axis.high
        for axis, value in zip(
            (kind.x(state), kind.y(state)), kind.own(state), strict=True
        )
    ]
    return kind.own(state) if all(inside) else None

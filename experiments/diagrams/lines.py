"""Lines of theory on a diagram: levels of functions of the base models alone.

Nothing here runs the simulator, but `warm-start` base models are trained by it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import theory
from experiments.sweeps.base_models import BaseModels
from experiments.sweeps.families import FAMILIES

Field = np.ndarray  # [n]
Function = Callable[[BaseModels, dict[str, np.ndarray]], Field]


@dataclass(frozen=True)
class Line:
    """Drawn where `function` is 0, or at every whole number with `decades`.

    `most`: cells along an axis at which it is computed (some are slow). `needs`: axes
    or parameters besides those of the base models; `goal` is the accuracy at which runs
    end. Along any other axis the line would be false, and is left out.
    """

    label: str
    function: Function
    needs: tuple[str, ...] = ()
    decades: bool = False
    most: int = 400


def _best_and_rival(base: BaseModels) -> tuple[np.ndarray, np.ndarray]:
    """The two highest rates of the support."""
    rates = np.where(base.log_policy > -np.inf, base.success_rates, -1.0)
    ordered = np.sort(rates, axis=-1)
    return ordered[..., -1], ordered[..., -2]


def _regime(base, values):
    rival = theory.entanglement.rival(base.success_rates, base.log_policy)[:, None]
    excess = theory.support.accuracy_excess(base.success_rates, base.log_policy)
    return np.take_along_axis(excess, rival, axis=-1)[:, 0]


def _lower_bound(base, values):
    bounds = theory.entanglement.transition_bounds(
        base.success_rates, base.log_policy, "t0"
    )
    return np.log10(bounds.lower)


def _hard_side(base, values):
    """log of `pi_0(k) delta_k / (pi_0(*) Delta)` of a bad pattern (the last one)."""
    best, rival = _best_and_rival(base)
    bad = values["patterns"].astype(int)[:, None] - 1
    log_bad = np.take_along_axis(base.log_policy, bad, axis=-1)[:, 0]
    rate = np.take_along_axis(base.success_rates, bad, axis=-1)[:, 0]
    return log_bad + np.log((rival - rate) / (best - rival)) - base.log_policy[:, 0]


def _first_move(base, values):
    """Signs, so that their mean is 0 where as many draws rise as fall."""
    slope = theory.degradation_law.initial_slope(
        base.success_rates, base.confidence, base.log_policy
    )
    return np.sign(slope)


def _final_change(base, values):
    final = theory.degradation.limit_accuracy(
        base.success_rates, base.confidence, base.log_policy
    )
    return final - np.sum(np.exp(base.log_policy) * base.success_rates, axis=-1)


def _same_pay(base, values):
    weight = values["fixed-confidence.weight"][:, None]
    paid = (1 - weight) * base.success_rates + weight * base.confidence
    return paid[:, 0] - paid[:, 1]


def _no_information(base, values):
    return 1 - values["false_positive"] - values["false_negative"]


def _step_size(base, values):
    best, rival = _best_and_rival(base)
    limit = theory.collapse.collapse_step_size(best - rival, values["group_size"])
    return np.log(values["learning_rate"] / limit)


def _data_regime(base, values):
    rates = base.success_rates
    shown = values["quality"]
    return shown * rates[:, 0] + (1 - shown) * rates[:, 1] - values["goal"]


def _time_to(goal: np.ndarray, success_rates, log_policy) -> np.ndarray:
    """Time until the accuracy reaches `goal`, by the closed form; 0 from the start."""
    path = theory.intrinsic_time.intrinsic_path(success_rates, log_policy)
    ahead = success_rates - goal[:, None]
    reached = np.sum(np.exp(log_policy) * ahead, axis=-1) >= 0
    place = theory.intrinsic_time.find_event(
        path, lambda lp: np.sum(np.exp(lp) * ahead, axis=-1)
    )
    return np.where(reached, 0.0, theory.clock.time_of(path, place).time)


def _without_sft(base, values):
    goal = np.broadcast_to(values["goal"], base.success_rates[:, 0].shape)
    plain = FAMILIES["rival"].build(values, 3, 0)
    with_sft = _time_to(goal, base.success_rates, base.log_policy)
    without = _time_to(goal, plain.success_rates, plain.log_policy)
    return np.log(with_sft + values["length"]) - np.log(without)


_OWN = ("fixed-confidence.weight",)
_ERRORS = ("false_positive", "false_negative")
_STEPS = ("learning_rate", "group_size")
_SFT = ("quality", "length", "goal")
LINES: dict[str, Line] = {
    "regime": Line(r"$ACC_0 = s_{r'}$: $T_0 = 0$ beyond", _regime),
    "lower_bound": Line(
        r"theory: $\log_{10}(L + I)$", _lower_bound, decades=True, most=40
    ),
    "hard_side": Line(
        r"$\pi_0(k)\,\delta_k = \pi_0(*)\,\Delta$", _hard_side, ("patterns",)
    ),
    "first_move": Line("as many rise as fall at first", _first_move),
    "final_change": Line("no change on average in the end", _final_change),
    "same_pay": Line(
        "paid the same; beyond, the rival wins in the end", _same_pay, _OWN
    ),
    "no_information": Line(
        r"$f_+ + f_- = 1$: no information", _no_information, _ERRORS
    ),
    "step_size": Line(r"$\eta = 4\,\mathrm{gap}\,G$ (formal)", _step_size, _STEPS),
    "without_sft": Line("as fast without SFT", _without_sft, _SFT, most=60),
    "data_regime": Line("the demonstrations alone reach the goal", _data_regime, _SFT),
}

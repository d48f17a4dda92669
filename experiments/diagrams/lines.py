"""Lines of theory on a diagram: levels of functions of the base models alone.

Nothing here runs the simulator, but `warm-start` base models are trained by it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from experiments.diagrams import assumptions
from experiments.diagrams.assumptions import Assumption
from experiments.sweeps.base_models import BaseModels
from experiments.sweeps.families import FAMILIES

Field = np.ndarray  # [n]
Function = Callable[[BaseModels, dict[str, np.ndarray]], Field]


@dataclass(frozen=True)
class Line:
    """Drawn where `function` is 0, or at every whole number with `decades`.

    - `text`: the line in a sentence; `label`: in the legend.
    - `needs`: axes or parameters besides those of the base models; `goal` is the
      accuracy at which runs end. Along any other axis the line would be false.
    - `assumes`: what else has to be so, or the line is left out.
    - `about`: the observables with which it is drawn where no lines are asked for.
    - `most`: cells along an axis at which it is computed (some are slow).
    """

    text: str
    label: str
    function: Function
    needs: tuple[str, ...] = ()
    assumes: tuple[Assumption, ...] = ()
    about: tuple[str, ...] = ()
    decades: bool = False
    most: int = 400


def _best_and_rival(base: BaseModels) -> tuple[np.ndarray, np.ndarray]:
    """The two highest rates of the support."""
    rates = np.where(base.log_policy > -np.inf, base.success_rates, -1.0)
    ordered = np.sort(rates, axis=-1)
    return ordered[..., -1], ordered[..., -2]


def _regime(base, values):
    import theory

    rival = theory.entanglement.rival(base.success_rates, base.log_policy)[:, None]
    excess = theory.support.accuracy_excess(base.success_rates, base.log_policy)
    return np.take_along_axis(excess, rival, axis=-1)[:, 0]


def _lower_bound(base, values):
    import theory

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
    import theory

    slope = theory.degradation_law.initial_slope(
        base.success_rates, base.confidence, base.log_policy
    )
    return np.sign(slope)


def _final_change(base, values):
    import theory

    final = theory.degradation.limit_accuracy(
        base.success_rates, base.confidence, base.log_policy
    )
    return final - np.sum(np.exp(base.log_policy) * base.success_rates, axis=-1)


def _same_pay(base, values):
    weight = values["fixed-confidence.weight"][:, None]
    paid = (1 - weight) * base.success_rates + weight * base.confidence
    ahead = paid[:, 0] - paid[:, 1]
    # Elsewhere another pattern wins, or there is one of the two only.
    known = (paid[:, 2] < paid[:, :2].max(axis=-1)) & (base.log_policy[:, 0] > -np.inf)
    return np.where(known, ahead, np.nan)


def _no_information(base, values):
    return 1 - values["false_positive"] - values["false_negative"]


def _step_size(base, values):
    import theory

    best, rival = _best_and_rival(base)
    limit = theory.collapse.collapse_step_size(best - rival, values["group_size"])
    return np.log(values["learning_rate"] / limit)


def _data_regime(base, values):
    rates = base.success_rates
    shown = values["quality"]
    return shown * rates[:, 0] + (1 - shown) * rates[:, 1] - values["goal"]


def _time_to(goal: np.ndarray, success_rates, log_policy) -> np.ndarray:
    """Time until the accuracy reaches `goal`, by the closed form; 0 from the start."""
    import theory

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
    later = np.log(with_sft + values["length"]) - np.log(without)
    return np.where(values["length"] > 0, later, np.nan)  # no SFT: the same thing


_PLAIN = (assumptions.VERIFIABLE, assumptions.POLICY_GRADIENT)
_CROWD = assumptions.family("crowd", "entangled")
_WARM = assumptions.family("warm-start")
_OWN = ("fixed-confidence.weight",)
_ERRORS = ("false_positive", "false_negative")
_STEPS = ("learning_rate", "group_size")
_SFT = ("quality", "length", "goal")
LINES: dict[str, Line] = {
    "regime": Line(
        "the base model is as accurate as the rival: there is no wait beyond (A2)",
        r"$ACC_0 = s_{r'}$: $T_0 = 0$ beyond",
        _regime,
        about=("log10_t0", "t0_degree"),
    ),
    "lower_bound": Line(
        "decades of the lower bound L + I of the transition time (B4)",
        r"theory: $\log_{10}(L + I)$",
        _lower_bound,
        assumes=_PLAIN,
        decades=True,
        most=40,
    ),
    "hard_side": Line(
        "a bad pattern weighs as much as the best one: the easy and the hard side (B4)",
        r"$\pi_0(k)\,\delta_k = \pi_0(*)\,\Delta$",
        _hard_side,
        assumes=(_CROWD, *_PLAIN),
        about=("log10_crossing", "crossing_degree"),
    ),
    "first_move": Line(
        "paid its own confidence, accuracy rises at first in half of the draws (B5)",
        "as many rise as fall at first",
        _first_move,
        assumes=(assumptions.CONFIDENCE, assumptions.POLICY_GRADIENT),
        about=("peak_gain",),
    ),
    "final_change": Line(
        "paid its own confidence, accuracy is in the end what it was, on average (A4)",
        "no change on average in the end",
        _final_change,
        assumes=(assumptions.CONFIDENCE, assumptions.POLICY_GRADIENT),
        about=("gain",),
    ),
    "same_pay": Line(
        "success and confidence together pay the rival as much as the best pattern",
        "paid the same; beyond, the rival wins in the end",
        _same_pay,
        needs=_OWN,
        assumes=(assumptions.MIXTURE, assumptions.NO_KL, assumptions.family("rival")),
        about=("accuracy", "gain"),
    ),
    "no_information": Line(
        "errors of the verifier, of both kinds, add up to 1: no information (B6)",
        r"$f_+ + f_- = 1$: no information",
        _no_information,
        needs=_ERRORS,
        assumes=(assumptions.NOISY_VERIFIER,),
        about=("accuracy",),
    ),
    "step_size": Line(
        "the learning rate at which sampled training begins to collapse (formal)",
        r"$\eta = 4\,\mathrm{gap}\,G$ (formal)",
        _step_size,
        needs=_STEPS,
        assumes=(assumptions.RLOO, assumptions.TWO_PATTERNS),
        about=("accuracy", "optimal_probability"),
    ),
    "without_sft": Line(
        "SFT and RLVR together take as long to the goal as RLVR alone",
        "as fast without SFT",
        _without_sft,
        needs=_SFT,
        assumes=(_WARM, *_PLAIN),
        about=("log10_total_time",),
        most=60,
    ),
    "data_regime": Line(
        "a model that imitates the demonstrations has reached the goal",
        "the demonstrations alone reach the goal",
        _data_regime,
        needs=_SFT,
        assumes=(_WARM,),
        about=("log10_total_time",),
    ),
}

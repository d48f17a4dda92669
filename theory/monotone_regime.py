r"""A2: when only the best pattern beats the average, training is fast and monotone.

Regime 1: the best pattern * is unique on the support and `ACC_0 > s_k` for all others.
Flow: `theta_k' = pi_k (s_k - ACC)`; `n` suboptimal patterns; `gap = s_* - ACC`. Then
`pi_*` increases to 1, and gap reaches a level `eps < gap(0)` at a time T with

    (1/2) (1/eps - 1/gap(0))  <=  T  <=  n/((n+1) pi_*(0)^2) (1/eps - 1/gap(0)).

Monotonicity and the rate O(1/eps): Chen, Li, Zou, arXiv 2506.04695 (as reported),
Thm 5.3. The constants, both sides, and the proof: this project. The lower bound holds
from every start; the upper bound needs regime 1.

Proof. Write `x_k = pi_k (s_k - ACC)`. These sum to zero, and the softmax gives

    ACC' = sum_k s_k pi_k (theta_k' - sum_j pi_j theta_j') = sum_k x_k^2 >= 0,  (1)

(using `sum_k x_k = 0` to replace s_k by s_k - ACC). So ACC never falls, and the
inequalities `ACC > s_k` that define regime 1 stay true for ever. There `theta_k' < 0`
for every k != * and `theta_*' > 0`: each ratio `pi_* / pi_k` grows, so `pi_*` does.

By (1), `gap' = -sum_k x_k^2`. Let S be the sum of the positive x_k, which is also minus
the sum of the negative ones. In regime 1 only * is positive: `S = x_* = pi_* gap`, and
the n negative numbers have squares adding up to at least `S^2 / n` (Cauchy-Schwarz) and
at most `S^2`. Hence

    (1 + 1/n) pi_*^2  <=  (1/gap)'  =  sum_k x_k^2 / gap^2  <=  2 pi_*^2.       (2)

Integrating the left inequality with `pi_* >= pi_*(0)` gives the upper bound on T; it
also shows gap -> 0, that is `pi_* -> 1`. From an arbitrary start there may be several
positive x_k, but still `S <= gap` (each `s_k - ACC <= gap`, masses sum to at most one)
and `sum x_k^2 <= 2 S^2`, so `(1/gap)' <= 2`: the lower bound.  []

In the paper's wording the target is `1 - pi_* <= eps`. With `delta_k = s_* - s_k` over
the suboptimal patterns, `delta_min (1 - pi_*) <= gap <= delta_max (1 - pi_*)` turns one
target into the other (`mass_time_upper`, `mass_time_lower`).

Limits: exact gradient flow on one question; not finite steps, not sampled gradients.
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.clock import time_of
from theory.intrinsic_time import find_event, intrinsic_path
from theory.statement import Claim, Finding, Statement
from theory.support import (
    Bools,
    Floats,
    accuracy_excess,
    best_reward,
    checked,
    gap,
    is_best,
    is_suboptimal,
    support,
)


def in_regime_1(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Whether the best pattern is unique and every other one is below average: `[...]`.

    False where the support holds one pattern only: there is nothing to select.
    """
    s, log_pi = checked(success_rates, log_policy)
    others = is_suboptimal(s, log_pi)
    beaten = np.all((accuracy_excess(s, log_pi) > 0) | ~others, axis=-1)
    unique = np.sum(is_best(s, log_pi), axis=-1) == 1
    return np.asarray(unique & beaten & np.any(others, axis=-1))


def _remaining(start: Floats, target: Floats) -> Floats:
    """`1/target - 1/start` where `target < start`, else 0."""
    ahead = start > target
    safe = np.where(ahead, start, 1.0)
    return np.where(ahead, (safe - target) / (safe * target), 0.0)


def _level(eps: ArrayLike) -> Floats:
    level = np.asarray(eps, dtype=np.float64)
    if not np.all(level > 0):
        raise ValueError(f"`eps` must be positive; got {eps!r}.")
    return level


def gap_time_upper(
    success_rates: ArrayLike, log_policy: ArrayLike, eps: ArrayLike
) -> Floats:
    """By this time `s_* - ACC <= eps`; `eps` broadcasts with the batch: `[...]`.

    `n/((n+1) pi_*(0)^2) (1/eps - 1/gap(0))`, 0 if there already. nan outside regime 1,
    where the bound is not valid.
    """
    s, log_pi = checked(success_rates, log_policy)
    n = np.sum(is_suboptimal(s, log_pi), axis=-1)
    log_best = np.max(np.where(is_best(s, log_pi), log_pi, -np.inf), axis=-1)
    bound = (
        n / (n + 1) * np.exp(-2 * log_best) * _remaining(gap(s, log_pi), _level(eps))
    )
    return np.where(in_regime_1(s, log_pi), bound, np.nan)


def gap_time_lower(
    success_rates: ArrayLike, log_policy: ArrayLike, eps: ArrayLike
) -> Floats:
    """Before this time `s_* - ACC > eps`, from any start: `(1/eps - 1/gap(0)) / 2`."""
    s, log_pi = checked(success_rates, log_policy)
    return 0.5 * _remaining(gap(s, log_pi), _level(eps))


def mass_time_upper(
    success_rates: ArrayLike, log_policy: ArrayLike, eps: ArrayLike
) -> Floats:
    """By this time `1 - pi_* <= eps`: the gap bound at `delta_min eps`.

    nan outside regime 1.
    """
    s, log_pi = checked(success_rates, log_policy)
    others = is_suboptimal(s, log_pi)
    delta = best_reward(s, log_pi)[..., None] - s
    smallest = np.min(np.where(others, delta, np.inf), axis=-1)
    return gap_time_upper(s, log_pi, smallest * _level(eps))


def mass_time_lower(
    success_rates: ArrayLike, log_policy: ArrayLike, eps: ArrayLike
) -> Floats:
    """Before this time `1 - pi_* > eps`, from any start: the gap bound at `delta_max`.

    With several best patterns `pi_*` is their total mass.
    """
    s, log_pi = checked(success_rates, log_policy)
    delta = best_reward(s, log_pi)[..., None] - s
    largest = np.max(np.where(support(log_pi), delta, 0.0), axis=-1)
    level = np.where(largest > 0, largest, 1.0) * _level(eps)
    return gap_time_lower(s, log_pi, level)


def gap_time(success_rates: ArrayLike, log_policy: ArrayLike, eps: ArrayLike) -> Floats:
    """The exact time at which `s_* - ACC` falls to `eps`, from any start: `[...]`.

    No time stepping (see `theory.clock`). 0 where the gap starts at or below `eps`, nan
    where the result is out of the range of float64.
    """
    s, log_pi = checked(success_rates, log_policy)
    level = np.broadcast_to(
        _level(eps), np.broadcast_shapes(s.shape[:-1], np.shape(eps))
    )
    s, log_pi = (np.broadcast_to(a, (*level.shape, s.shape[-1])) for a in (s, log_pi))
    shortfall = best_reward(s, log_pi)[..., None] - s

    def reached(log_probs: Floats) -> Floats:
        return np.asarray(level - np.sum(np.exp(log_probs) * shortfall, axis=-1))

    path = intrinsic_path(s, log_pi)
    time = time_of(path, find_event(path, reached)).time
    return np.where(gap(s, log_pi) <= level, 0.0, time)


def _any_start(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    return np.asarray(gap(success_rates, log_policy) > 0)


STATEMENT = Statement(
    id="A2",
    title="Regime 1: monotone convergence at rate 1/eps",
    words=(
        "If the base model is already better than every pattern but the best one, "
        "the best pattern gains mass from the first moment on, and the remaining gap "
        "falls like one over the training time."
    ),
    formula="ACC_0 > s_k for all k != *  =>  pi_* rises to 1, "
    "T(1 - pi_* <= eps) = O(1/eps)",
    source="Chen, Li, Zou, arXiv 2506.04695 (as reported), Thm 5.3; "
    "constants: this project",
    assumptions="exact softmax policy-gradient flow; fixed success rates; unique best",
    proof="ACC rises, so the regime persists; (1/gap)' >= (1 + 1/n) pi_*(0)^2; "
    "see theory/monotone_regime.py",
    claims=(
        Claim(
            id="A2.monotone",
            words="The best pattern's probability never falls and tends to one.",
            formula="pi_*' > 0 for all t;  pi_* -> 1",
            status="proved",
            hypotheses=in_regime_1,
        ),
        Claim(
            id="A2.upper",
            words="The gap falls below eps after a time of order 1/eps at most.",
            formula="T(gap <= eps) <= n/((n+1) pi_*(0)^2) (1/eps - 1/gap(0))",
            status="proved",
            hypotheses=in_regime_1,
        ),
        Claim(
            id="A2.lower",
            words="From no start can the gap close faster than at rate 1/eps.",
            formula="T(gap <= eps) >= (1/eps - 1/gap(0)) / 2",
            status="proved",
            hypotheses=_any_start,
        ),
        Claim(
            id="A2.mass",
            words="The same two bounds for the target 1 - pi_* <= eps.",
            formula="lower(delta_max eps) <= T(1-pi_* <= eps) <= upper(delta_min eps)",
            status="proved",
            hypotheses=in_regime_1,
        ),
    ),
    findings=(
        Finding(
            reported="If the base model beats every pattern except the best one, the "
            "best pattern's probability rises monotonically to 1.",
            found="It does.",
            evidence=("A2.monotone",),
            verdict="holds",
        ),
        Finding(
            reported="The probability of the other patterns is at most eps after a "
            "time of order 1/eps.",
            found="It is, with explicit constants; and from no start can the gap close "
            "faster than at that rate.",
            evidence=("A2.upper", "A2.lower", "A2.mass"),
            verdict="holds with constants",
        ),
    ),
)

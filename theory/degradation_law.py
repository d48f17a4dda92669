r"""B5: paid by confidence, accuracy ends as the winner's plus a number over t.

Flow: `theta_k' = pi_k (c_k - c_bar)` with fixed confidences c; the success rates s are
what we look at, not what is paid. The winner w has the largest confidence,
`delta_j = c_w - c_j`. What is known of the tail (`theory.tail`, `theory.tail_bounds`)
holds with c as the reward. Source: this project.

**The law.** For a unique winner, on a support of K patterns,

    t (ACC(t) - s_w)  ->  (1/K) sum_{j != w} (s_j - s_w)/(c_w - c_j).

*Proof.* `ACC - s_w = sum_j pi_j (s_j - s_w)`. By `theory.tail` (m = 1, n = K - 1) late
`Z ~ 1/p` and `t ~ tau/(p K)`, so `pi_j = 1/(u_j Z) ~ p/(delta_j tau)` and
`t pi_j -> 1/(K delta_j)`.  [] If the sum is positive accuracy finally falls: the terms
of its exact rate (below) tend to -1/t^2 times the same sum. If it is negative accuracy
finally rises. Paid by s itself, c = s, it is -(K-1)/K: the limit of `-t gap`.

**Bounds at finite t.** In the tail (`in_tail` for c, unique winner) every pi_j, j != w,
falls, so its values at two states that bracket the time t bound it, and

    sum_j (s_j - s_w)^+ pi_j(late) - (s_j - s_w)^- pi_j(early)  <=  ACC(t) - s_w

and the same with late and early exchanged above. The width is of order log(t)/t.  []

**Ties.** With m winners surviving (`theory.tail`) accuracy tends to their mean rate
s_bar. If no winner is lost (M = m), `t pi_j -> m/((n + m) delta_j)` in the same way and

    t (ACC - s_bar)  ->  (m/(n + m)) sum_j (s_j - s_bar)/delta_j.

If some are lost, their mass `pi_l ~ p/(m a_l)` falls only as `t^(-n/(n+m))`
(`theory.survivors`) and dominates, unless their terms cancel:

    ACC - s_bar ~ sum_l (s_l - s_bar) pi_l      if  sum_l (s_l - s_bar)/a_l != 0.   []

**Early improvement.** `ACC' = sum_k s_k pi_k (theta_k' - sum_j pi_j theta_j')`, hence
exactly, at any state,

    ACC' = sum_k pi_k^2 (c_k - c_bar)(s_k - ACC).                                (1)

If (1) is positive at the start and `s_w < ACC_0`, accuracy rises first and then ends
below where it began.  [] Late, `1 - pi_w`, c_w - c_bar and ACC - s_w being of order
1/t: the winner contributes `-((K-1)/K^2) Q/t^2`, Q the sum in the law, the others
`-(1/K^2) Q/t^2`; together `-(1/K) Q/t^2`.

**Second order** (formal). With `w_j = (s_j - s_w)/delta_j`, tau_j and y of
`theory.tail`, and `x = tau - tau_bar = y + ...`, t (ACC - s_w) is
`(x/K) sum_j w_j/(x + tau_bar - tau_j)` up to relative order 1/x^2:

    t (ACC - s_w) = (1/K) [sum w_j + sum w_j (tau_j - tau_bar)/y + ...];

from a uniform base all tau_j vanish. Limits: exact flow, confidences that do not change
in training; group-normalised advantages on real-valued rewards (GRPO) are not covered.
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.answers import checked_kernel
from theory.degradation import limit_accuracy
from theory.statement import Claim, Statement
from theory.support import (
    Bools,
    Floats,
    accuracy_excess,
    best_reward,
    checked,
    is_best,
    is_suboptimal,
    support,
)
from theory.survivors import has_losers, has_suboptimal, loser_mass, survivors
from theory.tail import tail_variables
from theory.tail_bounds import TailBounds, in_tail, tail_bracket


def _merits(
    success_rates: ArrayLike, confidence: ArrayLike, log_policy: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Confidences, log-policy, and `s_j - s_bar` (0 outside the support): `[..., K]`.

    s_bar is the mean success rate of the surviving winners.
    """
    c, log_pi = checked(confidence, log_policy)
    s = np.where(support(log_pi), np.asarray(success_rates, dtype=np.float64), 0.0)
    end = limit_accuracy(s, c, log_pi)[..., None]
    return c, log_pi, np.where(support(log_pi), s - end, 0.0)


def degradation_coefficient(
    success_rates: ArrayLike, confidence: ArrayLike, log_policy: ArrayLike
) -> Floats:
    """`lim t (ACC(t) - s_bar)`: `[...]`; positive means a final fall.

    `(m/(n + m)) sum_j (s_j - s_bar)/delta_j`, with m = 1 for a unique winner. nan where
    a tied winner is lost: the approach is slower there, see `loser_excess`.
    """
    c, log_pi, merit = _merits(success_rates, confidence, log_policy)
    others = is_suboptimal(c, log_pi)
    delta = np.where(others, best_reward(c, log_pi)[..., None] - c, 1.0)
    n, m = np.sum(others, axis=-1), np.sum(survivors(c, log_pi), axis=-1)
    total = m / (n + m) * np.sum(merit / delta, axis=-1, where=others)
    return np.where(has_losers(c, log_pi), np.nan, total)


def loser_excess(
    success_rates: ArrayLike,
    confidence: ArrayLike,
    log_policy: ArrayLike,
    time: ArrayLike,
) -> Floats:
    """Leading `ACC(t) - s_bar` where tied winners are lost: `[...]`, else nan.

    `sum_l (s_l - s_bar) pi_l ~ t^(-n/(n+m))`.
    """
    c, log_pi, merit = _merits(success_rates, confidence, log_policy)
    mass = np.exp(loser_mass(c, log_pi, time))
    losers = ~np.isnan(mass)
    total = np.sum(merit * mass, axis=-1, where=losers)
    return np.where(np.any(losers, axis=-1), total, np.nan)


def losers_decide(
    success_rates: ArrayLike, confidence: ArrayLike, log_policy: ArrayLike
) -> Bools:
    """Whether some tied winners are lost, and their terms do not cancel: `[...]`.

    A sum within 1e-12 of the size of its terms counts as 0.
    """
    c, log_pi, merit = _merits(success_rates, confidence, log_policy)
    mass = np.exp(loser_mass(c, log_pi, 1.0))
    terms = np.where(np.isnan(mass), 0.0, merit * mass)
    size = np.sum(np.abs(terms), axis=-1)
    return np.asarray(np.abs(np.sum(terms, axis=-1)) > 1e-12 * size)


def degradation_expansion(
    success_rates: ArrayLike,
    confidence: ArrayLike,
    log_policy: ArrayLike,
    time: ArrayLike,
) -> Floats:
    """`(1/K) [sum w_j + sum w_j (tau_j - tau_bar)/y]`, formal: `[...]`.

    For `t (ACC(t) - s_w)` at a late time; nan unless the winner is unique.
    """
    c, log_pi, merit = _merits(success_rates, confidence, log_policy)
    others = is_suboptimal(c, log_pi)
    delta = np.where(others, best_reward(c, log_pi)[..., None] - c, 1.0)
    n = np.sum(others, axis=-1)
    tau, y = tail_variables(c, log_pi, time)
    mean = np.sum(tau, axis=-1, where=others) / np.maximum(n, 1)
    factor = 1 + (tau - mean[..., None]) / y[..., None]
    total = np.sum(merit / delta * factor, axis=-1, where=others) / (n + 1)
    return np.where(has_unique_winner(c, log_pi), total, np.nan)


def degradation_bounds(
    success_rates: ArrayLike,
    confidence: ArrayLike,
    log_policy: ArrayLike,
    time: ArrayLike,
) -> TailBounds:
    """Rigorous bounds on `t (ACC(t) - s_w)` at `time > 0`: `[...]` each.

    nan unless the winner is unique and the confidences are `in_tail`.
    """
    c, log_pi, merit = _merits(success_rates, confidence, log_policy)
    early, late = (np.exp(state) for state in tail_bracket(c, log_pi, time))
    up, down = np.maximum(merit, 0.0), np.minimum(merit, 0.0)
    known = has_unique_winner(c, log_pi)
    times = np.asarray(time, dtype=np.float64)

    def sum_of(values: Floats) -> Floats:
        return np.where(known, times * np.sum(values, axis=-1), np.nan)

    return TailBounds(
        sum_of(up * late + down * early), sum_of(up * early + down * late)
    )


def initial_slope(
    success_rates: ArrayLike, confidence: ArrayLike, log_policy: ArrayLike
) -> Floats:
    """`dACC/dt = sum_k pi_k^2 (c_k - c_bar)(s_k - ACC)` at a state: `[...]`."""
    c, log_pi = checked(confidence, log_policy)
    s, _ = checked(success_rates, log_pi)
    inside = support(log_pi)
    product = accuracy_excess(c, log_pi) * accuracy_excess(s, log_pi)
    return np.asarray(np.sum(np.exp(2 * log_pi) * product, axis=-1, where=inside))


def rises_then_ends_below(
    success_rates: ArrayLike, confidence: ArrayLike, log_policy: ArrayLike
) -> Bools:
    """Sufficient for a rise followed by an end below the base model: `[...]`."""
    c, log_pi, merit = _merits(success_rates, confidence, log_policy)
    starts_above = np.sum(np.exp(log_pi) * merit, axis=-1) > 0
    return np.asarray((initial_slope(success_rates, c, log_pi) > 0) & starts_above)


def has_unique_winner(confidence: ArrayLike, log_policy: ArrayLike) -> Bools:
    """One pattern of largest confidence, and at least one other: `[...]`."""
    c, log_pi = checked(confidence, log_policy)
    unique = np.sum(is_best(c, log_pi), axis=-1) == 1
    return np.asarray(unique & has_suboptimal(c, log_pi))


def kernel_confidence(
    kernel: ArrayLike, log_policy: ArrayLike
) -> tuple[Floats, Floats, Floats, Bools]:
    """Success rates, self-certainties `[..., K]`, log-policy, and where finite `[...]`.

    `s_k = P[k, 0]`, `c_k = -mean_a log P[k, a]`; where a needed one is infinite all
    confidences of the lane are put to 0, and so none is largest.
    """
    P, log_pi = checked_kernel(kernel, log_policy)
    with np.errstate(divide="ignore"):
        c = -np.mean(np.log(P), axis=-1)
    finite = np.all(np.isfinite(c) | ~support(log_pi), axis=-1)
    return P[..., 0], np.where(finite[..., None], c, 0.0), log_pi, np.asarray(finite)


def _unique(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    _, c, log_pi, _ = kernel_confidence(kernel, log_policy)
    return has_unique_winner(c, log_pi)


def _unique_in_tail(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    _, c, log_pi, _ = kernel_confidence(kernel, log_policy)
    return _unique(kernel, log_pi) & in_tail(c, log_pi)


def has_tied_law(
    success_rates: ArrayLike, confidence: ArrayLike, log_policy: ArrayLike
) -> Bools:
    """Several winners, something else, and no losers whose terms cancel: `[...]`."""
    c, log_pi = checked(confidence, log_policy)
    several = np.sum(is_best(c, log_pi), axis=-1) > 1
    visible = losers_decide(success_rates, c, log_pi) | ~has_losers(c, log_pi)
    return np.asarray(several & has_suboptimal(c, log_pi) & visible)


def _tied(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    s, c, log_pi, _ = kernel_confidence(kernel, log_policy)
    return has_tied_law(s, c, log_pi)


def _finite(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    return kernel_confidence(kernel, log_policy)[3]


def _rise_and_fall(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    s, c, log_pi, _ = kernel_confidence(kernel, log_policy)
    return rises_then_ends_below(s, c, log_pi)


STATEMENT = Statement(
    id="B5",
    title="The degradation law: where accuracy goes when confidence is paid",
    words=(
        "Paid by a fixed confidence, the model ends at its most confident pattern. "
        "Late in training the accuracy differs from that pattern's by a fixed number "
        "over the training time, and the sign of the number says whether accuracy "
        "finally falls or rises."
    ),
    formula="t (ACC - s_w) -> (1/K) sum_{j != w} (s_j - s_w)/(c_w - c_j)",
    source="this project",
    assumptions="exact softmax policy-gradient flow; fixed confidences",
    proof="t pi_j -> 1/(K delta_j) in the tail; theory/degradation_law.py",
    claims=(
        Claim(
            id="B5.law",
            words="The excess over the winner's accuracy is a known number over t.",
            formula="t (ACC - s_w) -> (1/K) sum_j (s_j - s_w)/(c_w - c_j)",
            status="proved",
            hypotheses=_unique,
            data="answer kernel",
        ),
        Claim(
            id="B5.bounds",
            words="At a finite time it lies between two values that close up on it.",
            formula="sum_j (s_j - s_w)^+ pi_j(late) - (s_j - s_w)^- pi_j(early) "
            "<= ACC - s_w <= late and early exchanged",
            status="proved",
            hypotheses=_unique_in_tail,
            data="answer kernel",
        ),
        Claim(
            id="B5.expansion",
            words="The next term is of order t^(-1/K); none from a uniform base.",
            formula="t (ACC - s_w) = (1/K) [sum w_j + sum w_j (tau_j - tau_bar)/y]",
            status="formal",
            hypotheses=_unique,
            data="answer kernel",
        ),
        Claim(
            id="B5.ties",
            words="Tied winners: the limit is the mean rate of those that survive; the "
            "approach is 1/t if none is lost and t^(-n/(n+m)) if some are, unless the "
            "losers' terms cancel.",
            formula="ACC -> s_bar;  ACC - s_bar ~ sum_l (s_l - s_bar) pi_l "
            "unless sum_l (s_l - s_bar)/a_l = 0",
            status="proved",
            hypotheses=_tied,
            data="answer kernel",
        ),
        Claim(
            id="B5.early",
            words="Accuracy rises at first exactly if a weighted covariance of "
            "confidence and success is positive.",
            formula="dACC/dt = sum_k pi_k^2 (c_k - c_bar)(s_k - ACC)",
            status="proved",
            hypotheses=_finite,
            data="answer kernel",
        ),
        Claim(
            id="B5.rise-and-fall",
            words="Early improvement and a winner below the base model's accuracy: "
            "accuracy rises, then ends below where it began.",
            formula="ACC'(0) > 0 and s_w < ACC_0  =>  max ACC > ACC_0 > lim ACC",
            status="proved",
            hypotheses=_rise_and_fall,
            data="answer kernel",
        ),
    ),
)

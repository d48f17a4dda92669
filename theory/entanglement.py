r"""A3: a strong rival delays the best pattern, and by exactly how much.

Regime 2: the best pattern * is unique and exactly one other pattern, the rival r', is
above average, `s_r' > ACC_0 > s_k` for the rest. The rival then grows at the expense of
all others, the best one included, until the accuracy overtakes s_r'. Two events:

- `"t0"`: `ACC = s_r'`, with r' the highest suboptimal success rate. From here on the
  problem is in regime 1. It is the root of `sum_k (s_k - s_r')/u_k = 0`.
- `"crossing"`: the best pattern becomes the most likely one: the last hand-over of the
  hull. It may come before or after T0.

Chen, Li, Zou, arXiv 2506.04695 (as reported), Thm 5.4, describe T0 as growing like
`gamma^(C gamma)` with `gamma = sum_{k != r'} pi_0(k) / pi_0(*)`. What this project
finds: gamma alone cannot bound T0. In the family `counterexample(e)` gamma is 6 for
every e, while T0 is about 285, 3025, 30422 at e = 1e-2, 1e-3, 1e-4.

The law (proof in `theory.clock`): `L + I <= t <= L + 2 I` for both events, from every
start (this project). For a hull with a single edge, from the most likely pattern i to
*, write `D = 1/pi_0(*) - 1/pi_0(i)`, `D_k = 1/pi_0(k) - 1/pi_0(i)`,
`Delta = s_* - s_i`, `delta_k = s_i - s_k`. With z the fraction of the edge covered,
`a_* = g D (1 - z)` and `a_k = g (D_k + (delta_k / Delta) D z)`, so at the crossing

    L = (prod pi_0) (D^2 / Delta) int_0^1 (1 - z) prod_{k != i,*} (a_k / g) dz.

Since `pi_0(k) D_k <= 1`, `D <= 1/pi_0(*)` and `int (1 - z) dz = 1/2`, distributing the
factors pi_0(k) gives

    L <= pi_0(i)/(2 pi_0(*) Delta)
           * prod_{k: delta_k > 0} (1 + pi_0(k) delta_k / (pi_0(*) Delta))
      <= pi_0(i)/(2 pi_0(*) Delta) * exp((gamma - 1) max delta / Delta),

the last step by `1 + x <= e^x`, with gamma taken relative to i.  [] At fixed K and
fixed gaps the delay is polynomial in 1/pi_0(*), and in gamma at most exponential.

Limits: exact flow, one question, fixed success rates.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from theory.clock import time_of
from theory.hull import dominance_hull
from theory.intrinsic_time import crossing_event, find_event, intrinsic_path
from theory.statement import Claim, Statement
from theory.support import (
    Bools,
    Floats,
    Ints,
    accuracy_excess,
    checked,
    is_best,
    is_suboptimal,
    support,
)

NO_RIVAL = -1


class TransitionBounds(NamedTuple):
    """`lower <= exact <= upper` up to rounding; all `[...]`, nan if no such event."""

    lower: Floats
    upper: Floats
    exact: Floats


class DegreeBound(NamedTuple):
    """Upper bounds on L at the crossing: `product <= exponential`; nan: see below."""

    product: Floats
    exponential: Floats


def _runner_up_rate(s: Floats, log_pi: Floats) -> Floats:
    """Highest suboptimal success rate on the support, -inf if none: `[...]`."""
    return np.asarray(np.max(np.where(is_suboptimal(s, log_pi), s, -np.inf), axis=-1))


def rival(success_rates: ArrayLike, log_policy: ArrayLike) -> Ints:
    """Index of the highest suboptimal pattern, the likelier one in a tie: `[...]`.

    NO_RIVAL where all patterns of the support are best.
    """
    s, log_pi = checked(success_rates, log_policy)
    runner_up = _runner_up_rate(s, log_pi)
    highest = is_suboptimal(s, log_pi) & (s == runner_up[..., None])
    index = np.argmax(np.where(highest, log_pi, -np.inf), axis=-1)
    return np.where(np.isfinite(runner_up), index, NO_RIVAL)


def in_regime_2(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Unique best, one rival above average, everything else strictly below: `[...]`."""
    s, log_pi = checked(success_rates, log_policy)
    excess = accuracy_excess(s, log_pi)
    others = is_suboptimal(s, log_pi)
    unique = np.sum(is_best(s, log_pi), axis=-1) == 1
    one_above = np.sum(others & (excess < 0), axis=-1) == 1
    none_level = ~np.any(others & (excess == 0), axis=-1)
    return np.asarray(unique & one_above & none_level)


def has_t0(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Whether the accuracy starts below the highest suboptimal rate: `[...]`."""
    s, log_pi = checked(success_rates, log_policy)
    index = rival(s, log_pi)[..., None]
    excess = np.take_along_axis(
        accuracy_excess(s, log_pi), np.maximum(index, 0), axis=-1
    )
    return np.asarray((index != NO_RIVAL) & (excess < 0))[..., 0]


def gamma(success_rates: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`sum_{k != r'} pi_0(k) / pi_0(*)`, at least 1: `[...]`; nan without a rival.

    Several best patterns count together as *.
    """
    s, log_pi = checked(success_rates, log_policy)
    index = rival(s, log_pi)[..., None]
    rest = np.where(np.arange(s.shape[-1]) == index, 0.0, np.exp(log_pi))
    best_mass = np.sum(np.exp(log_pi), axis=-1, where=is_best(s, log_pi))
    return np.where(index[..., 0] == NO_RIVAL, np.nan, rest.sum(axis=-1) / best_mass)


def transition_bounds(
    success_rates: ArrayLike,
    log_policy: ArrayLike,
    event: Literal["t0", "crossing"] = "t0",
) -> TransitionBounds:
    """`L + I`, `L + 2 I` and the exact time of an event: `[...]` each.

    nan where the event does not happen: `"t0"` if the accuracy starts at or above the
    highest suboptimal rate, `"crossing"` if the best pattern starts as the most likely.
    Also nan where the time exceeds the float64 range.
    """
    if event not in ("t0", "crossing"):
        raise ValueError(f"`event` must be 't0' or 'crossing'; got {event!r}.")
    s, log_pi = checked(success_rates, log_policy)
    path = intrinsic_path(s, log_pi)
    if event == "crossing":
        place = crossing_event(path)
    else:
        runner_up = _runner_up_rate(s, log_pi)[..., None]
        runner_up = np.where(np.isfinite(runner_up), runner_up, -1.0)
        advantage = np.where(support(log_pi), s - runner_up, 0.0)
        place = find_event(path, lambda lp: np.sum(np.exp(lp) * advantage, axis=-1))
    clock = time_of(path, place)
    return TransitionBounds(
        lower=clock.product + clock.reciprocal,
        upper=clock.product + 2 * clock.reciprocal,
        exact=clock.time,
    )


def has_one_edge(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Whether a single hand-over leads from the most likely pattern to the best."""
    s, log_pi = checked(success_rates, log_policy)
    unique = np.sum(is_best(s, log_pi), axis=-1) == 1
    return np.asarray(unique & (dominance_hull(s, log_pi).edges == 1))


def degree_bound(success_rates: ArrayLike, log_policy: ArrayLike) -> DegreeBound:
    """The two explicit bounds on L at the crossing; nan unless `has_one_edge`.

    The exponential form may overflow to inf, which is still a valid bound.
    """
    s, log_pi = checked(success_rates, log_policy)
    one_edge = has_one_edge(s, log_pi)
    first, best = np.moveaxis(dominance_hull(s, log_pi).vertices[..., :2], -1, 0)
    best = np.where(one_edge, best, first)

    def at(values: Floats, index: Ints) -> Floats:
        return np.take_along_axis(values, index[..., None], axis=-1)

    rise = np.where(one_edge[..., None], at(s, best) - at(s, first), 1.0)
    others = np.arange(s.shape[-1])
    others = (others != first[..., None]) & (others != best[..., None])
    ratio = np.exp(log_pi - at(log_pi, best)) * others
    steepness = np.maximum(at(s, first) - s, 0.0) * (support(log_pi) & others) / rise
    log_front = (at(log_pi, first) - at(log_pi, best) - np.log(2 * rise))[..., 0]
    log_product = log_front + np.sum(np.log1p(ratio * steepness), axis=-1)
    log_exponential = log_front + np.sum(ratio, axis=-1) * np.max(steepness, axis=-1)
    with np.errstate(over="ignore"):
        bounds = np.exp(np.stack([log_product, log_exponential]))
    product, exponential = np.where(one_edge, bounds, np.nan)
    return DegreeBound(product, exponential)


def reported_form(gamma: ArrayLike, C: ArrayLike = 1.0) -> Floats:
    """`gamma^(C gamma)`, the growth as reported; C is not given there: `[...]`."""
    ratio = np.asarray(gamma, dtype=np.float64)
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(np.asarray(C) * ratio * np.log(ratio)))


def reported_case() -> tuple[Floats, Floats]:
    """`(success_rates, policy)` with the base policy of the reported simulation.

    The success rates are this project's choice; gamma = 6.
    """
    return np.array([0.9, 0.6, 0.1]), np.array([0.05, 0.70, 0.25])


def counterexample(e: ArrayLike) -> tuple[Floats, Floats]:
    """`(success_rates, policy)`: gamma = 6 for all e in (0, 1/6), T0 ~ 1/e unbounded.

    `e` is `[...]`, the results are `[..., 3]`.
    """
    mass = np.asarray(e, dtype=np.float64)
    if not np.all((mass > 0) & (mass < 1 / 6)):
        raise ValueError(f"`e` must lie in (0, 1/6); got {e!r}.")
    policy = np.stack([mass, 1 - 6 * mass, 5 * mass], axis=-1)
    return np.broadcast_to(np.array([0.9, 0.6, 0.1]), policy.shape), policy


COUNTEREXAMPLE = counterexample

STATEMENT = Statement(
    id="A3",
    title="Regime 2: entanglement with a rival pattern",
    words=(
        "A suboptimal pattern that is better than average and more likely than the "
        "best one takes over first. How long it holds the lead is an explicit "
        "integral, known from two sides; it is not a function of gamma alone."
    ),
    formula="s_r' > ACC_0 > s_k (other k != *):  L + I <= T0 <= L + 2 I",
    source="Chen, Li, Zou, arXiv 2506.04695 (as reported), Thm 5.4; law: this project",
    assumptions="exact softmax policy-gradient flow; fixed success rates",
    proof="exact solution in intrinsic time; theory/clock.py, theory/entanglement.py",
    claims=(
        Claim(
            id="A3.law",
            words="T0 lies between two integrals that differ by I.",
            formula="L + I <= T0 <= L + 2 I",
            status="proved",
            hypotheses=has_t0,
        ),
        Claim(
            id="A3.degree",
            words=(
                "On a hull with one edge the main part of the delay is polynomial in "
                "1/pi_0(*) and at most exponential in gamma."
            ),
            formula="L <= pi_0(i)/(2 pi_0(*) Delta) "
            "prod_{delta_k > 0} (1 + pi_0(k) delta_k/(pi_0(*) Delta))",
            status="proved",
            hypotheses=has_one_edge,
        ),
        Claim(
            id="A3.trend",
            words="The transition time T0 grows with gamma.",
            formula="T0 ~ gamma^(C gamma)",
            status="as reported",
            hypotheses=in_regime_2,
        ),
        Claim(
            id="A3.gamma-alone",
            words="Some function of gamma alone bounds the transition time.",
            formula="T0 <= f(gamma)",
            status="refuted",
            hypotheses=in_regime_2,
        ),
    ),
)

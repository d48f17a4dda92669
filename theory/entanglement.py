r"""A3: a strong rival delays the best pattern, and by exactly how much.

Regime 2: the best pattern * is unique and exactly one other pattern, the rival r', is
above average, `s_r' > ACC_0 > s_k` for the rest. The rival then grows at the expense of
all others, the best one included, until the accuracy overtakes s_r'. Two events:

- `"t0"`: `ACC = s_r'`, with r' the highest suboptimal success rate. From here on the
  problem is in regime 1. It is the root of `sum_k (s_k - s_r')/u_k = 0`.
- `"crossing"`: the best pattern becomes the most likely one: the last hand-over of the
  hull. It may come before or after T0.

Chen, Li, Zou, arXiv 2506.04695 (as reported), Thm 5.4, give T0 an order that contains
`gamma^(C gamma)`, `gamma = sum_{k != r'} pi_0(k) / pi_0(*)`; its constants are not
known here, nor whether they depend on pi_0. This project finds: no function of gamma
alone bounds T0. In the family `counterexample(e)` gamma is 6 for every e, while T0 is
about 285, 3025, 30422 at e = 1e-2, 1e-3, 1e-4.

The law (proof in `theory.clock`): `L + I <= t <= L + 2 I` for both events, from every
start (this project).

**L at the crossing.** On a hull edge from i to j put `Delta = s_j - s_i > 0`,
`delta_k = s_i - s_k`, and let the slope sigma run from sigma_0 to
`sigma_1 = (1/pi_0(j) - 1/pi_0(i))/Delta <= 1/(pi_0(j) Delta)`. With g the geometric
mean of pi_0, `a_j = g Delta (sigma_1 - sigma)` and
`a_k = g (1/pi_0(k) - 1/pi_0(i) + delta_k sigma)`, `dtau = g dsigma`, `g^K = prod pi_0`.
All a_k >= 0, so pi_0(k) a_k/g lies in [0, 1 + pi_0(k) max(delta_k, 0) sigma_1], and
`int Delta (sigma_1 - sigma) dsigma <= Delta sigma_1^2/2`. Hence

    L <= sum_{edges} pi_0(i)/(2 pi_0(j) Delta)
           * prod_{k: delta_k > 0} (1 + pi_0(k) delta_k / (pi_0(j) Delta))
      <= sum_{edges} pi_0(i)/(2 pi_0(j) Delta) * exp(gamma_ij max delta / Delta),

by `1 + x <= e^x`, where `gamma_ij = sum_{delta_k > 0} pi_0(k)/pi_0(j) <= gamma - 1`:
patterns worse than i are neither * nor r' (which is i or better than i), and no vertex
is rarer than *.  [] So at fixed rates L is bounded by a polynomial in 1/pi_0(*), and
`pi_0(*) L` by an exponential of gamma; L itself is not, because of the prefactor.

**From the crossing to T0.** Let * be unique, n the number of the others, K = n + 1.
From the crossing on (from the start, if * leads there) `pi_* >= 1/K`, since * is the
most likely pattern and never falls (`theory.tail`), and `(1/gap)' >= (1 + 1/n) pi_*^2`
(there, too). At T0 the gap is `Delta = s_* - s_r'`. Integrate:

    T0 <= T_cross + (n/(n + 1)) K^2 / Delta = T_cross + n K / Delta.              []

Regime 2 implies neither a single edge nor T0 before the crossing.

Limits: exact flow, one question, fixed success rates.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from theory.clock import time_of
from theory.hull import dominance_hull
from theory.intrinsic_time import crossing_event, find_event, intrinsic_path
from theory.statement import Claim, Finding, Statement
from theory.support import (
    Bools,
    Floats,
    Ints,
    accuracy_excess,
    best_reward,
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
    """Upper bounds on L at the crossing: `product <= exponential`, `[...]` each."""

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


def is_overtaking(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Whether the best pattern is unique and less likely than another one: `[...]`."""
    s, log_pi = checked(success_rates, log_policy)
    best = is_best(s, log_pi)
    behind = best & (log_pi < np.max(log_pi, axis=-1, keepdims=True))
    return np.asarray(np.any(behind, axis=-1) & (np.sum(best, axis=-1) == 1))


def degree_bound(success_rates: ArrayLike, log_policy: ArrayLike) -> DegreeBound:
    """The two explicit bounds on L at the crossing, summed over the edges of the hull.

    nan unless `is_overtaking`. They may overflow to inf, which is still a bound.
    """
    s, log_pi = checked(success_rates, log_policy)
    known, hull = is_overtaking(s, log_pi), dominance_hull(s, log_pi)
    log_bounds = np.full((2, *known.shape), -np.inf)

    def at(values: Floats, index: Ints) -> Floats:
        return np.take_along_axis(values, index[..., None], axis=-1)

    for edge in range(int(np.max(hull.edges, initial=0))):
        exists = known & (hull.edges > edge)
        first = np.where(exists, hull.vertices[..., edge], 0)
        last = np.where(exists, hull.vertices[..., edge + 1], 0)
        rise = np.where(exists[..., None], at(s, last) - at(s, first), 1.0)
        worse = support(log_pi) & (s < at(s, first)) & exists[..., None]
        start, end = (
            np.where(exists[..., None], at(log_pi, place), 0.0)
            for place in (first, last)
        )
        ratio = np.exp(np.where(worse, log_pi - end, -np.inf))
        steepness = np.where(worse, (at(s, first) - s) / rise, 0.0)
        front = (start - end - np.log(2 * rise))[..., 0]
        log_front = np.where(exists, front, -np.inf)
        product = np.sum(np.log1p(ratio * steepness), axis=-1)
        exponential = np.sum(ratio, axis=-1) * np.max(steepness, axis=-1)
        parts = log_front + np.stack([product, exponential])
        log_bounds = np.logaddexp(log_bounds, parts)
    with np.errstate(over="ignore"):
        bounds = np.where(known, np.exp(log_bounds), np.nan)
    return DegreeBound(*bounds)


def t0_after_crossing(success_rates: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`n K/Delta`, the longest time by which T0 can come after the crossing: `[...]`.

    After the start, where the best pattern leads there. nan unless the best pattern is
    unique and another one exists.
    """
    s, log_pi = checked(success_rates, log_policy)
    n = np.sum(is_suboptimal(s, log_pi), axis=-1)
    known = (np.sum(is_best(s, log_pi), axis=-1) == 1) & (n > 0)
    second = np.where(known, _runner_up_rate(s, log_pi), 0.0)
    lead = np.where(known, best_reward(s, log_pi) - second, 1.0)
    return np.where(known, n * (n + 1) / lead, np.nan)


def reported_form(gamma: ArrayLike, C: ArrayLike = 1.0) -> Floats:
    """`gamma^(C gamma)`, contained in the order reported for T0, C unknown: `[...]`."""
    ratio = np.asarray(gamma, dtype=np.float64)
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(np.asarray(C) * ratio * np.log(ratio)))


def example_case() -> tuple[Floats, Floats]:
    """`(success_rates, policy)` of three patterns in regime 2: this project's choice.

    gamma = 6 and pi_0(*) = 0.05, as in the reported simulation, whose success rates are
    not known here.
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


# The family of the claim that no function of gamma alone bounds T0, by another name.
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
                "The main part L of the time of crossing is bounded by a polynomial in "
                "1/pi_0(*) for each edge of the hull, pi_0(*) L by an exponential of "
                "gamma, and T0 comes a bounded time after the crossing at most."
            ),
            formula="L <= sum_{edges i, j} pi_0(i)/(2 pi_0(j) Delta) "
            "prod_{delta_k > 0} (1 + pi_0(k) delta_k/(pi_0(j) Delta));  "
            "T0 <= T_cross + K (K - 1)/(s_* - s_r')",
            status="proved",
            hypotheses=is_overtaking,
        ),
        Claim(
            id="A3.trend",
            words="The transition time T0 grows with gamma.",
            formula="T0 of an order that contains gamma^(C gamma)",
            status="as reported",
            hypotheses=in_regime_2,
        ),
        Claim(
            id="A3.gamma-alone",
            words="The reading that some function of gamma alone bounds the transition "
            "time.",
            formula="T0 <= f(gamma)",
            status="refuted",
            hypotheses=in_regime_2,
        ),
    ),
    findings=(
        Finding(
            reported="One suboptimal pattern that beats the base model slows the best "
            "one down for a transition time T0.",
            found="It does, and T0 is known: L + I <= T0 <= L + 2 I, with two explicit "
            "integrals.",
            evidence=("A3.law",),
            verdict="holds with constants",
        ),
        Finding(
            reported="T0 has an order that contains gamma^(C gamma), gamma = "
            "sum_{k != r'} pi_0(k)/pi_0(*).",
            found="No function of gamma alone bounds T0: at gamma = 6 it is 285, 3025, "
            "30422 and so on without end. At fixed success rates pi_0(*) L is at most "
            "exponential in gamma. Whether the paper's constants depend on the base "
            "model is not known here.",
            evidence=("A3.gamma-alone", "A3.degree", "A3.trend"),
            verdict="refuted as read",
        ),
    ),
)

r"""C4: when rewarding certainty first helps, and when the worst pattern wins.

Setting of `theory.degradation` (A4): uniform base over K patterns, two answers, reward
`R = -log(s (1 - s)) / 2`, but the success rates are independent draws from any bounded
density f on [0, 1]. Then R has moments of every order (`E |log s|^p <= p! sup f`).

**First moment of training.** `dACC/dt(0)` is (K-1)/K^2 times the sample covariance S of
(s, R). E S = gamma := Cov_f(s, R), and with the central moments `v_s = Var s`,
`v_R = Var R`, `m = E (s - E s)^2 (R - E R)^2`,

    V = Var S = m/K - (K - 2) gamma^2/(K (K - 1)) + v_s v_R/(K (K - 1)).

Cantelli's inequality gives, for gamma > 0, with no limit taken,

    P(accuracy rises at first) >= gamma^2 / (gamma^2 + V),

and the same for falls if gamma < 0: as V = O(1/K), the sign is that of gamma with
probability -> 1.  []

**Central limit.** With `a = s - E s`, `b = R - E R`, bars for means of K draws and sd
the standard deviation of a b, the sign of S is that of `mean(a b) - a_bar b_bar`, and

    P(accuracy rises at first) = Phi(sqrt(K) gamma / sd) + O(log K / sqrt(K)).

*Proof.* The Berry-Esseen theorem for the draws of a b (third moments are finite, and sd
> 0, as a b is not constant under a density) gives the formula for `mean(a b)`, up to
O(1/sqrt(K)). s is bounded and R has exponential moments, so by the inequalities of
Hoeffding and Bernstein sqrt(K) a_bar and sqrt(K) b_bar exceed `sqrt(A log K)` with
probability O(1/sqrt(K)) for a large A; otherwise the product moves the threshold of
`sqrt(K) mean(a b)` by `A log K/sqrt(K)` at most.  [] The constant depends on f only; in
the family below it is the same for all c. (Theorems on U-statistics, of which S is one,
do without the logarithm: Borovskikh 2000, Theory Probab. Appl. 45, 406-423. Measured:
at most 0.1/sqrt(K).)

**Winner.** It is the rate nearest to 0 or 1. It is the worst pattern iff it sits at
some x < 1/2 and all others in (x, 1 - x); with F the distribution function,

    P(argmax R = argmin s) = K int_0^{1/2} f(x) (F(1 - x) - F(x))^(K-1) dx.

Let f have limits f(0), f(1) at the ends, not both 0. Put x = y/K: the integrand tends
to `f(0) e^{-(f(0) + f(1)) y}` and is dominated (near 0 the bracket is at most
`1 - (f(0) + f(1)) x/2`; away from 0 it is below a constant < 1), so

    P(argmax R = argmin s) -> f(0) / (f(0) + f(1)).                              []

Without limits at the ends the probability may oscillate: "bounded" is not enough.

**The family** `f = 1 + c (2 s - 1)`: gamma = c/18, limit (1 - c)/2. With c = c_K both
reported limits, P(1) -> 1 and P(2) -> 1/2, hold iff `c_K -> 0` and
`c_K sqrt(K) -> infinity`. Proof: P(2) = (1 - c K/(K+1))/2 forces c -> 0; Cantelli gives
P(1) -> 1 if K c^2 -> infinity (c > 0); if c_K sqrt(K) stays bounded along a subsequence
the central limit (all moments bounded uniformly in c) keeps P(1) below 1 there.  []

**Readings** of "the correct answer has the highest probability" at c = 0. *Mean of s
above one half*: (2) holds in the limit and (1) does not. P(2) is `(1 - b_K)/2 -> 1/2`
exactly (A4), and, with r = 0.527 the correlation of s and (s - 1/2)(R - 1),

    P(1) -> 1/2 + arcsin(r)/pi = 0.677.

*Proof.* `sqrt(K) (mean s - 1/2, S)` differs from sqrt(K) times the mean of the pairs
(a, a b) by sqrt(K) a_bar b_bar, which tends to 0 in probability. The pairs have mean 0
at c = 0, so the limit is a centred bivariate normal law with correlation r, and P(1) is
the chance of its first quadrant over 1/2.  [] (Measured: 0.44/K more at K = 10 and 30.)
*Every s_k above one half*: (1) always, (2) never.

Source: this project. Limits: two answers; what training does later is not said here.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from theory.degradation import confidence, covariance_moments, uniform_base
from theory.statement import Claim, Statement
from theory.support import Bools, Floats
from theory.unit_interval import LOG_LEFT, LOG_RIGHT, POINTS, WEIGHTS


class LawMoments(NamedTuple):
    """Of one law of success rates: gamma, m, v_s and v_R of the module docstring."""

    covariance: Floats
    mixed: Floats
    rate_variance: Floats
    confidence_variance: Floats


def law_moments(density: Callable[[Floats], Floats]) -> LawMoments:
    """Moments of (s, R) for a bounded density on [0, 1], by quadrature.

    The density must be smooth inside (a jump costs the quadrature its precision).
    """
    weights = WEIGHTS * density(POINTS)
    total = np.sum(weights)
    if not abs(total - 1) <= 1e-6:
        raise ValueError(f"`density` must integrate to one; got {total!r}.")

    def mean(values: Floats) -> Floats:
        return np.asarray(np.sum(weights * values) / total)

    R = -0.5 * (LOG_LEFT + LOG_RIGHT)
    s, R = POINTS - mean(POINTS), R - mean(R)
    return LawMoments(mean(s * R), mean(s**2 * R**2), mean(s**2), mean(R**2))


def family_moments(c: ArrayLike) -> LawMoments:
    """The same for `f = 1 + c (2 s - 1)`, `c` is `[...]`: `[...]` each.

    R is even about 1/2, so its law does not depend on c: `v_R = 1 - pi^2/12`.
    """
    tilt = np.asarray(c, dtype=np.float64)
    covariance, sd, _ = covariance_moments(tilt)
    return LawMoments(
        covariance,
        sd**2 + covariance**2,
        1 / 12 - tilt**2 / 36,
        np.full(tilt.shape, 1 - np.pi**2 / 12),
    )


def covariance_variance(K: ArrayLike, moments: LawMoments) -> Floats:
    """Exact variance V of the sample covariance of K draws, divisor K - 1: `[...]`."""
    n = np.asarray(K, dtype=np.float64)
    if not np.all(n >= 2):
        raise ValueError(f"`K` must be at least 2; got {K!r}.")
    pairs = n * (n - 1)
    return np.asarray(
        moments.mixed / n
        - (n - 2) / pairs * moments.covariance**2
        + moments.rate_variance * moments.confidence_variance / pairs
    )


def sign_probability_bound(K: ArrayLike, moments: LawMoments) -> Floats:
    """`gamma^2/(gamma^2 + V) <= P(dACC/dt(0) has the sign of gamma)`: `[...]`.

    0 where gamma is 0 and nothing is claimed.
    """
    square = moments.covariance**2
    return np.asarray(square / (square + covariance_variance(K, moments)))


def worst_wins_probability(
    K: int,
    density: Callable[[Floats], Floats],
    distribution: Callable[[Floats], Floats],
) -> float:
    """`P(argmax R = argmin s)` for K draws, any law with a density; exact.

    `distribution` is F, the integral of `density`.
    """
    x = 0.5 * POINTS
    outside = distribution(x) + (1 - distribution(1 - x))
    with np.errstate(divide="ignore"):
        log_inside = np.log1p(-np.minimum(outside, 1.0))
    integrand = density(x) * np.exp((K - 1) * log_inside)
    return float(0.5 * K * np.sum(WEIGHTS * integrand))


def worst_wins_limit(density_at_0: ArrayLike, density_at_1: ArrayLike) -> Floats:
    """`f(0) / (f(0) + f(1))`: `[...]`; nan where both are 0."""
    low, high = np.broadcast_arrays(
        np.asarray(density_at_0, dtype=np.float64),
        np.asarray(density_at_1, dtype=np.float64),
    )
    total = low + high
    return np.where(total > 0, low / np.where(total > 0, total, 1.0), np.nan)


def first_slope(success_rates: ArrayLike) -> Floats:
    """`dACC/dt(0)` from the uniform base, `sum (R - mean R)(s - mean s)/K^2`: `[...]`.

    All K patterns are taken to be in the support.
    """
    s = np.asarray(success_rates, dtype=np.float64)
    centred = s - np.mean(s, axis=-1, keepdims=True)
    return np.asarray(np.sum(centred * confidence(s), axis=-1) / s.shape[-1] ** 2)


def _uniform_base_inside(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    s = np.asarray(success_rates, dtype=np.float64)
    finite = np.all((s > 0) & (s < 1) | (np.asarray(log_policy) == -np.inf), axis=-1)
    return np.asarray(finite & uniform_base(s, log_policy))


STATEMENT = Statement(
    id="C4",
    title="When rewarding certainty helps at first, and when the worst pattern wins",
    words=(
        "Accuracy rises at first if confident patterns tend to be right ones; the "
        "worst pattern wins as often as rates near 0 outnumber rates near 1. The two "
        "reported limits hold together only for laws that lean towards the truth by "
        "little, but by more than chance."
    ),
    formula="P(1) -> 1{Cov(s, R) > 0};  P(2) -> f(0)/(f(0) + f(1))",
    source="this project",
    assumptions="uniform base; two answers; K independent success rates with a bounded "
    "density that has limits at 0 and 1",
    proof="Cantelli's inequality; Berry-Esseen theorem; dominated convergence; "
    "theory/degradation_odds.py",
    claims=(
        Claim(
            id="C4.sign-bound",
            words="At any K the first move of accuracy has the sign of the covariance "
            "with at least this probability, which tends to one.",
            formula="P(sign dACC/dt(0) = sign gamma) >= gamma^2/(gamma^2 + V)",
            status="proved",
            hypotheses=_uniform_base_inside,
        ),
        Claim(
            id="C4.sign-clt",
            words="The chance that accuracy rises at first follows a normal curve, up "
            "to log K/sqrt(K).",
            formula="P(dACC/dt(0) > 0) = Phi(sqrt(K) gamma / sd) + O(log K/sqrt(K))",
            status="proved",
            hypotheses=_uniform_base_inside,
        ),
        Claim(
            id="C4.worst-wins",
            words="The chance that the winner is the worst pattern, at any K.",
            formula="P(2) = K int_0^{1/2} f(x) (F(1-x) - F(x))^(K-1) dx",
            status="proved",
            hypotheses=_uniform_base_inside,
        ),
        Claim(
            id="C4.worst-wins-limit",
            words="In the limit only the densities at the two ends count.",
            formula="P(2) -> f(0)/(f(0) + f(1))",
            status="proved",
            hypotheses=_uniform_base_inside,
        ),
        Claim(
            id="C4.together",
            words="In the tilted family both reported limits hold iff the tilt "
            "vanishes more slowly than one over the square root of K.",
            formula="P(1) -> 1, P(2) -> 1/2  <=>  c -> 0, c sqrt(K) -> infinity",
            status="proved",
            hypotheses=_uniform_base_inside,
        ),
        Claim(
            id="C4.jointly",
            words="That accuracy rises at first and the worst pattern wins: rarer than "
            "the product of the two chances, by much at moderate K.",
            formula="P(1 and 2) ~ K int f(x) (1-2x)^(K-1) Phi(M(x)/sqrt((K-1) v)) dx",
            status="formal",
            hypotheses=_uniform_base_inside,
        ),
        Claim(
            id="C4.mean-above-half",
            words="Given only that the mean rate exceeds one half, accuracy rises at "
            "first with probability 0.677 in the limit.",
            formula="c = 0, mean s > 1/2:  P(1) -> 1/2 + arcsin(r)/pi",
            status="proved",
            hypotheses=_uniform_base_inside,
        ),
    ),
)

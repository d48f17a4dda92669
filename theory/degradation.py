r"""A4: paying a pattern for its confidence, when the confidence is blind to the truth.

Setting: uniform base policy over K patterns, two answers, success rates `s_k` drawn
independently, reward `R_k = -log(s_k (1 - s_k)) / 2` (cross-entropy of the answer
distribution from the uniform one), no KL term. Chen, Li, Zou, arXiv 2506.04695 (as
reported), Thm 5.6, for `s_k ~ U[0,1]` and K -> infinity: (1) accuracy first rises with
probability 1; (2) with probability 1/2 the winner `argmax R` is `argmin s`. Their
Assumption 5.5 says that the correct answer has the highest probability; it can be read
in more than one way, and the answer depends on the reading (this project):

- `UNCONDITIONED`: no restriction.
- `MEAN_ABOVE_HALF`: condition on `mean_k s_k > 1/2`.
- `EVERY_ABOVE_HALF`: condition on `s_k > 1/2` for every k.

We tilt the density to see both: `f(s) = 1 + c (2 s - 1)`, `c in [-1, 1]`.

**Early rise.** From the uniform policy `theta_k' = (R_k - mean R)/K`, so

    ACC'(0) = (1/K^2) sum_k (R_k - mean R)(s_k - mean s):

its sign is that of the sample covariance. That is asymptotically normal with mean
`Cov_f(s, R) = c/18` and variance `Var_f((s - E s)(R - E R)) / K`, hence
`P(rise) = Phi(sqrt(K) (c/18) / sd) + O(log K / sqrt(K))`. (Proof, and that of the limit
given the mean: `theory.degradation_odds`; for c >= 0, where the mean exceeds 1/2 with
probability 1/2 or more, the same argument in two dimensions holds given the mean. The
exact value c/18 comes from `E R = 1`,
`E s = 1/2 + c/6` and `E s R = 1/2 + 2c/9`.) At c = 0 the reflection s -> 1 - s keeps R
and flips the covariance: exactly 1/2. If every s_k > 1/2 then R increases with s and
Chebyshev's sum inequality makes the covariance positive: exactly 1.

**Winner.** The winner is the s nearest to 0 or 1. It is the worst pattern iff it sits
at some x < 1/2 with all others in (x, 1 - x), and that interval has f-mass 1 - 2x
whatever c is. So

    P(winner is worst) = K int_0^{1/2} f(x) (1 - 2x)^(K-1) dx = (1 - c K/(K+1)) / 2,

exactly, with limit (1 - c)/2. Conditioned on the mean, at c = 0: given the winner at
`x = (1 - w)/2` the others are uniform on an interval of length w about 1/2, and the
mean exceeds 1/2 iff their centred sum exceeds w/2. In units of w that no longer depends
on w: P = P(sum of K-1 uniforms on (-1/2, 1/2) > 1/2) = (1 - b_K)/2, where b_K is the
density at 0 of the sum of K such uniforms, about sqrt(6/(pi K)).  []

**What becomes of Thm 5.6.** Unconditioned and at a fixed c, (1) holds in the limit only
if c > 0, and (2) only if c = 0: never both. At c = 0, given the mean, (2) holds in the
limit and (1) does not: its chance tends to 0.677. Given every pattern, (1) holds and
(2) does not. All of this is proved.

Limits: the normal curves are approximations at finite K (their errors are bounded in
order, and measured: 0.1/sqrt(K) at most). Two answers only.
"""

from fractions import Fraction
from math import comb, factorial
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr, ndtr, ndtri_exp

from theory.statement import Claim, Finding, Statement
from theory.support import Bools, Floats, checked, support
from theory.unit_interval import LOG_LEFT, LOG_RIGHT, POINTS, WEIGHTS

UNCONDITIONED: Final = "unconditioned"
MEAN_ABOVE_HALF: Final = "mean above one half"
EVERY_ABOVE_HALF: Final = "every pattern above one half"
READINGS: Final = (UNCONDITIONED, MEAN_ABOVE_HALF, EVERY_ABOVE_HALF)

# Below this probability of the condition a central limit for the conditioned law is a
# large-deviation statement, which the normal approximation does not support.
_RAREST_CONDITION = 1e-3


def _checked(K: ArrayLike, c: ArrayLike, reading: str) -> tuple[Floats, Floats]:
    if reading not in READINGS:
        raise ValueError(f"`reading` must be one of {READINGS}; got {reading!r}.")
    size, tilt = np.asarray(K, dtype=np.float64), np.asarray(c, dtype=np.float64)
    if not np.all(size >= 2):
        raise ValueError(f"`K` must be at least 2; got {K!r}.")
    if not np.all(np.abs(tilt) <= 1):
        raise ValueError(f"`c` must lie in [-1, 1]; got {c!r}.")
    size, tilt = np.broadcast_arrays(size, tilt)
    return size, tilt


def quantile(share: ArrayLike, c: ArrayLike) -> Floats:
    """The rate below which `share` of the law `f(s) = 1 + c (2s - 1)` on [0, 1] lies.

    Inverse of `F(s) = (1 - c) s + c s^2`, in the form without cancellation; shapes are
    broadcast.
    """
    u, tilt = np.asarray(share, dtype=np.float64), np.asarray(c, dtype=np.float64)
    if not np.all(np.abs(tilt) <= 1):
        raise ValueError(f"`c` must lie in [-1, 1]; got {c!r}.")
    denominator = (1 - tilt) + np.sqrt((1 - tilt) ** 2 + 4 * tilt * u)
    # The denominator vanishes only at c = 1, u = 0, where s = 0.
    return np.asarray(2 * u / np.where(denominator > 0, denominator, 1.0))


def sample(rng: np.random.Generator, shape: tuple[int, ...], c: ArrayLike) -> Floats:
    """Draw from `f(s) = 1 + c (2s - 1)` on [0, 1]; `c` broadcasts with `shape`."""
    return quantile(rng.random(shape), c)


def confidence(success_rates: ArrayLike) -> Floats:
    """`R = -log(s (1 - s)) / 2` for two answers, same shape; +inf at 0 and 1."""
    s = np.asarray(success_rates, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(-0.5 * (np.log(s) + np.log1p(-s)))


def covariance_moments(c: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """`Cov_f(s, R)`; sd of `(s - E s)(R - E R)`; its correlation with s: `[...]`."""
    tilt = np.asarray(c, dtype=np.float64)[..., None]
    weights = WEIGHTS * (1 + tilt * (2 * POINTS - 1))
    centred = POINTS - (0.5 + tilt / 6)
    product = centred * (-0.5 * (LOG_LEFT + LOG_RIGHT) - 1.0)
    covariance = tilt[..., 0] / 18
    deviation = product - covariance[..., None]
    variance = np.sum(weights * deviation**2, axis=-1)
    spread = np.sum(weights * centred**2, axis=-1)
    mixed = np.sum(weights * centred * deviation, axis=-1)
    return covariance, np.sqrt(variance), mixed / np.sqrt(variance * spread)


def _rise_given_mean(size: Floats, tilt: Floats) -> Floats:
    """`P(Y > 0 | X > 0)`, (X, Y) the limiting normal of (mean s - 1/2, covariance).

    With X above its threshold written as `z = -Phi^-1(v Phi(h))`, v uniform on (0, 1),
    it is the mean over v of `Phi((k + r z) / sqrt(1 - r^2))`.
    """
    covariance, sd, r = covariance_moments(tilt)
    spread = 1 / 12 - tilt**2 / 36
    h = np.sqrt(size / spread) * tilt / 6
    k = np.sqrt(size) * covariance / sd
    z = -ndtri_exp(LOG_LEFT + log_ndtr(h)[..., None])
    inner = ndtr((k[..., None] + r[..., None] * z) / np.sqrt(1 - r[..., None] ** 2))
    probability = np.sum(WEIGHTS * inner, axis=-1)
    return np.where(ndtr(h) >= _RAREST_CONDITION, probability, np.nan)


def initial_rise_probability(K: ArrayLike, c: ArrayLike, reading: str) -> Floats:
    """Probability that `dACC/dt(0) > 0` from a uniform base, by reading: `[...]`.

    `UNCONDITIONED`: `Phi(sqrt(K) (c/18)/sd)`, central limit, exact (1/2) at c = 0.
    `MEAN_ABOVE_HALF`: bivariate central limit; at c = 0 it equals
    `1/2 + arcsin(r)/pi = 0.677`; nan where the condition itself is rarer than 1e-3.
    `EVERY_ABOVE_HALF`: 1, exact.
    """
    size, tilt = _checked(K, c, reading)
    if reading == EVERY_ABOVE_HALF:
        return np.ones(size.shape)
    if reading == MEAN_ABOVE_HALF:
        return _rise_given_mean(size, tilt)
    covariance, sd, _ = covariance_moments(tilt)
    return np.asarray(ndtr(np.sqrt(size) * covariance / sd))


def central_density(num_uniforms: int) -> float:
    """Density at 0 of the sum of n uniforms on (-1/2, 1/2), for n >= 2.

    Exact rational sum up to n = 40. Beyond, the inverse Fourier transform
    `int (sin(t/2)/(t/2))^n dt / (2 pi)` by the trapezoidal rule, which for a density of
    bounded support makes no discretisation error once the step is below `4 pi / n`.
    """
    n = num_uniforms
    if n <= 40:
        terms = (
            (-1) ** j * comb(n, j) * Fraction(n - 2 * j, 2) ** (n - 1)
            for j in range((n + 1) // 2)
        )
        return float(sum(terms, Fraction(0)) / factorial(n - 1))
    # The transform is below e^-40 beyond this point (and below 0.22^40 past 2 pi).
    step = 3 * np.pi / n
    t = step * np.arange(1, int(np.sqrt(24 * 50 / n) / step) + 2)
    transform = np.sinc(t / (2 * np.pi)) ** n
    return float(step / (2 * np.pi) * (1 + 2 * np.sum(transform)))


def winner_is_worst_probability(K: ArrayLike, c: ArrayLike, reading: str) -> Floats:
    """Probability that `argmax R` is `argmin s`, at finite K, by reading: `[...]`.

    `UNCONDITIONED`: `(1 - c K/(K+1)) / 2`, exact. `MEAN_ABOVE_HALF`: exact at c = 0,
    `(1 - central_density(K)) / 2`; nan for c != 0, where we have no prediction at
    finite K. `EVERY_ABOVE_HALF`: 0, exact.
    """
    size, tilt = _checked(K, c, reading)
    if reading == EVERY_ABOVE_HALF:
        return np.zeros(size.shape)
    if reading == UNCONDITIONED:
        return np.asarray(0.5 * (1 - tilt * size / (size + 1)))
    counts, position = np.unique(size, return_inverse=True)
    densities = np.array([central_density(int(n)) for n in counts])
    exact = 0.5 * (1 - densities[position].reshape(size.shape))
    return np.where(tilt == 0, exact, np.nan)


def limit_accuracy(
    success_rates: ArrayLike, confidence: ArrayLike, log_policy: ArrayLike
) -> Floats:
    """Accuracy as t -> infinity when patterns are paid their fixed confidence: `[...]`.

    The success rate of the winner, `argmax confidence` on the support. Of tied winners
    only the most likely survive (differences of `exp(-theta)` among equals are
    conserved), in equal shares: the mean success rate of those. Inputs `[..., K]`.
    """
    pay, log_pi = np.broadcast_arrays(
        np.asarray(confidence, dtype=np.float64),
        np.asarray(log_policy, dtype=np.float64),
    )
    top = np.max(np.where(support(log_pi), pay, -np.inf), axis=-1, keepdims=True)
    winners = support(log_pi) & (pay == top)
    likeliest = np.max(np.where(winners, log_pi, -np.inf), axis=-1, keepdims=True)
    survivors = winners & (log_pi == likeliest)
    s = np.broadcast_to(np.asarray(success_rates, dtype=np.float64), survivors.shape)
    return np.asarray(np.mean(s, axis=-1, where=survivors))


def uniform_base(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Whether the policy is the same on all patterns of its support: `[...]`."""
    _, log_pi = checked(success_rates, log_policy)
    inside = support(log_pi)
    spread = np.max(log_pi, axis=-1) - np.min(np.where(inside, log_pi, np.inf), axis=-1)
    return np.asarray(spread <= 1e-12)


def _every_above_half(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    s, log_pi = checked(success_rates, log_policy)
    inside = support(log_pi)
    above = np.all((s > 0.5) & (s < 1) | ~inside, axis=-1)
    differ = np.max(s, axis=-1) > np.min(np.where(inside, s, np.inf), axis=-1)
    return np.asarray(uniform_base(s, log_pi) & above & differ)


STATEMENT = Statement(
    id="A4",
    title="RLIF: early improvement and late degradation",
    words=(
        "Training on self-certainty first raises accuracy and may then drive it down, "
        "because the most confident pattern can be confidently wrong. How likely "
        "either is depends on how the success rates lean and on what is assumed of "
        "the base model; for uniform rates both limits hold under none of the three "
        "readings."
    ),
    formula="K -> infinity: (1) P(dACC/dt(0) > 0) -> 1; "
    "(2) P(argmax R = argmin s) -> 1/2",
    source="Chen, Li, Zou, arXiv 2506.04695 (as reported), Thm 5.6; "
    "tilted family: this project",
    assumptions="uniform base; two answers; i.i.d. success rates; a reading of "
    "'the correct answer has the highest probability': " + ", ".join(READINGS),
    proof="sign of a sample covariance; extreme-value integral; theory/degradation.py, "
    "theory/degradation_odds.py",
    claims=(
        Claim(
            id="A4.rise",
            words="Accuracy rises at first with probability tending to one.",
            formula="P(dACC/dt(0) > 0) -> 1",
            status="as reported",
            hypotheses=uniform_base,
        ),
        Claim(
            id="A4.winner",
            words="With probability one half the winner is the worst pattern.",
            formula="P(argmax R = argmin s) -> 1/2",
            status="as reported",
            hypotheses=uniform_base,
        ),
        Claim(
            id="A4.rise-clt",
            words="For a tilted law the chance of early rise follows a normal curve.",
            formula="P(dACC/dt(0) > 0) = Phi(sqrt(K) (c/18) / sd(c)) "
            "+ O(log K/sqrt(K))",
            status="proved",
            hypotheses=uniform_base,
        ),
        Claim(
            id="A4.winner-exact",
            words="For a tilted law the chance that the winner is worst, at finite K.",
            formula="P(argmax R = argmin s) = (1 - c K/(K+1)) / 2",
            status="proved",
            hypotheses=uniform_base,
        ),
        Claim(
            id="A4.every-above-half",
            words="If every pattern is more often right than wrong, accuracy rises and "
            "the winner is the best pattern.",
            formula="s_k > 1/2 for all k  =>  dACC/dt(0) > 0 and argmax R = argmax s",
            status="proved",
            hypotheses=_every_above_half,
        ),
        Claim(
            id="A4.both",
            words="Without a condition, (1) and (2) hold together for one fixed law of "
            "the family.",
            formula="P(1) -> 1 and P(2) -> 1/2 at fixed c",
            status="refuted",
            hypotheses=uniform_base,
        ),
    ),
    findings=(
        Finding(
            reported="For uniform success rates, as K grows, accuracy first rises with "
            "probability 1.",
            found="Without a condition it rises with probability 1/2. If the mean rate "
            "exceeds 1/2 the limit is 0.677, if every rate does it is 1. If the law of "
            "the rates leans to the right side (c > 0) it is 1 without a condition.",
            evidence=("A4.rise", "A4.rise-clt", "A4.every-above-half"),
            verdict="depends on the reading",
        ),
        Finding(
            reported="With probability 1/2 the pattern that training ends at is the "
            "worst one.",
            found="Without a condition the chance is (1 - c K/(K+1))/2: 1/2 for "
            "uniform rates (c = 0). If every rate exceeds 1/2 it is 0.",
            evidence=("A4.winner", "A4.winner-exact", "A4.every-above-half"),
            verdict="depends on the reading",
        ),
        Finding(
            reported="Both hold together.",
            found="For uniform rates under none of the three readings of Assumption "
            "5.5; without a condition under no fixed law of our family.",
            evidence=("A4.both",),
            verdict="refuted as read",
        ),
    ),
)

r"""C7: how large a step may be, by the gradient gap.

A step of size eta moves the logits by `eta w`: `pi'_k ~ pi_k exp(eta w_k)`. Let J be
the accuracy, `z = log J/(1 - J)` its log-odds, and

    pi+_k = pi_k s_k / J,     pi-_k = pi_k (1 - s_k) / (1 - J)

the policy given that the answer is right or wrong. The norm of pi' cancels in z:

    z' - z = log sum_k pi+_k exp(eta w_k) - log sum_k pi-_k exp(eta w_k).        (1)

Its slope at eta = 0 is the gradient gap `D = sum_k w_k (pi+_k - pi-_k)` of Suk and Duan
(the scores of right answers less those of wrong ones, along w).

**Any direction.** Let R be the largest less the smallest w_k on the support. Each
logarithm in (1) is at least eta times the mean of w (Jensen) and exceeds that by at
most `(eta R)^2/8` (Hoeffding's lemma). Hence

    |z' - z - eta D| <= (eta R)^2 / 8.     []                                    (2)

So accuracy rises for every `0 < eta < 8 D/R^2`; and up to `eta = 4 D/R^2` the log-odds
gain at least half of eta D, so that over many such steps

    z_K >= z_0 + 1/2 sum_k eta_k D_k.                                            (3)

*8 is the best constant.* Let one pattern be always right, with w = d, and two equally
likely ones always wrong, with w = 1/2 and -1/2. Then D = d, R = 1 and z' - z =
eta d - log cosh(eta/2), negative at `eta = 8 c d` for every c > 1 if d is small
enough, as log cosh(x) = x^2/2 - x^4/12 + ... .  []

*As published.* Suk and Duan ask for `eta <= D/(2 (L + 8 G^2))` along a unit vector,
where G bounds the score and L its Jacobian, and conclude (3). Pattern logits have
`|e_k - pi| <= sqrt 2 = G` and `|diag pi - pi pi^T| <= 1/2 = L`, and R^2 <= 2 for a unit
vector: (2) allows steps 66 times as long at least, with the same conclusion.

**Its own gradient.** For `w_k = g_k = pi_k (s_k - J)`, whatever eta >= 0,

    J' - J = sum_k g_k exp(eta g_k) / N = sum_k g_k (exp(eta g_k) - 1) / N >= 0,

with `N = sum_k pi_k exp(eta g_k)`: the g_k sum to 0, and `x (exp(eta x) - 1) >= 0` for
every x. Exact policy gradient on pattern logits cannot overshoot.  []  GRPO of large
groups has the same direction. So a largest step comes with sampling
(`theory/step_size.py`), with features that patterns share, or with another direction:
far along w accuracy tends to that of the largest w_k, and falls, although D is
positive, if that pattern is right less often than J (`overshoot_instance`).

Source: this project; gradient gap and the first condition of this kind: Suk and Duan
2025 (arXiv 2510.08539), their condition as public summaries state it. Limits: patterns
with logits of their own; the length of responses, which their condition for tokens
depends on, has no counterpart here.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from theory.statement import Claim, Statement
from theory.support import Bools, Floats, accuracy_excess, checked, log_sum, support

SCORE, JACOBIAN = np.sqrt(2.0), 0.5  # G and L of pattern logits


class LogOddsBounds(NamedTuple):
    """Bounds on `z' - z`, both `[...]`."""

    lower: Floats
    upper: Floats


def log_odds(success_rates: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`z = log J/(1 - J)`, also where J is 0 or 1 to rounding: `[...]`."""
    right, wrong = _log_shares(success_rates, log_policy)
    return np.asarray(right - wrong)


def own_gradient(success_rates: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`g_k = pi_k (s_k - J)`, the policy gradient on pattern logits: `[..., K]`."""
    s, log_pi = checked(success_rates, log_policy)
    ahead = np.where(support(log_pi), -accuracy_excess(s, log_pi), 0.0)
    return np.asarray(np.exp(log_pi) * ahead)


def gradient_gap(
    success_rates: ArrayLike, log_policy: ArrayLike, direction: ArrayLike
) -> Floats:
    """`D = sum_k w_k (pi+_k - pi-_k)` for `direction` w `[..., K]`: `[...]`.

    Zero where all answers are right, or all wrong.
    """
    s, log_pi = checked(success_rates, log_policy)
    w, log_pi = checked(direction, log_pi)
    right, wrong = _log_shares(s, log_pi)
    known = (right > -np.inf) & (wrong > -np.inf)
    size = np.where(known, right + wrong, 0.0)[..., None]
    ahead = np.where(support(log_pi), -accuracy_excess(s, log_pi), 0.0)
    gap = np.sum(w * np.exp(log_pi - size) * ahead, axis=-1)
    return np.asarray(np.where(known, gap, 0.0))


def log_odds_bounds(
    success_rates: ArrayLike,
    log_policy: ArrayLike,
    direction: ArrayLike,
    step: ArrayLike,
) -> LogOddsBounds:
    """`eta D -+ (eta R)^2/8` for steps `[...]`: between them lies `z' - z`."""
    eta = np.asarray(step, dtype=np.float64)
    first = eta * gradient_gap(success_rates, log_policy, direction)
    second = (eta * _range(direction, log_policy)) ** 2 / 8
    return LogOddsBounds(np.asarray(first - second), np.asarray(first + second))


def longest_step(
    success_rates: ArrayLike, log_policy: ArrayLike, direction: ArrayLike
) -> Floats:
    """`8 D/R^2`: accuracy rises for all shorter steps; 0 unless D > 0. `[...]`."""
    gap = gradient_gap(success_rates, log_policy, direction)
    return _per_square(8 * gap, _range(direction, log_policy))


def published_step(
    success_rates: ArrayLike, log_policy: ArrayLike, direction: ArrayLike
) -> Floats:
    """Suk and Duan's step along w, with G and L of pattern logits: `[...]`.

    `D/(2 (L + 8 G^2))` along the unit vector of w, with the mean of w taken off, which
    moves nothing; 0 unless D > 0.
    """
    w, log_pi = checked(direction, log_policy)
    inside = support(log_pi)
    mean = np.sum(w, axis=-1) / np.sum(inside, axis=-1)
    length = np.linalg.norm(np.where(inside, w - mean[..., None], 0.0), axis=-1)
    gap = gradient_gap(success_rates, log_pi, w)
    return _per_square(gap / (2 * (JACOBIAN + 8 * SCORE**2)), length)


def overshoot_instance() -> tuple[Floats, Floats, Floats]:
    """`(success_rates, policy, direction)` with D > 0 and accuracy lost far along w.

    The direction feeds the best pattern, and the worst one a little more.
    """
    rates = np.array([0.9, 0.5, 0.1])
    return rates, np.array([0.3, 0.6, 0.1]), np.array([1.0, -2.1, 1.1])


def sharp_instance(small: float = 0.01) -> tuple[Floats, Floats, Floats]:
    """The instance of the docstring: accuracy falls just beyond `8 D/R^2`."""
    policy = np.array([0.5, 0.25, 0.25])
    return np.array([1.0, 0.0, 0.0]), policy, np.array([small, 0.5, -0.5])


def _log_shares(success_rates, log_policy) -> tuple[Floats, Floats]:
    """`log J` and `log(1 - J)`."""
    s, log_pi = checked(success_rates, log_policy)
    with np.errstate(divide="ignore"):
        right, wrong = np.log(s), np.log1p(-s)
    outside = ~support(log_pi)
    return (
        log_sum(np.where(outside, -np.inf, log_pi + right)),
        log_sum(np.where(outside, -np.inf, log_pi + wrong)),
    )


def _range(direction, log_policy) -> Floats:
    """R."""
    w, log_pi = checked(direction, log_policy)
    inside = support(log_pi)
    top = np.max(np.where(inside, w, -np.inf), axis=-1)
    return np.asarray(top - np.min(np.where(inside, w, np.inf), axis=-1))


def _per_square(amount: Floats, length: Floats) -> Floats:
    moves = (length > 0) & (amount > 0)
    return np.asarray(np.where(moves, amount, 0.0) / np.where(moves, length, 1.0) ** 2)


def _any_policy(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    _, log_pi = checked(success_rates, log_policy)
    return np.asarray(np.any(support(log_pi), axis=-1))


def _right_and_wrong(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    return np.isfinite(log_odds(success_rates, log_policy))


STATEMENT = Statement(
    id="C7",
    title="How large a step may be: the gradient gap",
    words=(
        "Along any direction the log-odds of a right answer change by the gradient gap "
        "times the step, up to a square. Aligned steps below a known length raise "
        "accuracy. Exact policy gradient on pattern logits does so at every length: "
        "too large steps are a matter of sampling, or of another direction."
    ),
    formula="|z' - z - eta D| <= (eta R)^2/8,  z = log J/(1 - J),  D = w . (pi+ - pi-)",
    source="this project; gradient gap: Suk and Duan 2025 (arXiv 2510.08539)",
    assumptions="one exact step on the logits of patterns with fixed success rates",
    proof="Jensen and Hoeffding's lemma; x (exp(eta x) - 1) >= 0; "
    "theory/gradient_gap.py",
    claims=(
        Claim(
            id="C7.bounds",
            words="The log-odds change by the gradient gap times the step, up to an "
            "eighth of the square of the step.",
            formula="|z' - z - eta D| <= (eta R)^2/8",
            status="proved",
            hypotheses=_right_and_wrong,
        ),
        Claim(
            id="C7.half",
            words="Aligned steps up to half of the longest one gain half of what the "
            "slope promises.",
            formula="0 <= eta <= 4 D/R^2  =>  z' - z >= eta D/2",
            status="proved",
            hypotheses=_right_and_wrong,
        ),
        Claim(
            id="C7.published",
            words="The published condition allows steps 66 times shorter at least, "
            "and they gain half of what the slope promises.",
            formula="eta <= D/(2 (L + 8 G^2)), |w| = 1  =>  z' - z >= eta D/2",
            status="proved",
            hypotheses=_right_and_wrong,
        ),
        Claim(
            id="C7.gradient",
            words="A step along the exact policy gradient raises accuracy, however "
            "long it is.",
            formula="J(theta + eta grad J) >= J(theta) for every eta >= 0",
            status="proved",
            hypotheses=_any_policy,
        ),
        Claim(
            id="C7.aligned",
            words="Every aligned step raises accuracy, however long it is.",
            formula="D > 0  =>  J' >= J for every eta >= 0",
            status="refuted",
            hypotheses=_right_and_wrong,
        ),
        Claim(
            id="C7.longer",
            words="Aligned steps raise accuracy up to lengths one percent beyond the "
            "longest one.",
            formula="0 < eta < 8.08 D/R^2  =>  J' > J",
            status="refuted",
            hypotheses=_right_and_wrong,
        ),
    ),
)

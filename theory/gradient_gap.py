r"""C7: how large a step may be, by the gradient gap.

A step of size eta moves the logits by `eta w`: `pi'_k ~ pi_k exp(eta w_k)`. Let J, with
0 < J < 1, be the accuracy, `z = log J/(1 - J)` its log-odds, and

    pi+_k = pi_k s_k / J,     pi-_k = pi_k (1 - s_k) / (1 - J)

the policy given that the answer is right or wrong. The norm of pi' cancels in z:

    z' - z = log sum_k pi+_k exp(eta w_k) - log sum_k pi-_k exp(eta w_k).        (1)

Its slope at eta = 0 is `D = sum_k w_k (pi+_k - pi-_k)`: the component along w of Suk
and Duan's gradient gap, the mean score of correct answers less that of wrong ones (the
score of pattern k is `e_k - pi`).

**Any direction.** Let R be the largest less the smallest w_k on the support. Each
logarithm in (1) is at least eta times the mean of w (Jensen) and exceeds that by at
most `(eta R)^2/8` (Hoeffding's lemma). Hence

    |z' - z - eta D| <= (eta R)^2 / 8.     []                                    (2)

So accuracy rises for every `0 < eta < 8 D/R^2`; and up to `eta = 4 D/R^2` the log-odds
gain at least half of eta D, so that over many such steps

    z_T >= z_0 + M/2,     M = sum_t eta_t D_t,                                   (3)

that is `J_T >= J_0/(J_0 + (1 - J_0) exp(-M/2))`.

*8 is the best constant* as far as D and R go. Let one pattern be always right, with
w = d <= 1/2, and two equally likely ones always wrong, with w = 1/2 and -1/2. Then
D = d, R = 1 and `z' - z = eta d - log cosh(eta/2)`, which is negative at `eta = 8 c d`
for every c > 1 if d is small enough, as log cosh(x) = x^2/2 - x^4/12 + ... .  []  (By
the same instance 4 is the best constant for the half.)

*As published.* Suk and Duan ask for `eta <= D/(2 (L + 8 G^2))` along a unit vector,
where G bounds the score and L its Jacobian, and conclude (3). Pattern logits have
`|e_k - pi| <= sqrt 2 = G` and `|diag pi - pi pi^T| <= 1/2 = L`, and R^2 <= 2 for a unit
vector: up to `4 D/R^2 >= 2 D` steps may be 66 times as long, with the same conclusion.
That is the price of their generality: theirs holds for every parametrisation with such
G and L, (2) where the logits are linear along the step (`w_k = phi_k . v` for features
phi and a step v).

**Its own gradient.** For `w_k = g_k = pi_k (s_k - J)`, whatever eta >= 0,

    J' - J = sum_k g_k exp(eta g_k) / N = sum_k g_k (exp(eta g_k) - 1) / N >= 0,

with `N = sum_k pi_k exp(eta g_k)`: the g_k sum to 0, and x and `exp(eta x) - 1` have
one sign. Exact policy gradient on pattern logits loses no accuracy, however long the
step.  []  The expected step of GRPO on a fresh batch, without clipping or KL, has the
same direction. What cannot happen is a loss; a step may still be too long, and leave
the best pattern so rare that accuracy waits on a plateau (`burying_instance`). Along g,
`D = |g|^2/(J (1 - J))`, so that the published condition allows a learning rate of
`1/(2 (L + 8 G^2) J (1 - J))`, 4/33 at least.

Losses come with sampling (`theory/collapse.py`), with features that patterns share, or
with another direction: far along w accuracy tends to that of the largest w_k (its mean
over ties), and falls, although D is positive, if that pattern is right less often than
J (`overshoot_instance`).

*Their converse*, as a public summary has it: even perfectly aligned steps, if they are
too long, lower accuracy at every iteration, down to zero. By the last paragraph it does
not hold along the exact gradient of pattern logits. It does where patterns share a
parameter theta, with logits `b_k + theta phi_k`. Let one pattern be always right, with
phi = 0, and let wrong ones come in pairs of equal b and opposite phi, so that

    z = b_right - log sum_k exp(b_k) cosh(theta phi_k)    over the wrong k,

even in theta, falling in |theta|. There is one direction, and `w = -sign(theta) phi` is
aligned. A step eta takes theta to `theta - sign(theta) eta`: accuracy rises below
`eta = 2 |theta|`, the mirror image, and falls beyond. Steps `2 c |theta|`, c > 1, lower
it every time, and as |theta| grows by 2c - 1 each time, J -> 0.  []

Source: this project; gradient gap and the condition: Suk and Duan 2025 (arXiv
2510.08539), as public summaries state them (the unit vector is our reading: else the
condition would depend on the units of w). That softmax policy gradient converges with
any constant step size is known in discounted MDPs (Liu, Li and Wei 2024, arXiv
2404.03372); the proof above is for patterns. Limits: one exact step; the length of
responses, which the published condition for tokens depends on, has no counterpart here.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from theory.statement import Claim, Statement
from theory.support import Bools, Floats, accuracy_excess, checked, log_sum, support

SCORE, JACOBIAN = np.sqrt(2.0), 0.5  # G and L of pattern logits
_TINY = -600.0  # log of what is left of the range of floats


class LogOddsBounds(NamedTuple):
    """Bounds on `z' - z`, both `[...]`."""

    lower: Floats
    upper: Floats


class Mirrored(NamedTuple):
    """Problems whose patterns share a parameter: `[..., 1 + 2 P]`.

    The first pattern is right. `turning` `[...]`: `2 |theta|`, the longest step along
    `direction` that does not lower accuracy.
    """

    success_rates: Floats
    log_policy: Floats
    direction: Floats
    turning: Floats


def log_odds(success_rates: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`z = log J/(1 - J)`, also where J is 0 or 1 to rounding: `[...]`."""
    right, wrong = _log_shares(success_rates, log_policy)
    return np.asarray(right - wrong)


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
    right, wrong = (np.where(known, x, 0.0)[..., None] for x in (right, wrong))
    # pi_k (s_k - J)/(J (1 - J)): no cancellation among nearly equal rates.
    size = right + wrong
    ahead = np.where(support(log_pi), -accuracy_excess(s, log_pi), 0.0)
    near = np.exp(log_pi - np.maximum(size, _TINY)) * ahead
    with np.errstate(divide="ignore"):
        far = np.exp(log_pi + np.log(s) - right)
        far = far - np.exp(log_pi + np.log1p(-s) - wrong)
    gap = np.sum(w * np.where(size > _TINY, near, far), axis=-1)
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
    """`8 D/R^2`, below which D and R alone say that accuracy rises; 0 unless D > 0.

    Shape `[...]`.
    """
    unit, size = _scaled(direction, log_policy)
    gap = np.maximum(gradient_gap(success_rates, log_policy, unit), 0.0)
    return _over(8 * gap, _range(unit, log_policy) ** 2 * size)


def published_step(
    success_rates: ArrayLike, log_policy: ArrayLike, direction: ArrayLike
) -> Floats:
    """Suk and Duan's step `D/(2 (L + 8 G^2) |w|^2)`, in units of w: `[...]`.

    The mean of w, which moves nothing, is taken off its length; 0 unless D > 0.
    """
    unit, size = _scaled(direction, log_policy)
    _, log_pi = checked(unit, log_policy)
    inside = support(log_pi)
    mean = np.sum(unit, axis=-1) / np.sum(inside, axis=-1)
    square = np.sum(np.where(inside, unit - mean[..., None], 0.0) ** 2, axis=-1)
    gap = np.maximum(gradient_gap(success_rates, log_policy, unit), 0.0)
    return _over(gap / (2 * (JACOBIAN + 8 * SCORE**2)), square * size)


def overshoot_instance() -> tuple[Floats, Floats, Floats]:
    """`(success_rates, policy, direction)` with D > 0 and accuracy lost far along w.

    The direction feeds the best pattern, and the worst one a little more.
    """
    rates = np.array([0.9, 0.5, 0.1])
    return rates, np.array([0.3, 0.6, 0.1]), np.array([1.0, -2.1, 1.1])


def mirrored(parameter: ArrayLike, weights: ArrayLike, features: ArrayLike) -> Mirrored:
    """The instance of the converse, for theta `[...]`.

    `weights` `[..., P]`: `exp(b)` of the P pairs of wrong patterns, over that of the
    right one. `features` `[..., P]`: phi of one of each pair; the other has -phi.
    """
    theta = np.asarray(parameter, dtype=np.float64)
    one_side = np.asarray(features, dtype=np.float64)
    start = np.zeros_like(one_side[..., :1])
    phi = np.concatenate([start, one_side, -one_side], axis=-1)
    log_weight = np.log(weights)
    logits = np.concatenate([start, log_weight, log_weight], axis=-1)
    logits = logits + theta[..., None] * phi
    return Mirrored(
        np.broadcast_to(np.arange(phi.shape[-1]) == 0, phi.shape).astype(float),
        logits - log_sum(logits)[..., None],
        -np.sign(theta)[..., None] * phi,
        2 * np.abs(theta),
    )


def burying_instance() -> tuple[Floats, Floats]:
    """`(success_rates, policy)`: three patterns whose gradient feeds the rival.

    One step of size 300 takes accuracy to 0.6 and the best pattern to e^-19.6.
    """
    return np.array([0.9, 0.6, 0.1]), np.array([0.05, 0.70, 0.25])


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


def _scaled(direction, log_policy) -> tuple[Floats, Floats]:
    """w in units of its largest size on the support, 0 outside; and that size."""
    w, _ = checked(direction, log_policy)
    size = np.max(np.abs(w), axis=-1)
    return w / np.where(size > 0, size, 1.0)[..., None], np.asarray(size)


def _over(amount: Floats, by: Floats) -> Floats:
    """`amount / by`, 0 where nothing moves."""
    return np.asarray(np.where(by > 0, amount, 0.0) / np.where(by > 0, by, 1.0))


def _any_policy(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    _, log_pi = checked(success_rates, log_policy)
    return np.asarray(np.any(support(log_pi), axis=-1))


def _right_and_wrong(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    return np.isfinite(log_odds(success_rates, log_policy))


STATEMENT = Statement(
    id="C7",
    title="How large a step may be: the gradient gap",
    words=(
        "Along any direction the log-odds of a correct answer change by the step times "
        "D, the component of the gradient gap, up to a square. Aligned steps below a "
        "known length raise accuracy. Exact policy gradient on pattern logits never "
        "lowers it: losses are a matter of sampling, of shared features, or of another "
        "direction."
    ),
    formula="|z' - z - eta D| <= (eta R)^2/8,  z = log J/(1 - J),  D = w . (pi+ - pi-)",
    source="this project; gradient gap: Suk and Duan 2025 (arXiv 2510.08539)",
    assumptions="one exact step on the logits of patterns with fixed success rates",
    proof="Jensen and Hoeffding's lemma; x (exp(eta x) - 1) >= 0; "
    "theory/gradient_gap.py",
    claims=(
        Claim(
            id="C7.bounds",
            words="The log-odds change by the step times D, up to an eighth of the "
            "square of the step.",
            formula="|z' - z - eta D| <= (eta R)^2/8",
            status="proved",
            hypotheses=_right_and_wrong,
        ),
        Claim(
            id="C7.rise",
            words="Aligned steps below 8 D/R^2 raise accuracy.",
            formula="0 < eta < 8 D/R^2  =>  z' > z",
            status="proved",
            hypotheses=_right_and_wrong,
        ),
        Claim(
            id="C7.half",
            words="Aligned steps up to 4 D/R^2 gain half of what the slope promises.",
            formula="0 <= eta <= 4 D/R^2  =>  z' - z >= eta D/2",
            status="proved",
            hypotheses=_right_and_wrong,
        ),
        Claim(
            id="C7.published",
            words="The published condition allows at most a 66th of 4 D/R^2, and steps "
            "up to it gain half of what the slope promises.",
            formula="eta <= D/(2 (L + 8 G^2)) <= (4 D/R^2)/66, |w| = 1  =>  "
            "z' - z >= eta D/2",
            status="proved",
            hypotheses=_right_and_wrong,
        ),
        Claim(
            id="C7.gradient",
            words="No step along the exact policy gradient lowers accuracy, however "
            "long it is.",
            formula="J(theta + eta grad J) >= J(theta) for every eta >= 0",
            status="proved",
            hypotheses=_any_policy,
        ),
        Claim(
            id="C7.converse",
            words="Where patterns share a parameter, aligned steps beyond the mirror "
            "image of the state lower accuracy every time; shorter ones raise it.",
            formula="logits b + theta phi, z even in theta and falling in |theta|:  "
            "z' < z  <=>  eta > 2 |theta|",
            status="proved",
            hypotheses=_right_and_wrong,
        ),
        Claim(
            id="C7.aligned",
            words="However long, no aligned step lowers accuracy.",
            formula="D > 0  =>  J' >= J for every eta >= 0",
            status="refuted",
            hypotheses=_right_and_wrong,
        ),
        Claim(
            id="C7.longer",
            words="Aligned steps up to 8.08 D/R^2 raise accuracy.",
            formula="0 < eta <= 8.08 D/R^2  =>  J' > J",
            status="refuted",
            hypotheses=_right_and_wrong,
        ),
    ),
)

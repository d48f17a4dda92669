r"""C4, jointly: that accuracy rises at first and that the worst pattern wins.

Setting of `theory.degradation`: uniform base, K success rates from the density
`f = 1 + c (2 s - 1)`, reward R. The two events pull against each other: a worst pattern
that wins has the largest R and the smallest s, so it lowers the covariance that decides
the first rise. Their chance is therefore below the product, by much at moderate K
(K = 30, c = 0: 0.08 instead of 0.25), and tends to it only as K -> infinity.

Condition on the winner being the worst, at `s = x < 1/2`, an event of density
`K f(x) (1 - 2x)^(K-1)`; the other n = K - 1 rates are then independent draws from f
restricted to (x, 1 - x). With a, b, g their means of s, R and their covariance, and v
the variance of `(s - a)(R - b)`, the sum that decides,

    sum (s - mean s)(R - mean R)
        = the same over the others + (n/K)(x - mean_o s)(R(x) - mean_o R),

has mean about `M = (n - 1) g + (n/K)(x - a)(R(x) - b)` and variance about `n v`, so

    P(both) ~ K int_0^{1/2} f(x) (1 - 2x)^(K-1) Phi(M / sqrt(n v)) dx.

The restricted moments follow from `e = s - 1/2`: R is even in e, and f splits into the
even part 1 and the odd part 2 c e. Source: this project. Limits: a central-limit
prediction; measured error below 0.006 from K = 100 on, 0.01 at K = 30.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from theory.support import Floats
from theory.unit_interval import LOG_LEFT, LOG_RIGHT, POINTS, WEIGHTS

# The winner's rate x on (0, 1/2), and what belongs to it.
_X = 0.5 * POINTS
_DX = 0.5 * WEIGHTS
_E = _X - 0.5
_R = -0.5 * (LOG_LEFT - np.log(2.0) + np.log1p(-_X))


def _restricted(i: int, j: int, tilt: Floats) -> Floats:
    """`E[e^i R^j]` under f restricted to (x, 1 - x), for all x: `[..., N]`."""
    even = i % 2 == 0
    integrand = _DX * _R**j * (2 * _E**i if even else 4 * _E ** (i + 1))
    # int_x^{1/2}, by the trapezoidal rule in the log odds (relative error 5e-4).
    beyond = np.cumsum(integrand[::-1])[::-1] - 0.5 * integrand
    mass = np.exp(LOG_RIGHT)  # 1 - 2x
    return np.asarray((1.0 if even else tilt) * beyond / mass)


def rise_and_worst_probability(K: ArrayLike, c: ArrayLike) -> Floats:
    """P(accuracy rises at first and the winner is the worst pattern): `[...]`.

    Central limit given the winner's rate; for K from about 100 on.
    """
    size, tilt = np.broadcast_arrays(
        np.asarray(K, dtype=np.float64), np.asarray(c, dtype=np.float64)
    )
    if not np.all(size >= 3):
        raise ValueError(f"`K` must be at least 3; got {K!r}.")
    if not np.all(np.abs(tilt) <= 1):
        raise ValueError(f"`c` must lie in [-1, 1]; got {c!r}.")
    size, tilt = size[..., None], tilt[..., None]
    others = size - 1
    a, b = _restricted(1, 0, tilt), _restricted(0, 1, tilt)
    covariance = _restricted(1, 1, tilt) - a * b
    square = sum(
        p * q * _restricted(i, j, tilt)
        for i, p in ((2, 1.0), (1, -2 * a), (0, a**2))
        for j, q in ((2, 1.0), (1, -2 * b), (0, b**2))
    )
    mean = (others - 1) * covariance + others / size * (_E - a) * (_R - b)
    variance = np.maximum(others * (square - covariance**2), np.finfo(float).tiny)
    density = size * (1 + 2 * tilt * _E) * np.exp(others * LOG_RIGHT)
    return np.asarray(np.sum(_DX * density * ndtr(mean / np.sqrt(variance)), axis=-1))

r"""How large a step of sampled training may be: two patterns, an expansion (formal).

Two patterns of success rates 1/2 +- gap/2, groups of G rollouts, learning rate eta, the
leave-one-out baseline. The log-odds z of the better one change per step by
`dz = 2 eta pi (1 - pi) h gap` in the mean, with variance `4 eta^2 pi (1 - pi) v / G`,
where v is the variance of an advantage (1/4 for rates near one half) and h = 1. For
small steps z is a diffusion whose drift and variance slow down together, so that the
chance ever to fall by |z| is `exp(-lambda |z|)` with

    lambda = h gap G / (eta v).

At lambda = 1, that is `eta = 4 gap G`, falling by one unit is as likely as not: beyond
it, runs collapse onto the worse pattern.

Source: this project. Limits: no error term (formal); measured borders grow like a power
of gap G between 1.3 and 1.4, see figures/README.md.
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.support import Floats

ADVANTAGE_VARIANCE = 0.25  # of a 0/1 reward near even odds


def collapse_step_size(gap: ArrayLike, group_size: ArrayLike) -> Floats:
    """The learning rate `gap G / v` at which lambda = 1; shapes are broadcast."""
    return np.asarray(
        np.asarray(gap, dtype=np.float64) * np.asarray(group_size) / ADVANTAGE_VARIANCE
    )

r"""How large a step of sampled training may be: two patterns, an expansion (formal).

Two patterns of success rates 1/2 +- gap/2, groups of G rollouts, learning rate eta, the
leave-one-out baseline. The log-odds z of the better one change per step by
`dz = 2 eta pi (1 - pi) gap` in the mean, with variance `4 eta^2 pi (1 - pi) v / G`,
where v is the variance of an advantage (1/4 for rates near one half). For small steps z
is a diffusion whose drift and variance slow down together, so that the chance ever to
fall by |z| is `exp(-lambda |z|)` with

    lambda = gap G / (eta v).

At lambda = 1, that is `eta = 4 gap G`, falling by one unit has chance 1/e; beyond it
collapse onto the worse pattern gets likely. It is not for ever: with one rollout per
step every constant learning rate ends at the best arm almost surely (Mei et al. 2024,
arXiv 2502.07141); what large steps cost is the time at the wrong one.

Source: this project. Limits: no error term (formal), leading order in 1/G (the variance
has G - 1 instead of G: a factor 2 at G = 2); measured borders grow like a power of the
gap between 1.3 and 1.4, at each G, see figures/README.md.
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

"""Random numbers per pattern that are correlated as asked."""

import numpy as np


def correlated(rng, shape, correlations):
    """Two normal scores per pattern, `[*shape]` and `[C, *shape]`, so correlated.

    The first is the same for all correlations, as are the draws behind the second.
    """
    first, noise = rng.normal(size=(2, *shape))
    c = np.reshape(correlations, (-1, *[1] * len(shape)))
    return first, c * first + np.sqrt(1 - c**2) * noise

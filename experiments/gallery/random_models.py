"""Random numbers per pattern: correlated as asked, standardised, as shares."""

import numpy as np


def correlated(rng, shape, correlations):
    """Two normal scores per pattern, `[*shape]` and `[C, *shape]`, so correlated.

    The first is the same for all correlations, as are the draws behind the second.
    """
    first, noise = rng.normal(size=(2, *shape))
    c = np.reshape(correlations, (-1, *[1] * len(shape)))
    return first, c * first + np.sqrt(1 - c**2) * noise


def proportional(scores):
    """Probabilities in proportion to the exponentials of the scores, last axis."""
    weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    return weights / np.sum(weights, axis=-1, keepdims=True)


def standardised(values):
    """Minus the mean, by the standard deviation: along the last axis."""
    centred = values - np.mean(values, axis=-1, keepdims=True)
    return centred / np.std(values, axis=-1, keepdims=True)

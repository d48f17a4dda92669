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


def skilled_models(rng, number, patterns=16, skills=5):
    """Success rates `[2, 3, number, K, skills]`, base and teacher logits.

    First axis: the weight of what all skills have in common, 0 or 0.6. Second: how
    broad the base is, 0, 1 or 2 times the standardised mean skill in its logits.
    """
    shared = rng.normal(size=(number, patterns, 1))
    scores = rng.normal(size=(number, patterns, skills))
    base, teacher = rng.normal(size=(2, number, patterns))
    common = np.reshape([0.0, 0.6], (2, 1, 1, 1))
    rates = 1 / (1 + np.exp(-common * shared - scores))
    broad = np.reshape([0.0, 1.0, 2.0], (3, 1, 1))
    base = broad * standardised(rates.mean(axis=-1))[:, None] + 0.7 * base
    rates = np.broadcast_to(rates[:, None], (*base.shape, skills))
    return rates, base, np.broadcast_to(teacher, base.shape)

"""Formats of a pre-training mixture: their success rates by scale, and random ones."""

import numpy as np

MIXTURE = np.array([0.55, 0.25, 0.20])  # code, other code, text


def rates_of(scale):
    """Success rates of the three formats at a scale x between 0 and 1, `[..., 3]`."""
    from scipy.special import expit

    x = np.asarray(scale)
    code, other = 0.55 * expit(4 * (x + 0.05)), 0.45 * expit(4 * (x - 0.15))
    return np.stack([code, other, 0.85 * expit(6 * (x - 0.45))], axis=-1)


def crossing_scale():
    """Where text becomes the best format."""
    from scipy.optimize import brentq

    return brentq(lambda x: np.dot(rates_of(x), [-1, 0, 1]), 0.3, 0.8)


def random_scales(rng, number, scales):
    """Rates `[number, X, 3]`, mixtures of the same shape, and true crossings.

    Text is the rarest format, its rate rises through that of the most frequent one.
    """
    mixture = np.sort(rng.dirichlet(np.ones(3), number), axis=1)[:, ::-1]
    code, place = rng.uniform(0.3, 0.6, number), rng.uniform(0.3, 0.6, number)
    slope, other = rng.uniform(0.3, 0.6, number), rng.uniform(0.3, 0.9, number) * code
    text = code[:, None] + slope[:, None] * (scales - place[:, None])
    flat = np.broadcast_to(np.stack([code, other])[..., None], (2, *text.shape))
    rates = np.clip(np.stack([*flat, text], axis=-1), 0, 1)
    return rates, np.broadcast_to(mixture[:, None], rates.shape), place


def banks(rng, number):
    """Success rates of 300 questions at the scales 0 and 1, `[2, number, 300, 3]`."""
    from scipy.special import expit, logit

    size = (2, number, 300)
    own = 1.5 * rng.normal(size=(*size, 1)) + 2.5 * rng.normal(size=(*size, 3))
    rates = expit(logit(rates_of([0.0, 1.0]))[:, None, None] + own)
    return np.where(rates < 0.08, 0.0, rates)


def switches(leader, scales):
    """The smallest scale that text leads at, `[..., T]` of leaders `[..., X, T]`.

    inf where it never does.
    """
    text = np.asarray(leader) == 2
    return np.where(text.any(axis=-2), scales[text.argmax(axis=-2)], np.inf)

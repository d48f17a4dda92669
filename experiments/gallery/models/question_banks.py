"""Random banks of questions whose clusters share one policy, and their pass@n."""

import numpy as np


def logistic(x):
    """`1 / (1 + exp(-x))`."""
    return 1 / (1 + np.exp(-x))


def banks(rng, number, questions, patterns=48, teachers=12):
    """Success rates `[B, Q, K + T]` and base logits `[B, K]` of random banks.

    The T teacher patterns are the last; 30 % of the questions are solved by no other,
    and half of these by teachers.
    """
    skill = 0.6 * rng.normal(size=(number, 1, patterns))
    hard = 1.6 * rng.normal(size=(number, questions, 1))
    noise = rng.normal(size=(number, questions, patterns + teachers))
    own = logistic(1.2 * (skill - hard) + 2.6 * noise[..., :patterns] - 2.3)
    taught = logistic(2.2 * noise[..., patterns:] - 0.4 * hard - 0.3)
    hopeless = rng.random((2, number, questions, 1)) < [[[[0.3]]], [[[0.5]]]]
    own = np.where(hopeless[0], 0.0, own)
    taught = np.where(hopeless[0] & hopeless[1], 0.0, taught)
    rates = np.concatenate([own, taught], axis=-1)
    return np.where(rates < 0.05, 0.0, rates), 1.2 * rng.normal(size=(number, patterns))


def cluster_means(rates, clusters):
    """`[B, C, K]`: mean rates of the questions `c, c + C, ...` (statement C5)."""
    return np.stack([rates[:, c::clusters].mean(axis=1) for c in range(clusters)], 1)


def accuracies(rates, policies):
    """`[B, ..., Q]` of policies `[B, ..., C, K]` on questions `[B, Q, K]`."""
    questions, clusters = rates.shape[1], policies.shape[-2]
    place = np.arange(questions) % clusters
    return np.einsum("b...qk,bqk->b...q", policies[..., place, :], rates)


def curve(accuracies, attempts):
    """Mean pass@n over the questions, `[..., N]` at the numbers of attempts."""
    from theory.several_questions import pass_at

    return np.stack([pass_at(accuracies, np.asarray(n)) for n in attempts], axis=-1)


def orthogonal_features(common, questions):
    """Features `[..., Q, Q]` with Gram matrix `c + (1 - c) delta_qq'`, c `[...]`."""
    c = np.asarray(common, float)[..., None, None]
    own, shared = np.sqrt(1 - c), np.sqrt(1 - c + c * questions)
    return own * np.eye(questions) + (shared - own) / questions

"""The events' definitions, once more, for whole paths `log_pi` `[N, K]`.

A value rises through 0 when the event happens. Values are relative (a mean divided by
the mean of absolute values, or a difference of logarithms), so that one small number
tells for all of them how near is too near to decide.
"""

import numpy as np

from tests.differential.equations import Law, log_sum


def _relative_mean(log_pi, values):
    """`sum pi v / sum pi |v|`, in [-1, 1]; 0 where all v are 0."""
    used = np.where(values != 0, log_pi, -np.inf)
    top = np.max(used, axis=-1, keepdims=True)
    weights = np.exp(used - np.where(np.isfinite(top), top, 0.0))
    size = np.sum(weights * np.abs(values), axis=-1)
    return np.sum(weights * values, axis=-1) / np.where(size > 0, size, 1.0)


def _log_mass(log_pi, which):
    """`log sum pi_k` over some patterns; -inf for none."""
    if not which.any():
        return np.full(log_pi.shape[:-1], -np.inf)
    return log_sum(log_pi[..., which])


def _lead(log_pi, which):
    """By how much one of these is more likely than all others."""
    if which.all():
        return np.full(log_pi.shape[:-1], np.inf)
    ahead = np.max(log_pi[..., which], axis=-1)
    return ahead - np.max(log_pi[..., ~which], axis=-1)


def best(law: Law):
    rates = law.question.rates
    return rates == rates.max()


def gap(law, level):
    def value(log_pi):
        modes = law.mode(log_pi)
        rewards = np.stack(
            [law.rewards(p, m) for p, m in zip(log_pi, modes, strict=True)]
            if "majority" in law.pay.weights
            else law.rewards(log_pi, 0)
        )
        short = rewards.max(axis=-1, keepdims=True) - rewards
        with np.errstate(divide="ignore"):
            return np.log(level) - log_sum(log_pi + np.log(short))

    return value


def accuracy(law, level):
    return lambda log_pi: _relative_mean(log_pi, law.question.rates - level)


def optimal_probability(law, level):
    return lambda log_pi: _relative_mean(log_pi, best(law) - level)


def suboptimal_mass(law, level):
    return lambda log_pi: np.log(level) - _log_mass(log_pi, ~best(law))


def t0(law):
    rates = law.question.rates
    if best(law).all():
        return lambda log_pi: np.full(log_pi.shape[:-1], -1.0)
    second = rates[~best(law)].max()
    return lambda log_pi: _relative_mean(log_pi, rates - second)


def crossing(law):
    return lambda log_pi: _lead(log_pi, best(law))


def leads(law, pattern):
    mine = np.arange(len(law.question.rates)) == pattern
    return lambda log_pi: _lead(log_pi, mine)


def below_base(law):
    base = np.exp(law.question.log_policy) @ law.question.rates
    return lambda log_pi: _relative_mean(log_pi, base - law.question.rates)


def accuracy_of(law):
    return lambda log_pi: np.exp(log_pi) @ law.question.rates


def log_optimal(law):
    return lambda log_pi: _log_mass(log_pi, best(law))

"""Estimators written out once more: one rollout after the other, in plain NumPy.

`mean_step` goes through all *ordered* groups, `(K M)^G` of them.
"""

import itertools
import math

import numpy as np


def groups(policy, chance, reward, size):
    """The chance of every ordered group, its rewards and the patterns it chose."""
    patterns, results = chance.shape
    cells = list(itertools.product(range(patterns), range(results)))
    for group in itertools.product(cells, repeat=size):
        probability = math.prod(policy[k] * chance[k, m] for k, m in group)
        rewards = np.array([reward[k, m] for k, m in group], float)
        yield probability, rewards, np.array([k for k, _ in group])


def gradient(policy, advantages, rewards, chosen):
    """`(1/G) sum_i A_i (e_k(i) - pi)` of one group."""
    scores = np.eye(len(policy))[chosen] - policy
    return advantages(rewards, chosen) @ scores / len(chosen)


def mean_step(policy, chance, reward, advantages, size):
    """The mean of that over all groups.

    `chance[k, m]`: of result m given pattern k; `reward[k, m]`; `advantages(rewards,
    patterns)` of a group.
    """
    policy, chance = np.asarray(policy), np.asarray(chance)
    return sum(
        probability * gradient(policy, advantages, *group)
        for probability, *group in groups(policy, chance, reward, size)
    )


def normalised_step(policy, chance, reward, advantages, size):
    """The mean of it divided by its length; a batch without gradient moves nothing."""
    policy, chance = np.asarray(policy), np.asarray(chance)
    total = np.zeros(len(policy))
    for probability, *group in groups(policy, chance, reward, size):
        one = gradient(policy, advantages, *group)
        length = np.linalg.norm(one)
        if length > 1e-12:
            total += probability * one / length
    return total


def group_mean(rewards, _):
    return rewards - rewards.mean()


def rloo(rewards, _):
    others = (rewards.sum() - rewards) / (len(rewards) - 1)
    return rewards - others


def grpo(rewards, _, ddof=0, epsilon=0.0):
    if np.ptp(rewards) == 0:
        return np.zeros(len(rewards))
    return (rewards - rewards.mean()) / (rewards.std(ddof=ddof) + epsilon)


def pass_at_n_reward(attempts):
    """Unbiased for pass@n: the mean over all subsets of n that a rollout is in."""

    def advantages(rewards, _):
        size = len(rewards)
        paid = np.zeros(size)
        subsets = list(itertools.combinations(range(size), attempts))
        for subset in subsets:
            for i in subset:
                paid[i] += size * max(rewards[list(subset)]) / len(subsets)
        return paid

    return advantages


def pass_at_n_advantage(attempts):
    """Normalised success of all subsets of n, averaged over those with a rollout."""

    def advantages(rewards, _):
        size = len(rewards)
        subsets = list(itertools.combinations(range(size), attempts))
        success = np.array([rewards[list(s)].max() for s in subsets])
        if success.std() == 0:
            return np.zeros(size)
        normal = (success - success.mean()) / success.std()
        return np.array(
            [
                np.mean([z for z, s in zip(normal, subsets, strict=True) if i in s])
                for i in range(size)
            ]
        )

    return advantages


def delight(policy):
    def advantages(rewards, patterns):
        plain = rloo(rewards, patterns)
        joy = plain * -np.log(np.asarray(policy)[patterns])
        return plain / (1 + np.exp(-joy))

    return advantages

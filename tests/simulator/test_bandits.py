"""Bandits: every pull against NumPy, lanes of a batch, wrong calls."""

import jax
import numpy as np
import pytest
from scipy.special import softmax

import simulator as sim

PULLS = 60


@pytest.fixture(scope="module")
def bandit():
    rng = np.random.default_rng(1)
    mixtures = rng.dirichlet(np.full(3, 0.3), 7)
    mixtures[5] = 0  # not there
    return sim.Bandit(mixtures, [0.9, 0.4, 0.1])


def rewards(bandit, arms, key):
    """What the pulls paid: the same random numbers as in the program."""
    paid = []
    for arm, one in zip(arms, jax.random.split(key, len(arms)), strict=True):
        paying = jax.random.split(one)[1]
        paid.append(float(jax.random.bernoulli(paying, bandit.values[arm])))
    return paid


@pytest.mark.parametrize("width, ridge", [(1.0, 1.0), (0.3, 2.5)])
@pytest.mark.parametrize("kind", [sim.PatternOptimism, sim.ArmOptimism])
def test_the_arm_of_largest_bound_is_pulled(bandit, kind, width, ridge):
    """By ridge regression with the whole inverse at every pull."""
    key = jax.random.key(3)
    done = sim.play(bandit, kind(width=width, ridge=ridge), PULLS, key)
    arms = np.asarray(done.arms)
    mixtures = np.asarray(bandit.mixtures)
    rows = mixtures if kind is sim.PatternOptimism else np.eye(len(mixtures))
    size = rows.shape[1]
    precision, total = ridge * np.eye(size), np.zeros(size)
    there = mixtures.sum(axis=1) > 0
    for arm, reward in zip(arms, rewards(bandit, arms, key), strict=True):
        inverse = np.linalg.inv(precision)
        spread = np.sqrt(np.einsum("ak,kl,al->a", rows, inverse, rows))
        bound = np.where(there, rows @ inverse @ total + width * spread, -np.inf)
        assert bound[arm] >= bound.max() - 1e-10
        precision += np.outer(rows[arm], rows[arm])
        total += reward * rows[arm]
    values = np.where(there, mixtures @ [0.9, 0.4, 0.1], -np.inf)
    np.testing.assert_allclose(done.regret, np.cumsum(values.max() - values[arms]))


def test_the_policy_gradient_has_the_mean_reward_as_baseline(bandit):
    learner = sim.SoftmaxGradient(0.7)
    mixtures = bandit.mixtures
    state = learner.start(mixtures)
    logits, paid = np.where(np.arange(7) == 5, -np.inf, 0.0), []
    for arm, reward in ((0, 1.0), (3, 0.0), (3, 1.0), (6, 1.0)):
        state = learner.learn(state, mixtures, arm, reward)
        step = (np.arange(7) == arm) - softmax(logits)
        mean = np.mean(paid) if paid else 0.0
        logits = np.where(
            logits > -np.inf, logits + 0.7 * (reward - mean) * step, logits
        )
        paid.append(reward)
    np.testing.assert_allclose(state[0], logits, rtol=1e-12)


def test_the_policy_gradient_draws_arms_from_its_policy():
    """A rate of 0 keeps the uniform policy; 4,000 pulls, five standard deviations."""
    bandit = sim.Bandit(np.eye(4), [0.9, 0.6, 0.3, 0.1])
    done = sim.play(bandit, sim.SoftmaxGradient(0.0), 4000, jax.random.key(0))
    counts = np.bincount(done.arms, minlength=4)
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(4000 * 3 / 16)


def test_lanes_do_not_depend_on_each_other(bandit):
    keys = jax.random.split(jax.random.key(5), 3)
    many = sim.Bandit(
        np.stack([bandit.mixtures] * 3), np.stack([bandit.success_rates] * 3)
    )
    widths = np.array([0.0, 0.5, 1.5])
    found = sim.play(many, sim.PatternOptimism(width=widths), PULLS, keys)
    for i, width in enumerate(widths):
        one = sim.play(bandit, sim.PatternOptimism(width=width), PULLS, keys[i])
        np.testing.assert_array_equal(found.arms[i], one.arms)
    assert not (np.asarray(found.arms) == 5).any()


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: sim.Bandit(np.eye(3), [0.5, 0.5]), "`success_rates`"),
        (lambda: sim.Bandit([[0.5, 0.2]], [0.5, 0.5]), "sum to 1"),
        (lambda: sim.Bandit([[0.5, 0.5]], [1.5, 0.5]), "0.5 to 1.5.*from 0 to 1"),
        (lambda: sim.Bandit(np.zeros((2, 2)), [0.5, 0.5]), "no arm"),
        (
            lambda: sim.play(
                sim.Bandit(np.eye(2), [0.5, 0.1]), sim.ArmOptimism(), 5, 0
            ),
            "`keys` is 0",
        ),
        (
            lambda: sim.play(
                sim.Bandit(np.eye(2), [0.5, 0.1]),
                sim.PatternOptimism(ridge=0.0),
                5,
                jax.random.key(0),
            ),
            "`ridge` is 0",
        ),
        (
            lambda: sim.play(
                sim.Bandit(np.eye(2), [0.5, 0.1]),
                sim.ArmOptimism(),
                5,
                jax.random.split(jax.random.key(0), 2),
            ),
            "`keys` has shape",
        ),
        (
            lambda: sim.play(
                sim.Bandit(np.eye(2), [0.5, 0.1]),
                sim.ArmOptimism(width=[1.0, 2.0]),
                5,
                jax.random.key(0),
            ),
            "`width` has shape",
        ),
        (
            lambda: sim.play(
                sim.Bandit(np.eye(2), [0.5, 0.1]),
                sim.ArmOptimism(),
                0,
                jax.random.key(0),
            ),
            "pulls",
        ),
    ],
)
def test_wrong_calls_say_what_is_allowed(call, said):
    with pytest.raises(ValueError, match=said):
        call()

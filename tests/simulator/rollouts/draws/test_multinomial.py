"""Counts are multinomial, whichever way they are drawn."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from simulator.rollouts.draws import multinomial
from simulator.rollouts.draws.binomial_chain import hat
from simulator.rollouts.draws.multinomial import by_counts, one_by_one

DRAWS = 100_000


def draw(sampler, probs, number, draws=DRAWS):
    keys = jax.random.split(jax.random.key(7), draws)
    sample = jax.jit(jax.vmap(lambda key: sampler(key, jnp.asarray(probs), number)))
    return np.asarray(sample(keys)).astype(int)


def to_the_end(key, probs, number):
    """`by_counts` with binomials down to the last rollout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multinomial, "LAST", 0)
        return by_counts(key, probs, number)


@pytest.mark.parametrize("sampler", [one_by_one, by_counts, to_the_end])
def test_small_groups_have_multinomial_counts(sampler):
    probs = np.array([0.05, 0.5, 0.0, 0.3, 0.15])
    counts = draw(sampler, probs, 4)
    assert (counts.sum(axis=1) == 4).all()
    groups = [g for g in itertools.product(range(5), repeat=5) if sum(g) == 4]
    chance = np.array([stats.multinomial.pmf(g, 4, probs) for g in groups])
    seen = np.array([(counts == g).all(axis=1).sum() for g in groups])
    assert seen[chance == 0].sum() == 0
    some = chance > 0
    assert stats.chisquare(seen[some], DRAWS * chance[some]).pvalue > 1e-3


@pytest.mark.parametrize(
    "number, probs",
    [
        (4096, [0.3, 0.001, 0.5, 0.199]),
        (333, [0.003, 0.9, 0.097]),
        (20, [0.05, 0.35, 0.4, 0.2]),  # some end in binomials, some one by one
        (100_000, [0.5, 0.1, 0.4]),
        (64, [0.02, 0.01, 0.96, 0.01]),
    ],
)
def test_large_groups_have_binomial_margins_and_the_right_covariance(number, probs):
    probs = np.array(probs)
    counts = draw(by_counts, probs, number)
    for cell, p in enumerate(probs):
        cuts = np.unique(stats.binom.ppf(np.linspace(0.01, 0.99, 30), number, p))
        chance = np.diff([0, *stats.binom.cdf(cuts, number, p), 1])
        seen = np.histogram(counts[:, cell], [-0.5, *(cuts + 0.5), number + 0.5])[0]
        keep = chance * DRAWS > 5
        seen, chance = seen[keep], chance[keep]
        wanted = chance / chance.sum() * seen.sum()
        assert stats.chisquare(seen, wanted).pvalue > 1e-3
    covariance = number * (np.diag(probs) - np.outer(probs, probs))
    scale = np.sqrt(np.outer(covariance.diagonal(), covariance.diagonal()))
    off = (np.cov(counts.T) - covariance) / scale
    assert np.abs(off).max() < 5 / np.sqrt(DRAWS) * np.sqrt(2)


@pytest.mark.slow
def test_single_precision_draws_a_rare_first_cell_as_seldom_as_it_should():
    """2^20 groups of 128: within 5 sigma of binomial."""
    chance = 1e-8
    probs = jnp.asarray([chance, 0.7, 0.3], jnp.float32)

    def groups(total, key):
        keys = jax.random.split(key, 2**10)
        drawn = jax.vmap(lambda key: one_by_one(key, probs, 128)[0])(keys)
        return total + jnp.sum(drawn), None

    keys = jax.random.split(jax.random.key(11), 2**10)
    seen = int(jax.jit(lambda keys: jax.lax.scan(groups, 0.0, keys)[0])(keys))
    five_sigma = stats.norm.sf(5)
    assert stats.binom.sf(seen - 1, 2**27, chance) > five_sigma
    assert stats.binom.cdf(seen, 2**27, chance) > five_sigma


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_smallest_groups_are_counted_right(number):
    """A mode that is off by one shows here, and nowhere else."""
    probs = np.array([0.4, 0.35, 0.25])
    counts = draw(to_the_end, probs, number)
    for cell, p in enumerate(probs):
        seen = np.bincount(counts[:, cell], minlength=number + 1)
        wanted = DRAWS * stats.binom.pmf(np.arange(number + 1), number, p)
        assert stats.chisquare(seen, wanted).pvalue > 1e-3


def test_certain_cells():
    for sampler in (one_by_one, by_counts, to_the_end):
        counts = draw(sampler, np.array([0.0, 1.0, 0.0]), 40, draws=100)
        assert (counts == [0, 40, 0]).all()


@pytest.mark.slow
def test_the_hat_covers_every_binomial():
    worst = 0.0
    for number in (1, 2, 3, 5, 8, 40, 333, 4096, 100_000):
        for p in np.geomspace(1e-9, 0.5, 40):
            mean = number * p
            spread = np.sqrt(mean * (1 - p))
            mode = np.floor((number + 1) * p)
            k = np.arange(
                max(0, int(mean - 40 * spread - 60)),
                min(number, int(mean + 40 * spread + 60)) + 1,
            )
            log_ratio = stats.binom.logpmf(k, number, p)
            log_ratio = log_ratio - stats.binom.logpmf(mode, number, p)
            centre, width = hat(number, p)
            reach = np.maximum(np.abs(k - centre), np.abs(k + 1 - centre))
            worst = max(worst, (reach * np.exp(log_ratio / 2) / (width / 2)).max())
    assert worst <= 1


def test_lanes_are_lanes_however_vmap_adds_them():
    """Keys along two axes, cells along one of them, or one lane: the same counts."""
    keys = jax.random.split(jax.random.key(3), (4, 5))
    probs = jnp.asarray(np.random.default_rng(1).dirichlet(np.ones(6), size=5))

    def one(key, probs):
        return by_counts(key, probs, 500)

    rows = jax.vmap(one)
    many = jax.jit(jax.vmap(rows, in_axes=(0, None)))(keys, probs)
    alone = [[one(keys[i, j], probs[j]) for j in range(5)] for i in range(4)]
    np.testing.assert_array_equal(many, alone)
    turned = jax.vmap(jax.vmap(one, in_axes=(0, None)), in_axes=(1, 0))(keys, probs)
    np.testing.assert_array_equal(np.moveaxis(turned, 0, 1), alone)

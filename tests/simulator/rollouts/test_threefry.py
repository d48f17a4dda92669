"""The same bits as `jax.random`, whatever the precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simulator as sim
from simulator import rollouts as ro
from simulator.rollouts import threefry


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_keys_fold_as_those_of_jax(seed):
    key = jax.random.key(seed)
    for number in (0, 1, 7, 2**31 - 1):
        ours, theirs = threefry.fold_in(key, number), jax.random.fold_in(key, number)
        assert ours == theirs


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_uniform_numbers_are_those_of_jax(dtype):
    key = jax.random.key(3)
    ours = threefry.uniform(threefry.words(key), 1000, dtype)
    assert ours.dtype == dtype
    np.testing.assert_array_equal(ours, jax.random.uniform(key, (1000,), dtype))


def test_words_are_the_bits_of_jax():
    key = jax.random.key(5)
    high, low = threefry.hashed(threefry.words(key), jnp.arange(50, dtype=jnp.uint32))
    bits = (high.astype(jnp.uint64) << 32) | low
    np.testing.assert_array_equal(bits, jax.random.bits(key, (50,), jnp.uint64))


def test_keys_of_another_kind_are_refused():
    problem = sim.Problem([0.9, 0.1], [0.5, 0.5])
    keys = jax.random.split(jax.random.key(0, impl="rbg"), (1, 2))
    with pytest.raises(ValueError, match="'rbg'"):
        ro.train(problem, ro.Recipe(num_steps=1), keys=keys)

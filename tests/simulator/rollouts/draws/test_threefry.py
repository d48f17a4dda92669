"""The same bits as `jax.random`, and rare cells as rare as they should be."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simulator as sim
from simulator import rollouts as ro
from simulator.rollouts.draws import multinomial, threefry


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_keys_fold_as_those_of_jax(seed):
    key = jax.random.key(seed)
    for number in (0, 1, 7, 2**31 - 1):
        ours, theirs = threefry.fold_in(key, number), jax.random.fold_in(key, number)
        assert ours == theirs


def at_places(monkeypatch, low, high):
    """Draws at 4096 equally spaced places between `low` and `high`, fractions of 1."""
    places = Fraction(low) + (Fraction(high) - Fraction(low)) * np.array(
        [Fraction(2 * i + 1, 8192) for i in range(4096)]
    )
    whole = [int(place * 2**64) for place in places]
    pair = [w >> 32 for w in whole], [w & (2**32 - 1) for w in whole]
    pair = [jnp.asarray(np.array(word, np.uint32)) for word in pair]
    monkeypatch.setattr(threefry, "hashed", lambda words, number: pair)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("chance", [0.3, 1e-6, 1e-10, 1e-16])
def test_uniform_numbers_are_small_as_often_as_they_should(monkeypatch, dtype, chance):
    key = jax.random.key(3)
    plain = threefry.uniform(threefry.words(key), 1000, dtype)
    assert plain.dtype == dtype
    if dtype == jnp.float64:
        theirs = jax.random.uniform(key, (1000,), dtype)
        np.testing.assert_allclose(plain, theirs, rtol=0, atol=2.0**-51)
    at_places(monkeypatch, 0, 2 * chance)
    uniform = np.asarray(threefry.uniform(threefry.words(key), 4096, dtype))
    assert uniform.min() > 0
    assert abs(np.mean(uniform < chance) - 0.5) <= 1 / 4096


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("chance", [1e-8, 1e-10, 1e-12, 1e-16])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_rare_cell_is_as_likely_wherever_it_stands(monkeypatch, dtype, chance, place):
    """Every second draw of twice its length around it lands in it, none elsewhere."""
    probs = jnp.asarray(np.insert([0.7, 0.3], place, chance), dtype)
    given = [Fraction(float(p)) for p in probs]
    start = sum(given[:place], Fraction(0))
    # The likeliest cell takes up how far the sum of floats is from 1.
    start += (1 - sum(given)) if place > np.argmax(probs) else 0
    first = max(start - given[place] / 2, Fraction(0))
    last = min(first + 2 * given[place], Fraction(1) - Fraction(1, 2**65))
    first = last - 2 * given[place]
    at_places(monkeypatch, first, last)
    counts = multinomial.one_by_one(jax.random.key(0), probs, 4096)
    assert counts.dtype == dtype and counts.sum() == 4096
    assert abs(counts[place] / 4096 - 0.5) <= 1 / 1024


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

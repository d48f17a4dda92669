"""Roots and maxima. `find_root` is private: through events, its cost cannot be seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulator.numerics.rootfinding import find_root, seek_positive

# name: function, its root, low, high, the most evaluations it may take (where it is not
# smooth at the root: little more than bisection takes)
CASES = {
    "linear": (lambda x: x - 0.3, 0.3, 0.0, 1.0, 4),
    "smooth": (lambda x: jnp.exp(3 * x) - 2, np.log(2) / 3, 0.0, 1.0, 8),
    "falling": (lambda x: 0.6 - jnp.sqrt(x), 0.36, 0.0, 1.0, 10),
    "kink": (lambda x: jnp.maximum(x - 0.7, 9 * (x - 0.7)), 0.7, 0.0, 1.0, 64),
    "step": (lambda x: jnp.where(x < 0.123, -1.0, 1.0), 0.123, 0.0, 1.0, 60),
    "tiny root": (lambda x: jnp.log(x) + 30, np.exp(-30), 1e-20, 4.0, 64),
    "infinite at the end": (lambda x: -jnp.log1p(-x) - 1, 1 - np.exp(-1), 0.0, 1.0, 8),
    "infinite at the start": (lambda x: jnp.log(x) - 0.3, np.exp(0.3), 0.0, 4.0, 10),
}


def root_and_cost(function, low, high):
    seen = []

    def watched(x):
        jax.debug.callback(lambda x: seen.append(float(x)), x)
        return function(x)

    low, high = jnp.asarray(low), jnp.asarray(high)
    root = find_root(watched, low, high, function(low), function(high))
    jax.effects_barrier()
    return root, len(seen)


@pytest.mark.parametrize("name", CASES)
def test_a_root_is_found_to_the_last_digits_in_few_evaluations(name):
    function, wanted, low, high, most = CASES[name]
    root, cost = root_and_cost(function, low, high)
    np.testing.assert_allclose(root, wanted, rtol=4e-15)
    assert cost <= most


@pytest.mark.parametrize("wanted", [1e-5, 3e-5, 1.1e-4])
def test_rounding_is_not_bisected(wanted):
    """A small root of large terms: values near it are a few units of rounding."""

    def function(x):
        return 0.7 * jnp.cosh(1 + x) - 0.7 * jnp.cosh(1 + wanted)

    root, cost = root_and_cost(function, 0.0, 3.0)
    np.testing.assert_allclose(root, wanted, rtol=1e-10)
    assert cost <= 9


@pytest.mark.parametrize("f_low, f_high, wanted", [(1.0, 2.0, 0.0), (-2.0, -1.0, 1.0)])
def test_without_a_change_of_sign_the_answer_is_the_nearer_end(f_low, f_high, wanted):
    ends = jnp.asarray(0.0), jnp.asarray(1.0)
    values = jnp.asarray(f_low), jnp.asarray(f_high)
    assert find_root(lambda x: x, *ends, *values) == wanted


@pytest.mark.parametrize("top", [0.21, 0.5, 0.6837, 0.799])
@pytest.mark.parametrize("width", [1e-1, 1e-3])
def test_a_narrow_hill_is_found(top, width):
    def hill(x):
        return width**2 - (x - top) ** 2

    given = (jnp.asarray(x) for x in (0.2, 0.5, 0.8, True))
    place, height = seek_positive(hill, *given)
    assert abs(place - top) < width
    assert height == hill(place) > 0
    place, height = seek_positive(hill, *map(jnp.asarray, (0.2, 0.5, 0.8, False)))
    assert place == 0.5 and height == -np.inf

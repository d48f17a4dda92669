"""The step of Rodas5P by itself: its order, and what it does to fast components."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulator.engines.flow import rodas5p


def step(field, time, start, size):
    """One step of `dy/ds = field(s, y)`, with the true Jacobian."""
    slope = jax.jacfwd(field, argnums=1)(time, start)
    pace = jax.jacfwd(field, argnums=0)(time, start)
    matrix = jnp.eye(len(start)) - rodas5p.GAMMA * size * slope

    def right_side(y, alpha, g, carried):
        kick = field(time + alpha * size, y) + g * size * pace
        return rodas5p.GAMMA * (size * kick + carried)

    return rodas5p.step(start, right_side, lambda b: jnp.linalg.solve(matrix, b))


def bent(s, y):
    """Nonlinear, and told the time; solved by `(exp(sin s), 1/(2 + s^2))`."""
    x, z = y
    wanted = jnp.exp(jnp.sin(s)), 1 / (2 + s**2)
    return jnp.stack(
        [
            x * jnp.cos(s) + (z - wanted[1]) * x**2,
            -2 * s * z**2 + jnp.sin(x - wanted[0]),
        ]
    )


def test_the_order_is_five_and_that_of_the_estimate_four():
    ends, errors = [], []
    sizes = np.array([0.1, 0.05, 0.025])
    for size in sizes:
        s = 0.3
        start = jnp.stack([jnp.exp(jnp.sin(s)), 1 / (2 + s**2)])
        end, error = step(bent, s, start, size)
        s = s + size
        ends.append(np.linalg.norm(end - np.array([np.exp(np.sin(s)), 1 / (2 + s**2)])))
        errors.append(np.linalg.norm(error))
    # One step is wrong by its size to the power of order + 1.
    slopes = np.log2(np.array(ends[:-1]) / ends[1:])
    np.testing.assert_allclose(slopes, rodas5p.ORDER + 1, atol=0.25)
    slopes = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(slopes, rodas5p.ORDER, atol=0.25)
    assert ends[-1] < errors[-1] / 10


@pytest.mark.parametrize("rate", [1e4, 1e8, 1e12])
def test_what_is_much_faster_than_a_step_is_gone_after_it(rate):
    def field(s, y):
        return jnp.stack([-y[0], -rate * (y[1] - y[0])])

    end, error = step(field, 0.0, jnp.asarray([1.0, 5.0]), 0.1)
    np.testing.assert_allclose(end[0], np.exp(-0.1), rtol=1e-8)
    # In equilibrium with the slow one, y_1 (1 - 1/rate) = y_0, but for 12 / (0.1 rate)
    # of what it was away.
    np.testing.assert_allclose(end[1], end[0] / (1 - 1 / rate), atol=500 / rate)
    assert abs(error[1]) < 1000 / rate + 1e-8

"""One Runge-Kutta step, written in a row and as a loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diffrax import Dopri8, Tsit5

from simulator.engines.flow.runge_kutta import Stepper


def field(state):
    x, y = state
    return jnp.stack([x[1], -jnp.sin(x[0])]), jnp.cos(y) * x[0]


@pytest.mark.parametrize("solver", [Tsit5(), Dopri8()])
def test_the_loop_lands_where_the_step_ends(solver, rng):
    stepper, start = Stepper(solver), (jnp.asarray(rng.normal(size=2)), jnp.ones(()))
    first, size = field(start), jnp.asarray(0.3)
    end = stepper.step(field, start, size, first).end
    landed = stepper.land(field, start, size, first)
    assert np.abs(end[0] - start[0]).max() > 0.1
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15),
        landed,
        end,
    )

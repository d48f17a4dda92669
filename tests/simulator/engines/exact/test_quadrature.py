import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulator.engines.exact.quadrature import GAUSS_WEIGHTS, NODES, WEIGHTS, inverse


@pytest.mark.parametrize("weights, degree", [(WEIGHTS, 35), (GAUSS_WEIGHTS, 21)])
def test_polynomials_are_integrated_up_to_the_degree_and_no_further(weights, degree):
    """On [0, 1], those centred in 1/2, whose coefficients do not cancel."""
    powers = np.arange(degree + 2)
    exact = np.where(powers % 2, 0.0, 0.5**powers / (powers + 1))
    error = np.abs(weights @ (NODES[:, None] - 0.5) ** powers - exact) * 2.0**powers
    assert error[:-1].max() < 1e-15
    assert error[-1] > 1e-13


def test_every_other_node_is_a_gauss_node():
    nodes, weights = np.polynomial.legendre.leggauss(11)
    np.testing.assert_allclose(NODES[1::2], (1 + nodes) / 2, rtol=1e-15)
    np.testing.assert_allclose(GAUSS_WEIGHTS[1::2], weights / 2, rtol=1e-14)
    assert not GAUSS_WEIGHTS[::2].any()


@pytest.mark.parametrize("rate", [4.0, -4.0, 8.0])
def test_the_place_of_an_amount_is_found_all_along_the_way(rate):
    x = np.linspace(0, 1, 101)
    values, amounts = np.exp(rate * NODES), np.expm1(rate * x) / rate
    top = values.max()
    found = jax.vmap(inverse, (None, 0))(jnp.asarray(values / top), amounts / top)
    np.testing.assert_allclose(found, x, atol=1e-11)


def test_an_amount_out_of_reach_leads_to_the_end():
    ones = jnp.ones(len(NODES))
    assert float(inverse(ones, jnp.asarray(1.5))) == 1.0
    assert float(inverse(ones, jnp.asarray(-0.5))) == 0.0

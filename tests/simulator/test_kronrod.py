import numpy as np
import pytest

from simulator.kronrod import GAUSS_WEIGHTS, NODES, WEIGHTS


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

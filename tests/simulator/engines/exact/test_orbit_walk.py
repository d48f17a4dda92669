import numpy as np

from simulator.engines.exact.orbit_walk import _hermite


def test_the_first_guess_at_the_nodes_is_right_for_quintics(rng):
    quintic = np.polynomial.Polynomial([0.0, *rng.normal(size=5)])
    slope = quintic.deriv()
    f = np.linspace(0, 1, 9)
    guess = _hermite(f, slope(0), quintic([0.5, 1.0]), slope([0.5, 1.0]))
    np.testing.assert_allclose(guess, quintic(f), atol=1e-14)

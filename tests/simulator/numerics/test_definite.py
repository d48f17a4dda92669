"""Signs of eigenvalues, against LAPACK."""

import numpy as np
import pytest

from simulator.numerics.definite import is_positive_definite, not_negative_part


def with_eigenvalues(values, seed):
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(len(values), len(values))))[0]
    return (axes * values) @ axes.T, axes


@pytest.mark.parametrize("least", [1e-3, 1e-9, -1e-9, -1e-3, 0.0])
@pytest.mark.parametrize("seed", range(5))
def test_one_eigenvalue_decides(least, seed):
    matrix, _ = with_eigenvalues(np.array([1.0, 0.3, 0.02, least, 5.0]), seed)
    assert bool(is_positive_definite(matrix)) == (least > 0)


@pytest.mark.parametrize("seed", range(5))
def test_the_part_that_is_not_negative(seed):
    values = np.array([1.0, -0.3, 1e-6, -1e-6, 0.0])
    matrix, axes = with_eigenvalues(values, seed)
    wanted = (axes * (0.5 + 0.5 * np.sign(values))) @ axes.T
    np.testing.assert_allclose(not_negative_part(matrix), wanted, atol=1e-5)
    np.testing.assert_allclose(not_negative_part(-np.eye(3)), 0, atol=1e-15)

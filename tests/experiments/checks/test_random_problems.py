"""Problems for the checks: every family, every size, and the hypotheses kept."""

import numpy as np
import pytest

import theory
from experiments.checks import random_problems


@pytest.mark.parametrize(
    "accept", [None, theory.monotone_regime.in_regime_1, theory.tail_bounds.in_tail]
)
def test_as_many_as_asked_for_and_all_accepted(rng, accept):
    parts = list(random_problems.groups(rng, 500, accept))
    assert [part.rates.shape[1] for part in parts] == [8, 64]
    assert sum(len(part.rates) for part in parts) == 500
    for rates, log_policy in parts:
        np.testing.assert_allclose(np.exp(log_policy).sum(axis=-1), 1, rtol=1e-12)
        assert ((rates >= 0) & (rates <= 1)).all()
        if accept is not None:
            assert accept(rates, log_policy).all()


def test_the_sizes_reach_from_two_to_sixty_four(rng):
    sizes = [
        (part.log_policy > -np.inf).sum(axis=-1)
        for part in random_problems.groups(rng, 4000)
    ]
    sizes = np.concatenate(sizes)
    assert sizes.min() == 2 and sizes.max() == 64


def test_every_family_is_there(rng):
    rates, log_policy = random_problems.mixed(rng, 1000, 4)
    best = np.where(log_policy > -np.inf, rates, -1).argmax(axis=-1)
    mass = np.exp(np.take_along_axis(log_policy, best[:, None], axis=-1))[:, 0]
    assert (mass < 1e-3).mean() > 0.04  # rare best patterns
    assert (np.exp(log_policy).max(axis=-1) > 0.999).mean() > 0.04  # corners
    ties = np.sort(np.where(log_policy > -np.inf, rates, np.nan), axis=-1)
    assert (np.nanmin(np.diff(ties, axis=-1), axis=-1) == 0).mean() > 0.02


def test_impossible_hypotheses_are_said_to_be(rng):
    with pytest.raises(RuntimeError, match="0 of 10 problems of 4 patterns"):
        random_problems.mixed(
            rng, 10, 4, lambda rates, log_policy: np.zeros(len(rates), bool)
        )


def test_rows_of_a_permuted_kernel_are_equally_certain(rng):
    rates, _ = random_problems.mixed(rng, 50, 4)
    kernel = random_problems.kernels(rng, rates, 3, "permuted")
    assert np.ptp(theory.answers.row_entropy(kernel), axis=-1).max() == 0

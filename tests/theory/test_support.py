import numpy as np
import pytest

from tests.theory.problems import random_problem
from theory.support import (
    accuracy_excess,
    best_reward,
    checked,
    gap,
    is_best,
    is_suboptimal,
    log_sum,
)


def test_gap_and_excess_equal_the_plain_differences(rng):
    s, log_pi = random_problem(rng, 6)
    accuracy = np.exp(log_pi) @ s
    np.testing.assert_allclose(gap(s, log_pi), s.max() - accuracy, rtol=1e-13)
    np.testing.assert_allclose(
        accuracy_excess(s, log_pi), accuracy - s, rtol=1e-12, atol=1e-15
    )


def test_gap_keeps_its_digits_when_almost_all_mass_is_on_the_best():
    small = np.array([3e-21, 7e-22])
    log_pi = np.log(np.array([1.0, *small]))
    s = np.array([0.9, 0.6, 0.1])
    np.testing.assert_allclose(gap(s, log_pi), small @ [0.3, 0.8], rtol=1e-13)


def test_a_pattern_without_mass_is_never_best_nor_suboptimal():
    s = np.array([0.99, 0.4, 0.7])
    log_pi = np.log([np.finfo(float).tiny, 0.3, 0.7])
    log_pi[0] = -np.inf
    np.testing.assert_equal(is_best(s, log_pi), [False, False, True])
    np.testing.assert_equal(is_suboptimal(s, log_pi), [False, True, False])
    assert best_reward(s, log_pi) == 0.7
    np.testing.assert_allclose(gap(s, log_pi), 0.3 * 0.3)


def test_rates_outside_the_support_may_be_anything_and_become_zero():
    s, _ = checked([np.nan, 0.2, np.inf], [-np.inf, 0.0, -np.inf])
    np.testing.assert_equal(s, [0, 0.2, 0])


@pytest.mark.parametrize(
    "rewards, policy",
    [
        ([0.1, 0.2, 0.3], [0.4, 0.6]),
        (0.1, [0.4, 0.6]),
        ([0.1, 0.2], [0.4, 0.7]),
        ([0.1, np.nan], [0.4, 0.6]),
        ([np.inf, 0.1], [0.4, 0.6]),
    ],
)
def test_arguments_that_are_no_problem_are_refused(rewards, policy):
    with pytest.raises(ValueError):
        checked(rewards, np.log(policy))


def test_log_sum_survives_extremes_and_empty_sums():
    terms = np.array([[-2000.0, -2001.0, -np.inf], [-np.inf] * 3, [800.0, 1.0, 2.0]])
    wanted = [-2000 + np.log1p(np.exp(-1)), -np.inf, 800.0]
    np.testing.assert_allclose(log_sum(terms), wanted, rtol=1e-14)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "x",
        ["0.1", "0.2"],
        [0.1, 0.2 + 1j],
        np.array([0.1, 0.2 + 1j]),
        [[0.1], [0.2, 0.3]],
        {0: 0.1},
        np.ma.array([0.1, 0.2], mask=[0, 1]),
    ],
)
def test_what_is_no_real_number_is_named(wrong):
    with pytest.raises(ValueError, match="`rewards` must hold real numbers"):
        gap(wrong, np.log([0.4, 0.6]))
    with pytest.raises(ValueError, match="`log_policy` must hold real numbers"):
        gap([0.1, 0.2], wrong)

import numpy as np
import pytest

import theory
from tests.oracles import hitting_times
from tests.theory.problems import flow_at, padded_batch, random_problem


def mass_time(s, log_pi, eps):
    """Exact time at which `1 - pi_* <= eps`, with * the best pattern."""
    best = np.argmax(np.where(log_pi > -np.inf, s, -1.0), axis=-1)[..., None]

    def reached(log_probs):
        others = np.arange(s.shape[-1]) != best
        return eps - np.sum(np.exp(log_probs), axis=-1, where=others)

    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    return theory.clock.time_of(
        path, theory.intrinsic_time.find_event(path, reached)
    ).time


def test_both_bounds_hold_on_300_random_problems_of_regime_1(rng):
    s, log_pi = padded_batch(rng, theory.monotone_regime.in_regime_1, 300, spread=1.0)
    assert np.all(theory.monotone_regime.in_regime_1(s, log_pi))
    eps = theory.support.gap(s, log_pi) * 10 ** rng.uniform(-4, -0.05, size=300)
    time = theory.monotone_regime.gap_time(s, log_pi, eps)
    lower = theory.monotone_regime.gap_time_lower(s, log_pi, eps)
    upper = theory.monotone_regime.gap_time_upper(s, log_pi, eps)
    assert np.all(time > 0) and np.all(lower < time) and np.all(time < upper)

    left = 1 - np.exp(np.max(np.where(s == np.nanmax(s, 1)[:, None], log_pi, -99), 1))
    eps = left * 10 ** rng.uniform(-4, -0.05, size=300)
    time = mass_time(s, log_pi, eps)
    lower = theory.monotone_regime.mass_time_lower(s, log_pi, eps)
    upper = theory.monotone_regime.mass_time_upper(s, log_pi, eps)
    assert np.all(time > 0) and np.all(lower < time) and np.all(time < upper)


def test_the_lower_bound_holds_from_any_start_and_the_upper_one_abstains(rng):
    outside = padded_batch(
        rng, lambda *x: not theory.monotone_regime.in_regime_1(*x), 100
    )
    eps = 0.03 * theory.support.gap(*outside)
    time = theory.monotone_regime.gap_time(*outside, eps)
    assert np.all(theory.monotone_regime.gap_time_lower(*outside, eps) < time)
    assert np.all(np.isnan(theory.monotone_regime.gap_time_upper(*outside, eps)))
    assert np.all(np.isnan(theory.monotone_regime.mass_time_upper(*outside, eps)))


@pytest.mark.parametrize("K", [2, 3, 5])
def test_gap_times_agree_with_the_stepped_flow(rng, K):
    s, log_pi = random_problem(rng, K)
    start = theory.support.gap(s, log_pi)
    levels = start * np.array([0.8, 0.1, 0.004])
    wanted = hitting_times(
        s, log_pi, [lambda pi, e=e: e - pi @ (s.max() - s) for e in levels], 1e6
    )
    np.testing.assert_allclose(
        theory.monotone_regime.gap_time(s, log_pi, levels), wanted, rtol=1e-7
    )


def test_two_patterns_pin_both_constants():
    s, log_pi = np.array([0.85, 0.3]), np.log([0.999, 0.001])
    eps = 1e-4 * theory.support.gap(s, log_pi)
    time = theory.monotone_regime.gap_time(s, log_pi, eps)
    lower = theory.monotone_regime.gap_time_lower(s, log_pi, eps)
    np.testing.assert_allclose(time, lower, rtol=2e-3)
    np.testing.assert_allclose(
        theory.monotone_regime.gap_time_upper(s, log_pi, eps),
        lower / 0.999**2,
        rtol=1e-12,
    )


def test_the_upper_bound_is_sharp_late_and_close_to_the_optimum():
    s = np.array([0.85, 0.5, 0.2, 0.3])
    log_pi = np.log([0.9999, 5e-5, 2e-5, 3e-5])
    eps = 1e-9 * theory.support.gap(s, log_pi)
    ratio = theory.monotone_regime.gap_time(
        s, log_pi, eps
    ) / theory.monotone_regime.gap_time_upper(s, log_pi, eps)
    assert 0.99 < ratio < 1


def test_mass_bounds_are_the_gap_bounds_at_the_extreme_deltas():
    s, log_pi = np.array([0.9, 0.7, 0.2]), np.log([0.8, 0.15, 0.05])
    np.testing.assert_allclose(
        theory.monotone_regime.mass_time_upper(s, log_pi, 0.01),
        theory.monotone_regime.gap_time_upper(s, log_pi, 0.002),
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        theory.monotone_regime.mass_time_lower(s, log_pi, 0.01),
        theory.monotone_regime.gap_time_lower(s, log_pi, 0.007),
        rtol=1e-12,
    )


def test_the_best_pattern_gains_mass_all_along_in_regime_1(rng):
    s, log_pi = padded_batch(rng, theory.monotone_regime.in_regime_1, 1)
    inside = log_pi[0] > -np.inf
    s, log_pi = s[0, inside], log_pi[0, inside]
    best = s.argmax()
    masses = [flow_at(s, log_pi, t)[best] for t in (0.5, 2, 8, 32, 128, 512)]
    assert np.all(np.diff([np.exp(log_pi[best]), *masses]) > 0) and masses[-1] > 0.9


def test_a_level_already_reached_takes_no_time():
    s, log_pi = np.array([0.9, 0.7, 0.2]), np.log([0.8, 0.15, 0.05])
    level = theory.support.gap(s, log_pi) * 1.01
    for bound in (
        theory.monotone_regime.gap_time,
        theory.monotone_regime.gap_time_lower,
        theory.monotone_regime.gap_time_upper,
    ):
        assert bound(s, log_pi, level) == 0


@pytest.mark.parametrize(
    "rates, policy, expected",
    [
        ([0.9, 0.5, 0.2], [0.7, 0.2, 0.1], True),
        ([0.9, 0.5, 0.2], [0.1, 0.2, 0.7], False),  # a second one above average
        ([0.9, 0.9, 0.2], [0.5, 0.3, 0.2], False),  # no unique best
        ([0.9, 0.5, 0.2], [1.0, 0.0, 0.0], False),  # nothing to select
        ([0.5, 0.9, 0.2], [0.7, 0.0, 0.3], True),  # the best of the support
    ],
)
def test_regime_1_is_recognised(rates, policy, expected):
    with np.errstate(divide="ignore"):
        assert theory.monotone_regime.in_regime_1(rates, np.log(policy)) == expected


def test_a_level_that_is_not_positive_is_refused():
    for function in (
        theory.monotone_regime.gap_time,
        theory.monotone_regime.gap_time_upper,
        theory.monotone_regime.mass_time_lower,
    ):
        with pytest.raises(ValueError, match="eps"):
            function([0.9, 0.5], np.log([0.3, 0.7]), 0.0)

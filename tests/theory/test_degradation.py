import numpy as np
import pytest
from scipy.integrate import quad

import theory
from tests.theory.problems import flow_at, random_problem
from theory.degradation import EVERY_ABOVE_HALF, MEAN_ABOVE_HALF, UNCONDITIONED

TILTS = [0.0, 0.1, 0.3]


def draws(K, count, c, seed):
    """Rates, whether accuracy rises at first, whether the winner is the worst."""
    s = theory.degradation.sample(np.random.default_rng(seed), (count, K), c)
    R = -0.5 * np.log(s * (1 - s))
    slope = np.einsum("nk,nk->n", R - R.mean(1, keepdims=True), s)
    return s, slope > 0, R.argmax(1) == s.argmin(1)


def within_4_standard_errors(hits, predicted):
    error = np.sqrt(predicted * (1 - predicted) / hits.size)
    return abs(hits.mean() - predicted) < 4 * error + 1 / hits.size


@pytest.mark.parametrize("c", TILTS)
def test_chances_of_early_rise_agree_with_draws(c):
    K = 1000
    s, rises, _ = draws(K, 3000, c, seed=5)
    chance = theory.degradation.initial_rise_probability(K, c, UNCONDITIONED)
    assert within_4_standard_errors(rises, chance)
    inside = s.mean(1) > 0.5
    chance = theory.degradation.initial_rise_probability(K, c, MEAN_ABOVE_HALF)
    assert within_4_standard_errors(rises[inside], chance)


def test_the_chance_of_rise_under_a_condition_agrees_with_draws_where_it_binds():
    s, rises, _ = draws(1000, 4000, -0.05, seed=6)
    inside = s.mean(1) > 0.5
    assert 300 < inside.sum() < 1500
    chance = theory.degradation.initial_rise_probability(1000, -0.05, MEAN_ABOVE_HALF)
    assert within_4_standard_errors(rises[inside], chance)


@pytest.mark.parametrize("c", [-0.6, *TILTS])
@pytest.mark.parametrize("K", [2, 40])
def test_the_chance_that_the_winner_is_worst_agrees_with_draws(K, c):
    s, _, worst = draws(K, 40_000, c, seed=7)
    chance = theory.degradation.winner_is_worst_probability(K, c, UNCONDITIONED)
    assert within_4_standard_errors(worst, chance)
    if c == 0:
        chance = theory.degradation.winner_is_worst_probability(K, c, MEAN_ABOVE_HALF)
        assert within_4_standard_errors(worst[s.mean(1) > 0.5], chance)


def test_above_one_half_everywhere_accuracy_rises_and_the_best_pattern_wins():
    s = np.random.default_rng(8).uniform(0.5, 1, size=(500, 30))
    R = theory.degradation.confidence(s)
    assert np.all(np.sum((R - R.mean(1, keepdims=True)) * s, axis=1) > 0)
    assert np.all(R.argmax(1) == s.argmax(1))
    assert theory.degradation.initial_rise_probability(30, 0.2, EVERY_ABOVE_HALF) == 1
    assert (
        theory.degradation.winner_is_worst_probability(30, 0.2, EVERY_ABOVE_HALF) == 0
    )


@pytest.mark.parametrize("c", [-0.7, 0.0, 0.3, 1.0])
def test_the_moments_agree_with_adaptive_quadrature(c):
    def mean(function):
        def weighted(s):
            return (1 + c * (2 * s - 1)) * function(s, -0.5 * np.log(s * (1 - s)))

        return quad(weighted, 0, 1, epsabs=1e-11, epsrel=1e-11)[0]

    middle = mean(lambda s, R: s)
    np.testing.assert_allclose(mean(lambda s, R: R), 1, rtol=1e-9)
    cov = mean(lambda s, R: (s - middle) * (R - 1))
    var = mean(lambda s, R: ((s - middle) * (R - 1) - cov) ** 2)
    spread = mean(lambda s, R: (s - middle) ** 2)
    mixed = mean(lambda s, R: (s - middle) * ((s - middle) * (R - 1) - cov))
    wanted = cov, np.sqrt(var), mixed / np.sqrt(var * spread)
    moments = theory.degradation.covariance_moments(c)
    np.testing.assert_allclose(moments, wanted, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(moments[0], c / 18, rtol=1e-12)


def test_the_printed_constants_come_out():
    _, sd, r = theory.degradation.covariance_moments(0.0)
    np.testing.assert_allclose(r, 0.52721, atol=5e-6)
    np.testing.assert_allclose(sd, 0.182518, atol=5e-7)
    rise = theory.degradation.initial_rise_probability([1e3, 1e4], 0.1, UNCONDITIONED)
    np.testing.assert_allclose(rise, [0.833, 0.9989], atol=6e-4)
    given = theory.degradation.initial_rise_probability(1e4, 0.0, MEAN_ABOVE_HALF)
    np.testing.assert_allclose(given, 0.5 + np.arcsin(r) / np.pi, rtol=1e-10)
    np.testing.assert_allclose(given, 0.677, atol=5e-4)
    assert theory.degradation.initial_rise_probability(50, 0.0, UNCONDITIONED) == 0.5
    worst = theory.degradation.winner_is_worst_probability(1000, 0.0, MEAN_ABOVE_HALF)
    np.testing.assert_allclose(worst, 0.48, atol=5e-3)


def test_the_two_reported_limits_exclude_each_other_at_a_fixed_tilt():
    K = 10.0 ** np.arange(2, 9)
    for c in (-0.3, 0.0, 0.1, 0.3):
        rise = theory.degradation.initial_rise_probability(K, c, UNCONDITIONED)[-1]
        worst = theory.degradation.winner_is_worst_probability(K, c, UNCONDITIONED)[-1]
        np.testing.assert_allclose(worst, (1 - c) / 2, rtol=1e-6)
        np.testing.assert_allclose(rise, 0.5 * (1 + np.sign(c)), atol=1e-9)


def test_no_prediction_is_made_where_none_is_known():
    assert np.isnan(
        theory.degradation.winner_is_worst_probability(50, 0.1, MEAN_ABOVE_HALF)
    )
    assert np.isnan(
        theory.degradation.initial_rise_probability(1e4, -0.3, MEAN_ABOVE_HALF)
    )


def test_the_central_density_of_sums_of_uniforms_is_known_in_closed_form():
    for n, wanted in ((2, 1), (3, 3 / 4), (4, 2 / 3), (5, 115 / 192)):
        np.testing.assert_allclose(
            theory.degradation.central_density(n), wanted, rtol=1e-15
        )

    def fourier(n):
        def transform(t):
            return np.sinc(t / (2 * np.pi)) ** n / np.pi

        return quad(transform, 0, 40 / np.sqrt(n), epsabs=1e-13, limit=200)[0]

    for n in (40, 41, 300, 5000):
        np.testing.assert_allclose(
            theory.degradation.central_density(n), fourier(n), rtol=1e-10
        )
    np.testing.assert_allclose(
        theory.degradation.central_density(10_000),
        np.sqrt(6 / (np.pi * 1e4)),
        rtol=1e-4,
    )


@pytest.mark.parametrize("c", [-1.0, -0.4, 0.0, 0.3, 1.0])
def test_draws_invert_the_distribution_function(c):
    s = theory.degradation.sample(np.random.default_rng(9), (1000,), c)
    u = np.random.default_rng(9).random(1000)
    np.testing.assert_allclose((1 - c) * s + c * s**2, u, rtol=1e-10)


def test_confidence_is_symmetric_and_blind_to_the_truth():
    s = np.array([0.03, 0.4, 0.5])
    np.testing.assert_allclose(
        theory.degradation.confidence(s), -np.log(np.sqrt(s * (1 - s)))
    )
    np.testing.assert_allclose(
        theory.degradation.confidence(1 - s), theory.degradation.confidence(s)
    )
    assert np.all(theory.degradation.confidence([0.0, 1.0]) == np.inf)


def test_the_sign_of_the_covariance_is_the_sign_of_the_first_step(rng):
    K = 6
    signs = set()
    for _ in range(8):
        s = rng.uniform(0.02, 0.98, size=K)
        R = theory.degradation.confidence(s)
        later = flow_at(R, np.full(K, -np.log(K)), 1e-2) @ s
        covariance = np.sum((R - R.mean()) * (s - s.mean()))
        np.testing.assert_allclose(
            (later - s.mean()) / 1e-2, covariance / K**2, rtol=0.05, atol=1e-4
        )
        signs.add(np.sign(covariance))
    assert signs == {-1.0, 1.0}


def test_the_limit_accuracy_is_where_the_flow_ends(rng):
    s, log_pi = random_problem(rng, 5)
    pay = np.array([0.3, 1.4, 0.9, 1.4, 1.1])
    cases = [(pay, log_pi)]
    equal = np.log([0.1, 0.25, 0.3, 0.25, 0.1])
    cases += [(pay, equal), (pay[::-1].cumsum(), log_pi)]
    for reward, base in cases:
        path = theory.intrinsic_time.intrinsic_path(reward, base)
        end = theory.intrinsic_time.log_probs_at(
            path, theory.intrinsic_time.event_at_slope(path, 1e30)
        )
        limit = theory.degradation.limit_accuracy(s, reward, base)
        np.testing.assert_allclose(limit, np.exp(end) @ s, rtol=1e-12)
    np.testing.assert_allclose(
        theory.degradation.limit_accuracy(s, pay, equal), (s[1] + s[3]) / 2, rtol=1e-14
    )


def test_a_confident_pattern_without_mass_does_not_win():
    s, pay = [0.2, 0.9, 0.6], [5.0, 1.0, 2.0]
    log_pi = np.array([-np.inf, np.log(0.7), np.log(0.3)])
    assert theory.degradation.limit_accuracy(s, pay, log_pi) == 0.6


def test_impossible_sizes_tilts_and_readings_are_refused():
    for function in (
        theory.degradation.initial_rise_probability,
        theory.degradation.winner_is_worst_probability,
    ):
        for arguments in ((1, 0.0, UNCONDITIONED), (9, 1.1, UNCONDITIONED)):
            with pytest.raises(ValueError):
                function(*arguments)
        with pytest.raises(ValueError, match="reading"):
            function(9, 0.0, "other")
    with pytest.raises(ValueError, match="c"):
        theory.degradation.sample(np.random.default_rng(0), (3,), -1.5)

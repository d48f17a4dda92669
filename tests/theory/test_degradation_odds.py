"""Laws of success rates other than the uniform one, against draws and quadrature."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

import theory
from tests.theory.problems import flow_at
from theory.degradation import MEAN_ABOVE_HALF, UNCONDITIONED


def mixed(x):
    """Density of a mixture of laws that lean to either side: 1.8 at 0, 0.8 at 1."""
    return 0.6 * 3 * (1 - x) ** 2 + 0.4 * 2 * x


def mixed_below(x):
    return 0.6 * (1 - (1 - x) ** 3) + 0.4 * x**2


LAWS = {
    "mixed": (mixed, mixed_below, 9 / 13),
    "falling": (lambda x: 2 * (1 - x), lambda x: x * (2 - x), 1.0),
    "beta(1, 3)": (beta(1, 3).pdf, beta(1, 3).cdf, 1.0),
    "tilted": (lambda x: 0.6 + 0.8 * x, lambda x: x * (0.6 + 0.4 * x), 0.3),
}


def draw(name, rng, shape):
    u = rng.random(shape)
    if name == "mixed":
        return np.where(rng.random(shape) < 0.6, 1 - np.cbrt(u), np.sqrt(u))
    if name == "falling":
        return 1 - np.sqrt(1 - u)
    if name == "beta(1, 3)":
        return 1 - np.cbrt(1 - u)
    return theory.degradation.sample(rng, shape, 0.4)


@pytest.mark.parametrize("name", LAWS)
def test_the_moments_of_a_law_are_those_of_its_draws(rng, name):
    s = draw(name, rng, (400_000,))
    R = theory.degradation.confidence(s)
    moments = theory.degradation_odds.law_moments(LAWS[name][0])
    centred, R = s - s.mean(), R - R.mean()
    products = [centred * R, (centred * R) ** 2, centred**2, R**2]
    for value, product in zip(moments, products, strict=True):
        error = product.std() / np.sqrt(s.size)
        assert abs(value - product.mean()) < 5 * error


@pytest.mark.parametrize("c", [-0.8, 0.3, 1.0])
def test_the_family_has_its_moments_in_closed_form(c):
    general = theory.degradation_odds.law_moments(lambda x: 1 + c * (2 * x - 1))
    np.testing.assert_allclose(
        theory.degradation_odds.family_moments(c), general, rtol=1e-10
    )
    spread = quad(lambda s: (np.log(s * (1 - s)) / 2 + 1) ** 2, 0, 1)[0]
    np.testing.assert_allclose(general.confidence_variance, spread, rtol=1e-8)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("K", [2, 3, 12])
def test_the_variance_of_the_sample_covariance_is_exact_at_small_size(rng, name, K):
    s = draw(name, rng, (200_000, K))
    slope = theory.degradation_odds.first_slope(s) * K**2 / (K - 1)
    moments = theory.degradation_odds.law_moments(LAWS[name][0])
    error = slope.std() / np.sqrt(len(s))
    assert abs(slope.mean() - moments.covariance) < 5 * error
    square = (slope - moments.covariance) ** 2
    error = square.std() / np.sqrt(len(s))
    assert (
        abs(square.mean() - theory.degradation_odds.covariance_variance(K, moments))
        < 5 * error
    )


@pytest.mark.parametrize("name", LAWS)
def test_the_sign_of_the_first_move_obeys_its_bound_and_becomes_certain(rng, name):
    moments = theory.degradation_odds.law_moments(LAWS[name][0])
    bounds = []
    for K in (5, 60, 700):
        s = draw(name, rng, (4000, K))
        agree = np.sign(theory.degradation_odds.first_slope(s)) == np.sign(
            moments.covariance
        )
        bounds.append(theory.degradation_odds.sign_probability_bound(K, moments))
        assert agree.mean() > bounds[-1] - 4 * 0.5 / np.sqrt(4000)
    assert np.all(np.diff(bounds) > 0)
    assert theory.degradation_odds.sign_probability_bound(1e7, moments) > 0.999
    assert agree.mean() > 0.95


def test_the_bound_is_cantelli_and_sharp_in_order():
    # P(wrong sign) <= V/(V + gamma^2), of order 1/K.
    moments = theory.degradation_odds.family_moments(0.5)
    wrong = 1 - theory.degradation_odds.sign_probability_bound(
        np.array([1e6, 2e6]), moments
    )
    np.testing.assert_allclose(wrong[0] / wrong[1], 2, rtol=1e-3)
    np.testing.assert_allclose(
        wrong[0] * 1e6, (moments.mixed / moments.covariance**2) - 1, rtol=1e-2
    )
    assert (
        theory.degradation_odds.sign_probability_bound(
            50, theory.degradation_odds.family_moments(0.0)
        )
        == 0
    )


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("K", [2, 7, 50])
def test_the_chance_that_the_worst_wins_agrees_with_draws(rng, name, K):
    s = draw(name, rng, (100_000, K))
    hits = theory.degradation.confidence(s).argmax(axis=1) == s.argmin(axis=1)
    chance = theory.degradation_odds.worst_wins_probability(K, *LAWS[name][:2])
    error = np.sqrt(chance * (1 - chance) / len(s))
    assert abs(hits.mean() - chance) < 4.5 * error + 1e-4


@pytest.mark.parametrize("name", LAWS)
def test_in_the_limit_only_the_densities_at_the_ends_count(name):
    density, distribution, limit = LAWS[name]
    ends = density(np.array([0.0, 1.0]))
    np.testing.assert_allclose(
        theory.degradation_odds.worst_wins_limit(*ends), limit, rtol=1e-12
    )
    near = [
        theory.degradation_odds.worst_wins_probability(K, density, distribution)
        for K in (100, 10**6)
    ]
    np.testing.assert_allclose(near[1], limit, atol=2e-3)
    assert abs(near[1] - limit) <= abs(near[0] - limit) + 1e-9


@pytest.mark.parametrize("c", [-0.7, 0.0, 0.4])
def test_the_family_is_a_case_of_the_general_formula(c):
    def density(x):
        return 1 + c * (2 * x - 1)

    def distribution(x):
        return x * (1 - c + c * x)

    for K in (2, 30, 4000):
        np.testing.assert_allclose(
            theory.degradation_odds.worst_wins_probability(K, density, distribution),
            theory.degradation.winner_is_worst_probability(K, c, UNCONDITIONED),
            rtol=1e-10,
        )
    np.testing.assert_allclose(
        theory.degradation_odds.worst_wins_limit(*density(np.array([0.0, 1.0]))),
        (1 - c) / 2,
    )


def test_both_reported_limits_need_a_tilt_that_vanishes_slowly():
    K = 10.0 ** np.arange(2, 13)
    for power, together in ((0.0, False), (0.25, True), (0.5, False), (0.8, False)):
        c = 0.5 * K**-power
        # Cantelli's bound must prove the first limit wherever it is said to hold.
        rise = theory.degradation_odds.sign_probability_bound(
            K, theory.degradation_odds.family_moments(c)
        )[-1]
        worst = theory.degradation.winner_is_worst_probability(K, c, UNCONDITIONED)[-1]
        clt = theory.degradation.initial_rise_probability(K, c, UNCONDITIONED)[-1]
        assert (rise > 0.99 and abs(worst - 0.5) < 0.01) == together
        assert (clt > 0.99 and abs(worst - 0.5) < 0.01) == together


def test_the_first_slope_is_that_of_the_flow(rng):
    s = rng.uniform(0.05, 0.95, size=5)
    accuracy = (
        flow_at(theory.degradation.confidence(s), np.full(5, -np.log(5)), 1e-4) @ s
    )
    np.testing.assert_allclose(
        (accuracy - s.mean()) / 1e-4, theory.degradation_odds.first_slope(s), rtol=1e-3
    )


def test_given_a_mean_above_one_half_the_limits_are_the_printed_ones(rng):
    r = theory.degradation.covariance_moments(0.0)[2]
    s = rng.random((20_000, 400))
    inside = s.mean(axis=1) > 0.5
    rises = (theory.degradation_odds.first_slope(s) > 0)[inside].mean()
    assert abs(rises - (0.5 + np.arcsin(r) / np.pi)) < 4.5 * 0.47 / np.sqrt(1e4)
    given = theory.degradation.initial_rise_probability(400, 0.0, MEAN_ABOVE_HALF)
    np.testing.assert_allclose(given, 0.677, atol=1e-3)


def test_what_is_no_law_is_refused():
    with pytest.raises(ValueError, match="density"):
        theory.degradation_odds.law_moments(lambda x: 0.5 + 0 * x)
    with pytest.raises(ValueError, match="K"):
        theory.degradation_odds.covariance_variance(
            1, theory.degradation_odds.family_moments(0.1)
        )
    assert np.isnan(theory.degradation_odds.worst_wins_limit(0.0, 0.0))

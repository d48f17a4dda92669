import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import theory
from theory.degradation import UNCONDITIONED


@pytest.mark.parametrize("c", [-0.1, 0.0, 0.3, 0.7])
@pytest.mark.parametrize("K, allowed", [(30, 0.011), (100, 0.006), (500, 0.006)])
def test_the_joint_chance_agrees_with_draws(rng, K, allowed, c):
    number = 4_000_000 // K
    s = theory.degradation.sample(rng, (number, K), c)
    worst = theory.degradation.confidence(s).argmax(axis=1) == s.argmin(axis=1)
    hits = ((theory.degradation_odds.first_slope(s) > 0) & worst).mean()
    error = 4 * np.sqrt(hits * (1 - hits) / number)
    assert (
        abs(hits - theory.rise_then_worst.rise_and_worst_probability(K, c))
        < allowed + error
    )


def test_the_two_events_become_independent_only_slowly():
    K = 10.0 ** np.arange(2, 11, 2)
    for c in (0.0, 0.3):
        product = theory.degradation.initial_rise_probability(
            K, c, UNCONDITIONED
        ) * theory.degradation.winner_is_worst_probability(K, c, UNCONDITIONED)
        ratio = theory.rise_then_worst.rise_and_worst_probability(K, c) / product
        assert np.all(np.diff(ratio) >= -1e-4) and ratio[0] < 0.8
        np.testing.assert_allclose(ratio[-1], 1, atol=2e-3)


@pytest.mark.parametrize("K, c", [(6, 0.9), (12, -0.8)])
def test_the_printed_integral_agrees_with_adaptive_quadrature(K, c):
    def integrand(x):
        def mean(function):
            def weighted(s):
                law = (1 + c * (2 * s - 1)) / (1 - 2 * x)
                return law * function(s, -0.5 * np.log(s * (1 - s)))

            return quad(weighted, x, 1 - x, epsabs=1e-9)[0]

        a, b = mean(lambda s, R: s), mean(lambda s, R: R)
        g = mean(lambda s, R: (s - a) * (R - b))
        v = mean(lambda s, R: ((s - a) * (R - b) - g) ** 2)
        R = -0.5 * np.log(x * (1 - x))
        M = (K - 2) * g + (K - 1) / K * (x - a) * (R - b)
        density = K * (1 + c * (2 * x - 1)) * (1 - 2 * x) ** (K - 1)
        return density * norm.cdf(M / np.sqrt((K - 1) * v))

    wanted = quad(integrand, 0, 0.5, epsabs=1e-7, epsrel=1e-4, limit=20)[0]
    got = theory.rise_then_worst.rise_and_worst_probability(K, c)
    np.testing.assert_allclose(got, wanted, rtol=8e-3)


def test_impossible_sizes_and_tilts_are_refused():
    with pytest.raises(ValueError, match="K"):
        theory.rise_then_worst.rise_and_worst_probability(2, 0.0)
    with pytest.raises(ValueError, match="c"):
        theory.rise_then_worst.rise_and_worst_probability(100, 1.5)
    assert theory.rise_then_worst.rise_and_worst_probability(
        [50, 60], [[0.1], [0.2]]
    ).shape == (2, 2)

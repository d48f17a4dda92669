"""Interplay: its numbers against NumPy and SciPy, and a planted fault."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import binom

from experiments.gallery import interplay
from experiments.gallery.models import chains, depths

PLACE = np.arange(20)
COUNTS = np.arange(9)
SPREAD = np.sqrt(COUNTS / 8 * (1 - COUNTS / 8))
LEVELS = PLACE < np.arange(1, 21)[:, None]  # that a depth needs


def chances(theta):
    return np.cumprod(1 / (1 + np.exp(-theta)))


def gradient(theta, low, high):
    """`mean_d h_8(p_d) p_d (1 - sigma_l)` over the depths of a range."""
    p = chances(theta)
    h = binom.pmf(COUNTS, 8, p[:, None]) @ SPREAD / (p * (1 - p))
    weights = (PLACE >= low - 1) & (PLACE <= high - 1)
    return (weights * h * p / weights.sum()) @ LEVELS / (1 + np.exp(theta))


def kernel(width):
    return np.exp(-((PLACE - PLACE[:, None]) ** 2) / (2 * width**2))


def test_rl_at_the_edge_is_that_of_the_equation(quick):
    start = 3.5 - 2.0 * np.maximum(PLACE - 9, 0)

    def field(t, theta):
        return kernel(1.5) @ gradient(theta, 11, 14)

    found = solve_ivp(field, (0, 100), start, rtol=1e-9, atol=1e-11)
    passed = quick("interplay")["passed"]
    for theta, row in ((start, passed[0, 0]), (found.y[:, -1], passed[3, 0])):
        p = chances(theta)
        for part, (one, many) in zip((p[1:10], p[10:14], p[14:]), row, strict=True):
            np.testing.assert_allclose(one, part.mean(), atol=1e-5)
            np.testing.assert_allclose(many, np.mean(1 - (1 - part) ** 128), atol=1e-5)


def test_mid_training_then_rl_is_that_of_the_equations(quick):
    start = 3.5 - 3.2 * np.maximum(PLACE - 9, 0)
    needed = LEVELS[10:14].mean(axis=0)

    def shown(t, theta):
        return kernel(1.5) @ (needed * (0.9 - 1 / (1 + np.exp(-theta))))

    def rewarded(t, theta):
        return kernel(1.5) @ gradient(theta, 11, 14)

    share = 0.35
    state = start
    for field, time in ((shown, 30 * share), (rewarded, 30 * (1 - share))):
        state = solve_ivp(field, (0, time), state, rtol=1e-9, atol=1e-11).y[:, -1]
    found = quick("interplay")["edge"][1, list(depths.SHARES).index(share)]
    np.testing.assert_allclose(found, chances(state)[10:14].mean(), atol=1e-5)


def test_thresholds_and_order_of_the_claim():
    passed = np.zeros((5, 3, 3, 2))
    passed[1, :, 0, 0] = 0.1, 0.1, 0.05  # in range
    passed[1, :, 1, 1] = 0.05, 0.2, 0.01
    passed[3, :, 1, 1] = 0.2, 0.3, 0.3
    passed[3, :, 2, 1] = 0.1
    holds, order = interplay._holds(passed)
    assert holds.tolist() == [True, False, False]
    assert order.tolist() == [True, False, True]


@pytest.mark.slow
def test_levels_that_share_nothing_are_seen(faulty):
    def plant(patch):
        features = chains.level_features
        patch.setattr(chains, "level_features", lambda n, b: features(n, 0 * b))

    assert faulty("interplay", plant)["edge"] != "reproduced"

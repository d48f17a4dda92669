"""SPARKLE: its numbers against NumPy and SciPy, and a planted fault."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import binom

from experiments.gallery import sparkle
from experiments.gallery.models import chains
from experiments.runtime.keys import generator


def normalised(logits):
    pi = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return pi / pi.sum(axis=-1, keepdims=True)


def test_effects_of_plans_are_those_of_the_equation(quick):
    rng = generator(0, "gallery sparkle")
    rates, logits, _ = sparkle.random_problems(rng, 60)
    s, start = rates[0, 3], logits[3]

    def field(t, z):
        pi = normalised(z)
        return pi * (s - pi @ s)

    found = solve_ivp(field, (0, 500), start, rtol=1e-10, atol=1e-12)
    effect = quick("sparkle")["effect"][0, [0, 2], :, 3]
    for z, row in zip((start, found.y[:, -1]), effect, strict=True):
        pi = normalised(z)
        more = pi[0] * np.expm1(sparkle.PLANS)
        wanted = more / (1 + more) * (s[0] - pi @ s)
        np.testing.assert_allclose(row, wanted, atol=1e-7)


def test_levels_move_by_the_gradient_of_their_tasks():
    """`theta' = K_b sum_d w_d h_8(p_d) p_d (1 - sigma_l)`, levels of task d only."""
    tasks = chains.up_to([2, 3, 5], 5)
    weights, start = np.array([0.5, 0.3, 0.2]), np.array([1.5, 0.5, -0.5, 0.0, 0.3])
    place = np.arange(5)
    kernel = np.exp(-((place - place[:, None]) ** 2) / (2 * 1.3**2))
    counts = np.arange(9)
    spread = np.sqrt(counts / 8 * (1 - counts / 8))

    def field(t, theta):
        right = 1 / (1 + np.exp(-theta))
        p = np.prod(np.where(tasks > 0, right, 1), axis=1)
        h = binom.pmf(counts, 8, p[:, None]) @ spread / (p * (1 - p))
        return kernel @ ((weights * h * p) @ tasks * (1 - right))

    found = solve_ivp(field, (0, 4), start, rtol=1e-9, atol=1e-11)
    right = 1 / (1 + np.exp(-found.y[:, -1]))
    wanted = np.prod(np.where(tasks > 0, right, 1), axis=1)
    population = chains.chain(start[None], [1.3])
    after, success = chains.trained(population, tasks, weights, 4.0)
    np.testing.assert_allclose(success[0], wanted, atol=1e-6)
    np.testing.assert_allclose(chains.success(after, tasks), success, atol=1e-12)
    np.testing.assert_allclose(
        chains.success(population, np.eye(5))[0], 1 / (1 + np.exp(-start)), atol=1e-12
    )


@pytest.mark.slow
def test_levels_that_share_nothing_are_seen(faulty):
    def plant(patch):
        features = chains.level_features
        patch.setattr(chains, "level_features", lambda n, b: features(n, 0 * b))

    assert faulty("sparkle", plant)["scaffold"] != "reproduced"

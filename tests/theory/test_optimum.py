import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

import theory
from tests.theory.problems import random_problem


@pytest.mark.parametrize("beta", [0.15, 0.6, 3.0])
def test_a_numerical_optimiser_finds_the_tilted_reference(rng, beta):
    rho, log_ref = random_problem(rng, 5)

    def loss(logits):
        pi = np.exp(log_softmax(logits))
        return beta * pi @ (log_softmax(logits) - log_ref) - pi @ rho

    found = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-7})
    best = theory.optimum.optimal_policy(rho, log_ref, beta)
    np.testing.assert_allclose(np.exp(log_softmax(found.x)), np.exp(best), atol=2e-6)
    value = theory.optimum.objective(rho, best, log_ref, beta)
    np.testing.assert_allclose(value, -found.fun, rtol=1e-10)
    # Its value is beta log N, and any other policy loses beta KL(pi || pi_opt).
    log_normaliser = np.log(np.sum(np.exp(log_ref + rho / beta)))
    np.testing.assert_allclose(value, beta * log_normaliser, rtol=1e-12)


def test_every_other_policy_loses_beta_times_its_divergence(rng):
    rho, log_ref = random_problem(rng, 6)
    others = log_softmax(rng.normal(size=(40, 6)), axis=-1)
    beta = rng.uniform(0.05, 4.0, size=40)
    best = theory.optimum.optimal_policy(rho, log_ref, beta)
    lost = theory.optimum.objective(
        rho, best, log_ref, beta
    ) - theory.optimum.objective(rho, others, log_ref, beta)
    divergence = np.sum(np.exp(others) * (others - best), axis=-1)
    np.testing.assert_allclose(lost, beta * divergence, rtol=1e-10)
    np.testing.assert_allclose(theory.optimum.kl_divergence(others, best), divergence)


def test_the_policy_gradient_stands_still_at_the_tilted_reference_only(rng):
    def speed(rho, log_pi, log_ref, beta):
        pi = np.exp(log_pi)
        paid = rho - beta * (log_pi - log_ref)
        return np.abs(pi * (paid - pi @ paid)).max()

    for beta in (0.05, 1.0):
        rho, log_ref = random_problem(rng, 4)
        best = theory.optimum.optimal_policy(rho, log_ref, beta)
        assert speed(rho, best, log_ref, beta) < 1e-15
        for _ in range(20):
            other = log_softmax(best + 0.01 * rng.normal(size=4))
            away = np.abs(np.exp(other) - np.exp(best)).max()
            assert speed(rho, other, log_ref, beta) > 1e-3 * beta * away


def test_the_distance_to_the_limit_is_the_mass_off_the_best_and_obeys_its_bound(rng):
    log_ref = random_problem(rng, 5)[1]
    rho = np.array([0.7, 0.2, 0.7, 0.55, 0.1])
    beta = np.geomspace(0.003, 30, 25)
    best = theory.optimum.optimal_policy(rho, log_ref, beta)
    limit = theory.optimum.limit_policy(rho, log_ref)
    distance = theory.optimum.total_variation(best, limit)
    off = np.exp(best)[:, [1, 3, 4]].sum(axis=-1)
    np.testing.assert_allclose(distance, off, rtol=1e-9, atol=1e-15)
    bound = theory.optimum.limit_distance_bound(rho, log_ref, beta)
    assert np.all(distance <= bound * (1 + 1e-9) + 1e-15) and np.all(bound <= 1)
    kept = np.exp(log_ref)[[0, 2]].sum()
    np.testing.assert_allclose(
        bound, np.minimum(1, np.exp(-0.15 / beta) * (1 - kept) / kept), rtol=1e-12
    )


def test_the_limit_keeps_the_proportions_of_the_reference():
    limit = theory.optimum.limit_policy([0.7, 0.2, 0.7], np.log([0.1, 0.6, 0.3]))
    np.testing.assert_allclose(np.exp(limit), [0.25, 0, 0.75], rtol=1e-14)


def test_the_bound_is_sharp_for_two_patterns_and_a_weak_penalty():
    rho, log_ref, beta = [0.7, 0.3], np.log([0.2, 0.8]), 0.02
    best = theory.optimum.optimal_policy(rho, log_ref, beta)
    bound = theory.optimum.limit_distance_bound(rho, log_ref, beta)
    np.testing.assert_allclose(np.exp(best[1]), bound, rtol=1e-7)


def test_extreme_penalties_stay_finite():
    rho, log_ref = np.array([0.7, 0.2, 0.6]), np.log([0.1, 0.6, 0.3])
    tiny = theory.optimum.optimal_policy(rho, log_ref, 1e-308)
    np.testing.assert_array_equal(np.exp(tiny), [1, 0, 0])
    huge = theory.optimum.optimal_policy(rho, log_ref, 1e308)
    np.testing.assert_allclose(huge, log_ref, rtol=1e-14)


def test_patterns_without_reference_mass_stay_empty_and_count_for_nothing(rng):
    rho, log_ref = random_problem(rng, 4)
    masked = np.insert(rho, 2, 5.0), np.insert(log_ref, 2, -np.inf)
    best = theory.optimum.optimal_policy(rho, log_ref, 0.3)
    np.testing.assert_allclose(
        theory.optimum.optimal_policy(*masked, 0.3),
        np.insert(best, 2, -np.inf),
        rtol=1e-13,
    )
    np.testing.assert_allclose(
        theory.optimum.limit_distance_bound(*masked, 0.3),
        theory.optimum.limit_distance_bound(rho, log_ref, 0.3),
        rtol=1e-13,
    )


def test_mass_outside_the_reference_costs_everything():
    log_ref = np.array([-np.inf, np.log(0.4), np.log(0.6)])
    log_pi = np.log([0.2, 0.3, 0.5])
    assert theory.optimum.kl_divergence(log_pi, log_ref) == np.inf
    assert theory.optimum.objective([0.9, 0.5, 0.1], log_pi, log_ref, 0.1) == -np.inf
    assert theory.optimum.kl_divergence(log_ref, log_pi) < np.inf


def test_equal_rewards_leave_the_reference_and_bound_the_distance_by_zero():
    log_ref = np.log([0.2, 0.5, 0.3])
    np.testing.assert_allclose(
        theory.optimum.optimal_policy([0.4] * 3, log_ref, 0.1), log_ref
    )
    assert theory.optimum.limit_distance_bound([0.4] * 3, log_ref, 0.1) == 0


@pytest.mark.parametrize("beta", [0.0, -1.0, np.nan])
def test_a_penalty_that_is_not_positive_is_refused(beta):
    with pytest.raises(ValueError, match="beta"):
        theory.optimum.optimal_policy([0.7, 0.2], np.log([0.1, 0.9]), beta)

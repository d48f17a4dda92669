"""Latent variables: times and regrets against SciPy and NumPy, planted faults."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import softmax

from experiments.gallery.models import tries
from simulator import bandits, updates


def half_time(bonus, rare, natural):
    """Flow with `n' = pi` and `rho = s + b / sqrt(1 + n)`, to one half."""
    base = np.log([rare, 0.74 * (1 - rare), 0.26 * (1 - rare)])

    def field(t, state):
        policy, count = softmax(state[:3]), state[3:]
        paid = tries.RATES + bonus / np.sqrt(1 + count)
        lead = paid - policy @ paid
        return np.concatenate([lead if natural else policy * lead, policy])

    def half(t, state):
        return softmax(state[:3])[0] - 0.5

    half.terminal = True
    start = np.concatenate([base, np.zeros(3)])
    found = solve_ivp(field, (0, 1e6), start, events=half, rtol=1e-10, atol=1e-12)
    return found.t_events[0][0]


@pytest.mark.parametrize("natural", [False, True])
@pytest.mark.parametrize("bonus", [1, 2])
def test_times_are_those_of_the_equation(bonus, natural, quick):
    found = quick("latent-variable")["natural" if natural else "gradient"]
    wanted = half_time(tries.BONUS[bonus], tries.RARE[1], natural)
    np.testing.assert_allclose(found[bonus, 1, 0], wanted, rtol=1e-4)


def test_bandits_of_fewer_arms_are_filled_up():
    bandit = tries.bandits(np.random.default_rng(0), 2, np.array([4, 9]), [3, 5])
    there = np.asarray(bandit.there)
    assert there.sum(axis=-1).tolist() == [[4, 4], [9, 9]]
    np.testing.assert_allclose(bandit.success_rates[0, 0], [0.1, 0.5, 0.9, 0, 0])
    assert np.isfinite(bandit.values[0, 0, :4]).all()


@pytest.mark.slow
def test_a_bound_that_never_shrinks_is_seen(faulty):
    def plant(patch):
        learn = bandits.PatternOptimism.learn

        def keeps_spread(self, state, *pull):
            return (state[0], state[1], learn(self, state, *pull)[2])

        patch.setattr(bandits.PatternOptimism, "learn", keeps_spread)

    assert faulty("latent-variable", plant)["optimism"] != "reproduced"


@pytest.mark.slow
def test_a_gradient_without_its_probability_is_seen(faulty):
    """Velocity A_k instead of pi_k A_k: rare patterns then move as fast as others."""

    def plant(patch):
        natural = updates.NaturalGradient.velocity
        patch.setattr(updates.PolicyGradient, "velocity", natural)

    assert faulty("latent-variable", plant)["entanglement"] == "refuted"

"""The hallucination dilemma: its numbers against SciPy, and a planted fault."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from experiments.gallery import hallucination
from simulator import attribute_signals


def test_the_hump_is_that_of_the_equation(quick):
    rates, facts, base = map(
        np.array, (hallucination.RATES, hallucination.FACTUALITY, hallucination.BASE)
    )

    def field(t, logits):
        pi = np.exp(logits - logits.max())
        pi /= pi.sum()
        return pi * (rates - pi @ rates)

    times = hallucination.TIMES[hallucination.TIMES < 2000]
    found = solve_ivp(
        field, (0, 2000), np.log(base), t_eval=times, rtol=1e-10, atol=1e-12
    )
    pi = np.exp(found.y - found.y.max(axis=0))
    pi /= pi.sum(axis=0)
    wanted = 1 - facts @ pi
    data = quick("hallucination")
    np.testing.assert_allclose(
        data["weight_hallucination"][0, : len(times)], wanted, atol=1e-7
    )
    np.testing.assert_allclose(
        data["weight_accuracy"][0, : len(times)], rates @ pi, atol=1e-7
    )


def test_random_models_rise_where_the_covariance_is_negative(quick):
    """`dF/dt = sum pi^2 (s - ACC)(f - F)` at the start."""
    rng = hallucination_rng()
    rates, facts, logits = hallucination.random_models(rng, 60)
    pi = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    accuracy = np.sum(pi * rates, axis=-1, keepdims=True)
    mean = np.sum(pi * facts, axis=-1, keepdims=True)
    slope = np.sum(pi**2 * (rates - accuracy) * (facts - mean), axis=-1)
    np.testing.assert_array_equal(quick("hallucination")["rlvr_rises"], slope < 0)


def hallucination_rng():
    from experiments.runtime.keys import generator

    return generator(0, "gallery hallucination")


@pytest.mark.slow
def test_a_wrong_sign_of_the_factual_reward_is_seen(faulty):
    def plant(patch):
        paid = attribute_signals.Attribute.rewards
        patch.setattr(
            attribute_signals.Attribute, "rewards", lambda self, p: -paid(self, p)
        )

    assert faulty("hallucination", plant)["factual-reward"] != "reproduced"

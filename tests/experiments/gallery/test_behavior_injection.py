"""Behavior injection: its numbers against SciPy, and a planted fault."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from experiments.gallery.models import injection, question_banks
from experiments.runtime.keys import generator
from simulator.rollouts import estimators


def normalised(logits):
    pi = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return pi / pi.sum(axis=-1, keepdims=True)


def test_accuracy_after_injection_is_that_of_the_equation(quick):
    rates, base = np.array(injection.RATES), np.array(injection.BASE)
    mixed = 0.9 * base / base.sum() + 0.1 * np.array(injection.BEHAVIOUR)

    def field(t, logits):
        pi = normalised(logits)
        return pi * (rates - pi @ rates)

    def level(t, logits):
        return normalised(logits) @ rates - injection.LEVEL

    found = solve_ivp(
        field,
        (0, 1e3),
        np.log(mixed),
        events=level,
        t_eval=[100, 1e3],
        rtol=1e-10,
        atol=1e-12,
    )
    data, place = quick("behavior-injection"), list(injection.SHARES).index(0.1)
    np.testing.assert_allclose(
        data["fixed"][0, place, 1:3], normalised(found.y.T) @ rates, atol=1e-8
    )
    np.testing.assert_allclose(data["times"][0, place], found.t_events[0][0], rtol=1e-7)


def test_gains_of_a_bank_are_those_of_its_gradient(quick):
    """`W' = sum over trained q of h_8(p_q) pi_q (s_q - p_q) h_q`."""
    rng = generator(0, "gallery behavior-injection")
    injection.injected(rng, 48, {})
    rates, policies = injection.question_banks(rng, 2)
    cell = 1, 2, 1, 1  # bias 4, c = 0.3, injected, the second bank
    s, base = rates[cell], policies[cell]
    counts = np.arange(9)
    features = question_banks.orthogonal_features(0.3, 40)
    gram = features @ features.T
    np.testing.assert_allclose(gram, 0.3 + 0.7 * np.eye(40), atol=1e-12)
    from scipy.stats import binom

    def field(t, flat):
        pi = normalised(np.log(base) + flat.reshape(s.shape))
        p = np.sum(pi * s, axis=1, keepdims=True)
        chance = binom.pmf(counts, 8, p)
        spread = np.sqrt(counts / 8 * (1 - counts / 8))
        h = np.sum(chance * spread, axis=1, keepdims=True) / (p * (1 - p))
        pull = h * pi * (s - p)
        pull[20:] = 0
        return (gram @ pull).ravel()

    found = solve_ivp(
        field, (0, injection.DURATION), np.zeros(s.size), rtol=1e-8, atol=1e-10
    )
    after = np.sum(normalised(np.log(base) + found.y[:, -1].reshape(s.shape)) * s, 1)
    gain = after - np.sum(base * s, axis=1)
    data = quick("behavior-injection")["gain"][(slice(None), *cell)]
    np.testing.assert_allclose(
        data[:2], [gain[:20].mean(), gain[20:].mean()], atol=1e-5
    )


@pytest.mark.slow
def test_a_wrong_sign_of_the_advantages_is_seen(faulty):
    def plant(patch):
        deviation = estimators._deviation
        patch.setattr(estimators, "_deviation", lambda *given: -deviation(*given))

    assert faulty("behavior-injection", plant)["identity"] == "refuted"

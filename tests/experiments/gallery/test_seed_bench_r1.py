"""Consistency under outcome rewards: numbers against SciPy, and a planted fault."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import simulator as sim
from experiments.gallery import seed_bench_r1 as care


def softmax(logits):
    pi = np.exp(logits - logits.max(axis=0))
    return pi / pi.sum(axis=0)


def curves(field, start, times):
    found = solve_ivp(
        field, (0, times[-1]), start, t_eval=times, rtol=1e-10, atol=1e-12
    )
    return found.y


@pytest.mark.parametrize("lane", [0, 4])
def test_curves_are_those_of_the_equation(lane, quick):
    times = care.TIMES[care.TIMES < 1000]
    paid = care.RATES * (1 + care.BONUS[lane] * care.COHERENCE)

    def field(t, logits):
        pi = softmax(logits)
        return pi * (paid - pi @ paid)

    pi = softmax(curves(field, np.log(care.BASE), times))
    found = quick("seed-bench-r1")["curves"][:, lane, : len(times)]
    np.testing.assert_allclose(found[0], care.RATES @ pi, atol=1e-7)
    np.testing.assert_allclose(found[1], care.COHERENCE @ pi, atol=1e-7)


def test_two_choices_are_those_of_the_equation(quick):
    times = care.TIMES[care.TIMES < 300]
    table = care.TABLE * [[1.3, 1.0]]

    def field(t, logits):
        first, second = softmax(logits[:2]), softmax(logits[2:])
        rows, columns = table @ second, first @ table
        return np.concatenate(
            [first * (rows - first @ rows), second * (columns - second @ columns)]
        )

    logits = curves(field, np.log(care.CHOICES).ravel(), times)
    found = quick("seed-bench-r1")["choices"][1, : len(times)]
    np.testing.assert_allclose(found[:, 0], softmax(logits[:2])[1], atol=1e-7)
    np.testing.assert_allclose(found[:, 1], softmax(logits[2:])[0], atol=1e-7)


@pytest.mark.slow
def test_a_bonus_of_the_wrong_sign_is_seen(faulty):
    def plant(patch):
        patch.setattr(
            sim.CorrectBonus,
            "rewards",
            lambda self, p: p.success_rates * (1 - self.bonus * self._paid(p)),
        )

    found = faulty("seed-bench-r1", plant)
    assert found["bonus"] == "refuted" and found["incoherent"] == "reproduced"

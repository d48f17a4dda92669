"""Rounds of SFT and RL: their numbers against SciPy, and a planted fault."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from experiments.gallery import openvlthinker
from experiments.gallery.models import rounds

RATES = np.array(openvlthinker.RATES)


def softmax(logits):
    pi = np.exp(logits - logits.max())
    return pi / pi.sum()


def after(field, policy, time):
    found = solve_ivp(field, (0, time), np.log(policy), rtol=1e-10, atol=1e-12)
    return softmax(found.y[:, -1])


def rlvr(t, logits):
    pi = softmax(logits)
    return pi * (RATES - pi @ RATES)


def sft(data):
    return lambda t, logits: data - softmax(logits)


@pytest.mark.parametrize("lane, restart", [(0, True), (1, False)])
def test_rounds_are_those_of_the_equations(lane, restart, quick):
    here = base = np.array(openvlthinker.BASE)
    data = np.array(openvlthinker.TEACHER) * RATES
    accuracy = []
    for _ in range(3):
        here = after(sft(data / data.sum()), base if restart else here, 9.0)
        accuracy.append(here @ RATES)
        if len(accuracy) == 1:
            longer = after(rlvr, here, 60.0) @ RATES
        here = after(rlvr, here, 20.0)
        accuracy.append(here @ RATES)
        data = here * RATES
    found = quick("openvlthinker")
    np.testing.assert_allclose(found["accuracy"][lane], accuracy, atol=1e-7)
    np.testing.assert_allclose(found["longer"][1], longer, atol=1e-7)


def test_the_map_is_that_of_the_example_at_its_dose_and_budget(quick):
    """Two lanes of one batch: reflect after RL3 over that after RL1."""
    found = quick("openvlthinker")
    row = list(found["doses"]).index(openvlthinker.DOSE)
    column = list(found["budgets"]).index(openvlthinker.BUDGET)
    assert found["kept"][row, column] > 1 > found["kept"][row, 0]


@pytest.mark.slow
def test_rounds_that_forget_their_data_are_seen(faulty):
    """Every round shows the samples of the base model instead of the last one's."""

    def plant(patch):
        follow = rounds.follow

        def faulty_follow(rates, base, data, *others):
            own = base * rates
            return follow(rates, base, own / own.sum(1, keepdims=True), *others)

        patch.setattr(openvlthinker, "follow", faulty_follow)

    found = faulty("openvlthinker", plant)
    assert found["rounds"] != "reproduced" and found["keywords"] != "reproduced"

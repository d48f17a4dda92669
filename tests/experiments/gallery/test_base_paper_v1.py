"""SFT before RLVR and trained answers: numbers against SciPy, and a planted fault."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import simulator as sim
from experiments.gallery.base_paper_v1 import ALPHAS, DOSES, QUALITY, RATES, SHARES
from experiments.gallery.models import answers


def softmax(logits):
    pi = np.exp(logits - logits.max())
    return pi / pi.sum()


def until(field, start, level):
    """When accuracy is at the level, `start` being logits and log odds of answers."""

    def accuracy(t, state):
        return softmax(state[:3]) @ (1 / (1 + np.exp(-state[3:]))) - level

    accuracy.terminal = True
    found = solve_ivp(
        field, (0, 1e7), start, "LSODA", events=accuracy, rtol=1e-10, atol=1e-12
    )
    return found.t[-1], found.y[:, -1]


def rlvr(alpha):
    def field(t, state):
        pi, s = softmax(state[:3]), 1 / (1 + np.exp(-state[3:]))
        moves = pi * (s - pi @ s), 2 * alpha * pi * s * (1 - s)
        return np.concatenate(moves)

    return field


def base(share):
    return np.array([share, 0.737 * (1 - share), 0.263 * (1 - share)])


ODDS = np.log(RATES / (1 - RATES))


@pytest.mark.parametrize("quality, dose", [(0.3, 4.0), (0.0, 16.0)])
def test_time_after_sft_is_that_of_the_equations(quality, dose, quick):
    shown = np.array([quality, 0.8 * (1 - quality), 0.2 * (1 - quality)])
    tuned = solve_ivp(
        lambda t, z: shown - softmax(z),
        (0, dose),
        np.log(base(0.05)),
        rtol=1e-10,
        atol=1e-12,
    ).y[:, -1]
    time, _ = until(rlvr(0.0), np.concatenate([tuned, ODDS]), 0.85)
    found = quick("base-paper-v1")["time"][1]
    row = found[list(QUALITY).index(quality), list(DOSES).index(dose)]
    np.testing.assert_allclose(row, time, rtol=1e-6)


@pytest.mark.parametrize("alpha, share", [(1e-3, 0.01), (1e-2, 0.03)])
def test_trained_answers_are_those_of_the_equations(alpha, share, quick):
    start = np.concatenate([np.log(base(share)), ODDS])
    time, end = until(rlvr(alpha), start, 0.85)
    found = quick("base-paper-v1")
    cell = np.abs(np.log(ALPHAS[1:] / alpha)).argmin() + 1, list(SHARES).index(share)
    np.testing.assert_allclose(found["reached"][cell], time, rtol=1e-5)
    rate = 1 / (1 + np.exp(-end[4])) - 0.5
    np.testing.assert_allclose(found["drift"][cell], rate, rtol=1e-5)


def test_where_no_threshold_is_found_there_is_no_number():
    """A time a thousand times too short: the rival never wins in the range."""
    rates, policy = RATES[None], base(0.03)[None]
    assert np.isnan(answers.thresholds(rates, policy, np.array([1e5]))).all()


@pytest.mark.slow
def test_answers_that_learn_twice_as_fast_are_seen(faulty):
    def plant(patch):
        layer = sim.answer_layer
        patch.setattr(
            sim, "answer_layer", lambda problem, rate: layer(problem, 2 * rate)
        )

    found = faulty("base-paper-v1", plant)
    assert found["lock-in"] != "reproduced" and found["sft"] == "reproduced"

"""SFT before RL: its numbers against SciPy, and planted faults."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import binom

import simulator as sim
from experiments.gallery import vlaa_thinking


def policies(field, start, times):
    found = solve_ivp(
        field, (0, times[-1]), np.log(start), t_eval=times, rtol=1e-10, atol=1e-12
    )
    pi = np.exp(found.y - found.y.max(axis=0))
    return (pi / pi.sum(axis=0)).T


def softmax(logits):
    pi = np.exp(logits - logits.max())
    return pi / pi.sum()


def test_dose_and_grpo_are_those_of_the_equations(quick):
    rates, data = np.array(vlaa_thinking.RATES), np.array(vlaa_thinking.DATA)
    dosed = policies(lambda t, z: data - softmax(z), vlaa_thinking.BASE, [4.0, 8.0])
    wins = np.arange(1, 4)

    def grpo(t, logits):
        """Groups of 4: advantages over the spread, mixed groups only."""
        pi = softmax(logits)
        p = pi @ rates
        share = np.sqrt(wins * (4 - wins)) / 4
        h = binom.pmf(wins, 4, p) @ share / (p * (1 - p))
        return h * pi * (rates - p)

    found, times = quick("vlaa-thinking"), vlaa_thinking.TIMES
    for dose, start in zip((4, 8), dosed, strict=True):
        reached = policies(grpo, start, [49.0, 300.0])
        place = np.searchsorted(times, [49.0, 300.0])
        np.testing.assert_allclose(
            found["dose_reward"][dose, place], reached @ rates, atol=1e-7
        )
        np.testing.assert_allclose(
            found["dose_benchmark"][dose, place],
            reached @ vlaa_thinking.BENCHMARK,
            atol=1e-7,
        )


def test_transition_times_are_within_the_bounds_of_the_statement(quick):
    data = quick("vlaa-thinking")
    low, high = data["t0_bounds"]
    assert (low <= data["t0"]).all() and (data["t0"] <= high).all()
    assert (high[4:] < 1.06 * data["t0"][4:]).all()  # and close after some SFT


@pytest.mark.slow
def test_demonstrations_of_the_wrong_sign_are_seen(faulty):
    def plant(patch):
        shown = sim.Demonstrations.__call__
        patch.setattr(
            sim.Demonstrations, "__call__", lambda *args: 2 - shown(*args), raising=True
        )

    assert faulty("vlaa-thinking", plant)["crossing"] != "reproduced"

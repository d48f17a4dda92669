"""The echo chamber: its numbers against SciPy and NumPy, and a planted fault."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import simulator as sim
from experiments.gallery import echo_chamber
from experiments.gallery.models import formats


def rlvr(rates):
    def field(t, logits):
        pi = np.exp(logits - logits.max())
        pi /= pi.sum()
        return pi * (rates - pi @ rates)

    return field


def test_shares_and_the_take_over_of_rare_text_are_those_of_the_equation(quick):
    data = quick("echo-chamber")
    for path, scale in zip(data["paths"], (0.3, 0.6), strict=True):
        times = echo_chamber.TIMES[echo_chamber.TIMES < 400]
        found = solve_ivp(
            rlvr(formats.rates_of(scale)),
            (0, 400),
            np.log(formats.MIXTURE),
            t_eval=times,
            rtol=1e-10,
            atol=1e-12,
        )
        pi = np.exp(found.y - found.y.max(axis=0))
        np.testing.assert_allclose(
            path[: len(times)], (pi / pi.sum(axis=0)).T, atol=1e-7
        )
    rare = echo_chamber.RARE[2]

    def ahead(t, logits):
        return logits[2] - logits[0]

    ahead.terminal = True
    base = [0.6875 * (1 - rare), 0.3125 * (1 - rare), rare]
    found = solve_ivp(
        rlvr(formats.rates_of(0.6)),
        (0, 1e4),
        np.log(base),
        events=ahead,
        rtol=1e-10,
        atol=1e-12,
    )
    np.testing.assert_allclose(data["rare_time"][2], found.t[-1], rtol=1e-6)
    assert (data["rare_time"] <= data["rare_bound"]).all()


def test_rounds_of_expert_iteration_are_counted(quick):
    """Rounds of `pi s / (pi . s)`, with and without the third format."""
    data, rates = quick("echo-chamber"), formats.rates_of(0.6)
    for third in (0.3125, 0.0):
        for rare, rounds in zip(echo_chamber.RARE, data["rounds"], strict=True):
            pi, counted = np.array([0.6875 * (1 - rare), third, rare]), 0
            while pi[2] <= pi[0]:
                pi = pi * rates / (pi @ rates)
                counted += 1
            assert counted == rounds
    np.testing.assert_array_equal(np.ceil(data["rounds_law"]), data["rounds"])


@pytest.mark.slow
def test_rewards_of_the_wrong_sign_are_seen(faulty):
    """Failures are paid: the worst format remains."""

    def plant(patch):
        patch.setattr(
            sim.Verifiable, "rewards", lambda self, problem: 1 - problem.success_rates
        )

    found = faulty("echo-chamber", plant)
    changed = ("scale", "best", "algorithms", "diversity", "transfer")
    assert all(found[claim] != "reproduced" for claim in changed)

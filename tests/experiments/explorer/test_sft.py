"""SFT in closed form, against the engine and an integration of the equation."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import simulator as sim
from experiments.explorer.arrays import log_base, ranked
from experiments.explorer.sft import after_sft
from experiments.explorer.state import State


def normalised(logits):
    return logits - np.logaddexp.reduce(logits, axis=-1)[..., None]


def test_doses_are_the_times_of_rejection_sampling(rng):
    logits = rng.normal(size=(6, 5)) * 3
    logits[1, 2] = -np.inf
    base, doses = normalised(logits), np.array([0.01, 0.5, 3.0, 40.0])
    only = np.zeros_like(base)
    only[:, 3] = 1.0
    solution = sim.solve(
        sim.Problem(only, logits=base),
        sim.Verifiable(),
        sim.RejectionSampling(),
        save_log_times=np.log(doses),
        max_log_time=float(np.log(doses[-1])),
        observe=sim.log_probabilities,
    )
    found = after_sft(base[:, None], 3, doses)
    np.testing.assert_allclose(found, np.asarray(solution.saved), atol=1e-10)


def test_a_dose_is_the_flow_of_cross_entropy():
    base = normalised(np.array([-3.0, -0.35, -1.4]))

    def velocity(t, logits):
        return np.eye(3)[0] - np.exp(normalised(logits))

    path = solve_ivp(velocity, (0, 2.5), base, rtol=1e-11, atol=1e-12)
    found = after_sft(base, 0, 2.5)
    np.testing.assert_allclose(found, normalised(path.y[:, -1]), atol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 30.0, 300.0])
def test_two_doses_are_one_of_their_sum(rng, scale):
    base = normalised(rng.normal(size=(20, 1, 8)) * scale)
    doses = np.array([1e-6, 1e-3, 0.3, 2.0, 50.0, 1000.0])
    twice = after_sft(after_sft(base, 0, 0.2), 0, doses)
    once = after_sft(base, 0, doses + 0.2)
    np.testing.assert_allclose(twice, once, rtol=1e-11, atol=1e-11)
    assert (after_sft(base, 0, 0.0) == base).all()


def test_a_state_is_shown_its_best_pattern_that_is_ever_drawn():
    state = State((0.95, 0.6, 0.8), (-np.inf, 0.0, -2.0), dose=1.0)
    assert ranked(state).best == 2
    found = log_base(state)
    assert found[0] == -np.inf and found[2] > state.log_policy[2]

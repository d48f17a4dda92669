"""One policy looked at: where it is heading, and how fast, at any scale of the pay."""

import jax
import numpy as np
import pytest

import simulator as sim
from simulator.dynamics import Dynamics

RATES, POLICY = np.array([0.9, 0.6, 0.1]), np.array([0.05, 0.70, 0.25])


def velocity(update):
    """By hand: pi_k A_k, or A_k."""
    advantage = RATES - POLICY @ RATES
    natural = isinstance(update, sim.NaturalGradient)
    return advantage if natural else POLICY * advantage


@pytest.mark.parametrize("scale", [1.0, 1e-162, 1e-200, 1e-300])
@pytest.mark.parametrize("update", [sim.PolicyGradient(), sim.NaturalGradient()])
def test_the_velocity_is_proportional_to_the_success_rates(update, scale):
    problem = sim.Problem(scale * RATES, POLICY)
    point = Dynamics(problem, sim.Verifiable(), update).point(problem.log_policy)
    wanted = velocity(update)
    speed = np.linalg.norm(wanted)
    np.testing.assert_allclose(point.direction, wanted / speed, rtol=1e-13)
    np.testing.assert_allclose(point.log_speed, np.log(scale) + np.log(speed))


def test_the_slope_of_the_speed_is_that_of_its_logarithm():
    def log_speed(factor):
        problem = sim.Problem(factor * RATES, POLICY)
        dynamics = Dynamics(problem, sim.Verifiable(), sim.PolicyGradient())
        return dynamics.point(problem.log_policy).log_speed

    # d log |v| / d log s = 1, since |v| is proportional to s.
    np.testing.assert_allclose(jax.grad(log_speed)(0.5) * 0.5, 1.0)


@pytest.mark.parametrize("method", ["exact", "flow"])
def test_small_success_rates_take_proportionally_longer(method):
    # pi(t; c s) = pi(c t; s): only c t enters the equation.
    found = [
        sim.solve(
            sim.Problem(scale * RATES, POLICY),
            sim.Verifiable(),
            until=sim.Crossing(),
            method=method,
        )
        for scale in (1.0, 1e-200)
    ]
    assert [str(s.outcome_names) for s in found] == ["reached"] * 2
    longer = float(found[1].log_time - found[0].log_time)
    np.testing.assert_allclose(longer, 200 * np.log(10), rtol=1e-10)

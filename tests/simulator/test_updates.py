import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import simulator as sim
from tests.oracles import qpg


def velocity(update, rates, logits, reference):
    problem = sim.Problem(rates, logits=reference)
    log_probs = jax.nn.log_softmax(logits)
    advantage = update.advantage(problem, jnp.asarray(rates), log_probs)
    mantissa, log_scale = update.velocity(advantage)
    return np.asarray(mantissa * jnp.exp(log_scale))


@pytest.fixture
def point(rng):
    K = 6
    return rng.uniform(size=K), 2 * rng.normal(size=K), rng.normal(size=K)


@pytest.mark.parametrize("beta", [0.0, 0.7])
def test_policy_gradient_is_the_gradient_of_the_penalised_reward(point, beta):
    rates, logits, reference = point

    def objective(theta):
        log_probs = jax.nn.log_softmax(theta)
        penalty = log_probs - jax.nn.log_softmax(jnp.asarray(reference))
        return jnp.exp(log_probs) @ (rates - beta * penalty)

    expected = jax.grad(objective)(jnp.asarray(logits))
    got = velocity(sim.PolicyGradient(beta=beta), rates, logits, reference)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)
    assert abs(got.sum()) < 1e-15


@pytest.mark.parametrize("beta", [0.0, 0.7])
def test_natural_gradient_is_the_fisher_preconditioned_gradient(point, beta):
    rates, logits, reference = point
    pi = np.asarray(jax.nn.softmax(logits))
    plain = velocity(sim.PolicyGradient(beta=beta), rates, logits, reference)
    got = velocity(sim.NaturalGradient(beta=beta), rates, logits, reference)
    fisher = np.diag(pi) - np.outer(pi, pi)
    np.testing.assert_allclose(fisher @ got, plain, rtol=1e-11, atol=1e-15)


def test_policy_gradient_in_probability_space_is_openspiels(point):
    rates, logits, _ = point
    pi = np.asarray(jax.nn.softmax(logits))
    v = velocity(sim.PolicyGradient(), rates, logits, logits)
    np.testing.assert_allclose(pi * (v - pi @ v), qpg(pi, rates), rtol=1e-11)


def test_velocity_keeps_its_digits_on_a_deep_plateau():
    rates = np.array([0.9, 0.6])
    problem = sim.Problem(rates, logits=[-1400.0, 0.0])
    log_probs = problem.log_policy
    update = sim.PolicyGradient()
    advantage = update.advantage(problem, jnp.asarray(rates), log_probs)
    mantissa, log_scale = update.velocity(advantage)
    np.testing.assert_allclose(mantissa, [0.3, -0.3], rtol=1e-12)
    np.testing.assert_allclose(log_scale, -1400.0, rtol=1e-14)


def test_negative_beta_is_refused():
    with pytest.raises(ValueError, match="-0.1"):
        sim.PolicyGradient(beta=-0.1).check(sim.Verifiable())


def test_signals_pay_what_they_say(rng):
    kernel = rng.dirichlet(np.ones(4), size=3)
    problem = sim.Problem(policy=[0.2, 0.5, 0.3], answer_kernel=kernel)
    certainty = sim.SelfCertainty()(problem, problem.log_policy)
    uniform = np.full(4, 0.25)
    divergence = (uniform * np.log(uniform / kernel)).sum(-1)
    np.testing.assert_allclose(certainty, divergence + np.log(4), rtol=1e-12)
    mixed = sim.Mixture([sim.Verifiable(), sim.SelfCertainty()], [0.3, -2.0])
    np.testing.assert_allclose(
        mixed(problem, problem.log_policy), 0.3 * kernel[:, 0] - 2 * certainty
    )


def test_the_natural_gradient_is_at_rest_whatever_is_outside_the_support():
    problem = sim.Problem([0.5, 0.2, 0.9], [1.0, 0.0, 0.0])
    point = sim.Dynamics(problem, sim.Verifiable(), sim.NaturalGradient()).point(
        problem.log_policy
    )
    assert point.log_speed == -np.inf and not point.direction.any()


class Slow(sim.AbstractCounted):
    """The clock `h = scale`, of the user's own."""

    scale: Float[Array, "*B"]

    def terms(self):
        return sim.Terms.of(jnp.log(self.scale), 0, 0), None


def slow_time(scale, logits=(-3.0, 0.0, -1.0)):
    logits = jnp.asarray(logits)
    rates = jnp.broadcast_to(jnp.array([0.9, 0.6, 0.1]), (*jnp.shape(scale), 3))
    problem = sim.Problem(rates, logits=jnp.broadcast_to(logits, rates.shape))
    solution = sim.solve(problem, sim.Verifiable(), Slow(scale), until=sim.T0())
    return jnp.exp(solution.log_time)


def test_a_counted_clock_may_have_a_number_for_each_problem():
    scales = jnp.array([0.5, 1.0, 2.0])
    plain = slow_time(jnp.asarray(1.0))
    np.testing.assert_allclose(slow_time(scales), plain / scales, rtol=1e-10)


def test_derivatives_by_a_clock_are_refused_and_by_the_problem_known():
    with pytest.raises(ValueError, match=r"parameters of a clock \(Slow\)"):
        jax.grad(slow_time)(jnp.asarray(0.5))
    by_logits = jax.grad(slow_time, argnums=1)
    logits = jnp.array([-3.0, 0.0, -1.0])
    slopes = by_logits(jnp.asarray(0.5), logits)
    np.testing.assert_allclose(slopes, 2 * by_logits(jnp.asarray(1.0), logits))
    step = jnp.array([1e-5, 0.0, 0.0])
    change = slow_time(jnp.asarray(0.5), logits + step)
    change -= slow_time(jnp.asarray(0.5), logits - step)
    np.testing.assert_allclose(slopes[0], change / 2e-5, rtol=1e-6)

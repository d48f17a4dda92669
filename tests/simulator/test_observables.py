import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import rel_entr
from scipy.stats import entropy

import simulator as sim


@pytest.fixture
def policy(rng):
    pi = rng.dirichlet(np.ones(5))
    pi[3] = 0.0
    return pi / pi.sum()


@pytest.fixture
def rates(rng):
    return rng.uniform(size=5)


def log(pi):
    with np.errstate(divide="ignore"):
        return jnp.asarray(np.log(pi))


def test_entropy_and_divergence_agree_with_scipy(policy, rng):
    other = rng.dirichlet(np.ones(5))
    np.testing.assert_allclose(sim.entropy(log(policy)), entropy(policy), rtol=1e-14)
    wanted = rel_entr(policy, other).sum()
    np.testing.assert_allclose(sim.kl(log(policy), log(other)), wanted, rtol=1e-13)


def test_pass_at_n_is_one_minus_the_chance_of_n_misses(policy, rates):
    accuracy = sim.accuracy(log(policy), rates)
    np.testing.assert_allclose(accuracy, policy @ rates, rtol=1e-14)
    for n in (1, 2, 7):
        wanted = 1 - (1 - policy @ rates) ** n
        got = sim.pass_at_n(log(policy), rates, n)
        np.testing.assert_allclose(got, wanted, rtol=1e-13)
    assert sim.pass_at_n(log(np.array([1.0, 0.0])), np.array([1.0, 0.2]), 3) == 1
    assert sim.pass_at_n(log(policy), rates, 0) == 0
    with pytest.raises(ValueError, match="-1"):
        sim.pass_at_n(log(policy), rates, -1)


@pytest.mark.parametrize("n", [0, 1, 3, 10**9])
def test_pass_at_n_where_accuracy_is_0_or_1_or_hardly_more(n):
    sure, never = jnp.asarray([1.0, 1.0, 0.0]), jnp.zeros(3)
    log_pi = log(np.array([0.3, 0.7, 0.0]))
    assert sim.pass_at_n(log_pi, sure, n) == (n > 0)
    assert sim.pass_at_n(log_pi, never, n) == 0
    # Three thirds add up to more than 1 in floats.
    third = jnp.full(3, -np.log(3.0))
    assert sim.pass_at_n(third, never, n) == 0
    rare = jnp.full(3, 1e-30)
    np.testing.assert_allclose(sim.pass_at_n(third, rare, n), n * 1e-30, rtol=1e-14)
    for rates in (sure, never, rare):
        slope = jax.grad(lambda x: sim.pass_at_n(log_pi, x, n))(rates)  # noqa: B023
        wanted = n * (1 - rates[0]) ** max(n - 1, 0) * jnp.exp(log_pi)
        np.testing.assert_allclose(slope, wanted, rtol=1e-12)


def test_at_corners_nothing_is_nan_or_minus_0():
    for corner in np.eye(2):
        log_pi = log(corner)
        for rates in ([0.0, 1.0], [0.0, 0.0], [1.0, 1.0]):
            rates = jnp.asarray(rates)
            assert sim.accuracy(log_pi, rates) == corner @ rates
            assert sim.best_value(log_pi, rates) == corner @ rates
            assert sim.log_gap(log_pi, rates) == -np.inf
            assert sim.log_optimal_probability(log_pi, rates) == 0
        for value in (sim.entropy(log_pi), sim.kl(log_pi, log_pi)):
            assert value == 0 and not np.signbit(value)
    far = jnp.asarray([0.0, -800.0])  # exp underflows
    assert sim.kl(far, log(np.array([1.0, 0.0]))) == np.inf
    assert sim.kl(log(np.array([1.0, 0.0])), far) == 0
    assert sim.entropy(far) == 0


def test_best_patterns_are_those_of_the_support(rates):
    rates[3] = 0.99
    rates[0] = rates[1] = 0.97
    log_pi = log(np.array([0.1, 0.2, 0.3, 0.0, 0.4]))
    best = sim.best_patterns(log_pi, rates)
    np.testing.assert_array_equal(best, [True, True, False, False, False])
    mass = np.exp(sim.log_optimal_probability(log_pi, rates))
    np.testing.assert_allclose(mass, 0.3, rtol=1e-14)


def test_the_gap_keeps_its_digits_at_the_optimum():
    log_pi = jnp.asarray([0.0, -300.0, -310.0])
    rates = np.array([0.9, 0.6, 0.1])
    wanted = -300 + np.log(0.3 + 0.8 * np.exp(-10))
    np.testing.assert_allclose(sim.log_gap(log_pi, rates), wanted, rtol=1e-15)


def test_no_measure_is_a_negative_zero_or_below_zero(rng):
    one = jnp.array([0.0, -jnp.inf])
    assert not np.signbit(sim.entropy(one)) and not np.signbit(sim.kl(one, one))
    logits = rng.normal(size=(1000, 5))
    base = jax.nn.log_softmax(logits)
    near = jax.nn.log_softmax(logits + 1e-9 * rng.normal(size=logits.shape))
    assert (jax.vmap(sim.kl)(near, base) >= 0).all()
    # d^2 KL / d theta^2 at the base policy is Fisher's matrix.
    policy = np.exp(base[0])
    curvature = jax.hessian(lambda x: sim.kl(jax.nn.log_softmax(x), base[0]))(base[0])
    fisher = np.diag(policy) - np.outer(policy, policy)
    np.testing.assert_allclose(curvature, fisher, atol=1e-12)


def test_the_log_of_an_accuracy_that_floats_do_not_hold():
    log_probs = jnp.array([-1000.0, 0.0, -2000.0])
    found = sim.log_accuracy(log_probs, jnp.array([0.5, 0.0, 1.0]))
    np.testing.assert_allclose(found, -1000 + np.log(0.5))

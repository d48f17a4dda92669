"""Rewards that are equal except for rounding count as equal; given numbers do not."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import simulator as sim
from simulator.numerics.ties import made_equal, made_equal_to_leaders

RATES, POLICY = [0.9, 0.6, 0.1], [0.05, 0.70, 0.25]
INVERTED = sim.NoisyVerifier(false_positive=0.1, false_negative=0.9)
SAME = sim.FixedConfidence(RATES)
CANCELLING = sim.Mixture([sim.Verifiable(), SAME, SAME], weights=[0.1, 0.2, -0.3])
# Each row is another order of the same numbers, and each answer is as likely.
CYCLE = np.array([np.roll([0.4, 0.3, 0.2, 0.1], k) for k in range(4)])


def test_values_within_rounding_are_raised_to_the_largest():
    eps = np.finfo(float).eps
    values = jnp.asarray([0.5, 0.3, 0.3 + 4 * eps, 0.5 - 2e-14, 7.0, 0.3 - 4 * eps])
    sizes = jnp.asarray([0.5, 0.3, 0.3, 0.5, 7.0, 0.3])
    inside = jnp.asarray([True, True, True, True, False, True])
    found = made_equal(values, sizes, inside)
    top = values[2]
    np.testing.assert_array_equal(found, [0.5, top, top, values[3], 7.0, top])


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_and_changes_nothing(odd):
    values, everyone = jnp.asarray([0.2, odd, 0.1]), jnp.ones(3, bool)
    log_probs = jnp.log(jnp.asarray(POLICY))
    for found in (
        made_equal(values, jnp.abs(values), everyone),
        made_equal_to_leaders(values, jnp.abs(values), log_probs),
    ):
        np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    ("method", "signal", "update"),
    [
        ("exact", INVERTED, sim.PolicyGradient()),
        ("exact", CANCELLING, sim.NaturalGradient()),
        ("flow", CANCELLING, sim.PolicyGradient()),
        ("flow", INVERTED, sim.NaturalGradient(beta=0.1)),
        ("flow", INVERTED, sim.PolicyGradient(beta=0.1)),
    ],
    ids=["orbit", "replicator", "explicit", "explicit-kl", "implicit-kl"],
)
def test_patterns_paid_alike_do_not_move(method, signal, update):
    problem = sim.Problem(RATES, POLICY)
    found = sim.solve(problem, signal, update, method=method, until=sim.Accuracy(0.8))
    assert str(found.outcome_names) == "stationary"
    np.testing.assert_allclose(np.exp(found.log_probs), POLICY, rtol=1e-15)


def test_an_optimizer_that_normalises_does_not_scale_rounding_up():
    problem = sim.Problem(RATES, POLICY)
    found = sim.train(
        problem, CANCELLING, sim.PolicyGradient(), optax.adam(0.1), num_steps=20
    )
    np.testing.assert_allclose(np.exp(found.log_probs), POLICY, rtol=1e-14)


@pytest.mark.parametrize(
    ("signal", "policy"),
    [
        (sim.TokenEntropy(), [0.25] * 4),
        (sim.SelfConsistency(), [0.25] * 4),
        (sim.AnswerEntropy(), [0.25] * 4),
        (sim.Mixture([sim.SelfConsistency()], [-1.0]), [0.25] * 4),
        (sim.Demonstrations(CYCLE[1]), CYCLE[1]),
    ],
    ids=["token-entropy", "self-consistency", "answer-entropy", "mixture", "data"],
)
def test_internal_rewards_that_are_equal_by_symmetry_are_equal(signal, policy):
    problem = sim.Problem(policy=policy, answer_kernel=CYCLE)
    for update in (sim.PolicyGradient(), sim.NaturalGradient()):
        point = sim.Dynamics(problem, signal, update).point(problem.log_policy)
        assert float(point.log_speed) == -np.inf


def test_derivatives_are_those_of_the_rewards():
    def paid(rates):
        rewards = 0.1 + 0.3 * rates
        return made_equal(rewards, rewards, jnp.ones(3, bool))

    slopes = jax.jacrev(paid)(jnp.asarray([0.5, 0.5 + 1e-16, 0.2]))
    np.testing.assert_allclose(slopes, 0.3 * np.eye(3), rtol=1e-14)


def test_best_patterns_that_tie_keep_their_shares():
    """0.1 * 0.6 + 0.2 * 0.3 = 0.1 * 0.8 + 0.2 * 0.2, which floats do not know."""
    rates, confidence = [0.6, 0.8, 0.1], [0.3, 0.2, 0.1]
    signal = sim.Mixture(
        [sim.Verifiable(), sim.FixedConfidence(confidence)], [0.1, 0.2]
    )
    problem = sim.Problem(rates, [0.05, 0.05, 0.9])
    for method in ("exact", "flow"):
        found = sim.solve(problem, signal, method=method, max_log_time=200.0)
        np.testing.assert_allclose(np.exp(found.log_probs[:2]), 0.5, rtol=1e-9)


def test_given_numbers_differ_however_little():
    """K = 2: x + sinh x grows at the rate Delta, with x the difference of logits."""
    x = np.log(0.3 / 0.7)
    for tiny in (1e-20, 1e-200):
        problem = sim.Problem([tiny, 2 * tiny], [0.7, 0.3])
        for signal in (sim.Verifiable(), sim.FixedConfidence([-tiny, 0.0])):
            found = sim.solve(problem, signal, until=sim.Crossing())
            expected = np.log(-x - np.sinh(x)) - np.log(tiny)
            np.testing.assert_allclose(found.log_time, expected, rtol=1e-12)


def test_small_differences_of_computed_rewards_are_kept():
    """A verifier that never errs pays the rates; one with J = 1e-9 pays little."""
    x = np.log(0.3 / 0.7)
    problem = sim.Problem([1e-200, 2e-200], [0.7, 0.3])
    found = sim.solve(problem, sim.NoisyVerifier(0.0, 0.0), until=sim.Crossing())
    expected = np.log(-x - np.sinh(x)) + 200 * np.log(10)
    np.testing.assert_allclose(found.log_time, expected, rtol=1e-12)
    problem = sim.Problem([0.2, 0.7], [0.7, 0.3])
    signal = sim.NoisyVerifier(0.5, 0.5 - 1e-9)
    found = sim.solve(problem, signal, until=sim.Crossing())
    expected = np.log(-x - np.sinh(x)) - np.log(0.5e-9)
    np.testing.assert_allclose(found.log_time, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("update", [sim.PolicyGradient(), sim.NaturalGradient()])
@pytest.mark.parametrize(
    "part",
    [sim.MajorityVote(), sim.FixedConfidence([0.1, 0.7, 0.4]), sim.SelfConsistency()],
    ids=lambda part: type(part).__name__,
)
def test_any_signal_that_cancels_in_a_mixture_moves_nothing(part, update):
    kernel = [[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.3, 0.2, 0.5]]
    problem = sim.Problem(policy=[0.2, 0.3, 0.5], answer_kernel=kernel)
    signal = sim.Mixture([part] * 3, [0.1, 0.2, -0.3])
    found = sim.solve(problem, signal, update, until=sim.Accuracy(0.45))
    assert str(found.outcome_names) == "stationary"

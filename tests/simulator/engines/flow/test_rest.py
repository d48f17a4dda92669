"""Rest inside the simplex, on a face of it and at a corner, under rewards that move."""

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

import simulator as sim
from tests.oracles import softmax

KERNEL = np.array([[0.9, 0.05, 0.05], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])
POLICY = np.array([0.3, 0.4, 0.3])
ENTROPIES = -np.sum(KERNEL * np.log(KERNEL), axis=1)


def solved(signal, update, kernel=KERNEL, policy=POLICY, **options):
    problem = sim.Problem(policy=policy, answer_kernel=kernel)
    found = sim.solve(problem, signal, update, **options)
    return str(found.outcome_names), np.exp(found.log_probs), found


def with_bonus(signal, weight):
    """The verifiable reward, and `-weight` times another."""
    return sim.Mixture([sim.Verifiable(), signal], [1.0, -weight])


@pytest.mark.parametrize(
    ("update", "beta"),
    [
        (sim.NaturalGradient, 0.0),
        (sim.PolicyGradient, 0.0),
        pytest.param(sim.NaturalGradient, 0.2, marks=pytest.mark.slow),
        pytest.param(sim.PolicyGradient, 0.2, marks=pytest.mark.slow),
    ],
)
def test_an_entropy_bonus_settles_at_its_maximum(update, beta):
    """`sum_k pi_k (s_k + w H_k) + w H(pi) - beta KL(pi || pi_0)` has a closed form."""
    signal = with_bonus(sim.SequenceLogProbability(), 0.3)
    name, policy, _ = solved(signal, update(beta=beta))
    logits = KERNEL[:, 0] + 0.3 * ENTROPIES + beta * np.log(POLICY)
    assert name == "settled"
    np.testing.assert_allclose(policy, softmax(logits / (0.3 + beta)), rtol=1e-7)
    if beta == 0:
        np.testing.assert_allclose(policy, [0.58373, 0.35531, 0.06096], atol=5e-6)


@pytest.mark.slow
@pytest.mark.parametrize("update", [sim.NaturalGradient(), sim.PolicyGradient()])
@pytest.mark.parametrize("of", ["answers", "agreement"])
def test_other_bonuses_settle_at_their_maxima(of, update):
    """Against SciPy, which maximises the objective."""

    def objective(logits):
        pi = softmax(logits)
        answers = pi @ KERNEL
        if of == "answers":
            return -(pi @ KERNEL[:, 0] - 0.8 * answers @ np.log(answers))
        return -(pi @ KERNEL[:, 0] - answers @ answers)

    signal = with_bonus(sim.AnswerEntropy(), 0.8)
    if of == "agreement":
        signal = with_bonus(sim.SelfConsistency(), 2.0)
    name, policy, _ = solved(signal, update)
    found = minimize(objective, np.log(POLICY), tol=1e-14)
    assert name == "settled"
    np.testing.assert_allclose(policy, softmax(found.x), atol=1e-5)
    assert objective(np.log(policy)) <= found.fun + 1e-14


def test_a_rest_between_two_patterns_settles_when_the_third_has_died_out():
    """On the face `pi_0 = 0`, along which `P_pi` and the rewards are known."""
    signal = with_bonus(sim.AnswerEntropy(), 5.0)
    name, policy, _ = solved(signal, sim.NaturalGradient())
    rewards = KERNEL[:, 0] - 5.0 * KERNEL @ np.log(policy @ KERNEL)
    assert name == "settled" and policy[0] == 0 and (policy[1:] > 0.1).all()
    np.testing.assert_allclose(rewards[1], rewards[2], atol=1e-7)
    assert rewards[0] < rewards[1] - 0.1  # so that nothing better is left out


@pytest.mark.slow
@pytest.mark.parametrize("update", [sim.NaturalGradient(), sim.PolicyGradient()])
def test_fine_tuning_settles_at_its_data(update):
    data = [0.2, 0.5, 0.3]
    name, policy, _ = solved(sim.Demonstrations(data), update)
    assert name == "settled"
    np.testing.assert_allclose(policy, data, rtol=1e-7)


@pytest.mark.slow
def test_a_tail_like_1_over_t_and_a_plateau_are_no_rest():
    until = sim.SuboptimalMass(1e-200)
    name, _, found = solved(sim.MajorityVote(), sim.PolicyGradient(), until=until)
    assert name == "reached"
    # B3: t gap -> n/(n + 1), here with a gap of 0.3 to 0.8 times that mass.
    assert abs(float(found.log_time) - 200 * np.log(10)) < 2
    rare = np.array([1e-30, 1 - 2e-30, 1e-30])
    name, policy, _ = solved(
        with_bonus(sim.SequenceLogProbability(), 1e-3),
        sim.NaturalGradient(),
        policy=rare,
        until=sim.Crossing(),
    )
    assert name == "reached" and policy[0] > 0.49
    # Data that never show a pattern: its share falls like 1/t, and is waited for.
    name, _, _ = solved(sim.Demonstrations([0.4, 0.6, 0.0]), sim.PolicyGradient())
    assert name == "horizon"


@pytest.mark.parametrize("off", [1e-6, -1e-6, 0.0])
def test_a_saddle_is_left_unless_nothing_leads_away_from_it(off):
    """Agreement pulls two patterns apart slightly faster than a penalty holds them."""
    kernel = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    problem = sim.Problem(
        [1.0, 0.0, 0.5],
        logits=[off, 0.0, 3.0],
        answer_kernel=kernel,
        reference_policy=np.full(3, 1 / 3),
    )
    signal = sim.Mixture([sim.SelfConsistency()], [0.903])
    run = sim.solve(problem, signal, sim.NaturalGradient(0.3))

    def loss(logits):
        pi = softmax(logits)
        return -0.4515 * np.sum((pi @ kernel) ** 2) + 0.3 * pi @ np.log(3 * pi)

    # Symmetric starts stay symmetric, for SciPy too.
    found = minimize(loss, [np.sign(off), 0.0, 0.5 * abs(np.sign(off))], tol=1e-15)
    assert str(run.outcome_names) == "settled"
    np.testing.assert_allclose(np.exp(run.log_probs), softmax(found.x), atol=2e-6)
    if off > 0:  # by an independent integration
        expected = [0.38145, 0.28743, 0.33112]
        np.testing.assert_allclose(np.exp(run.log_probs), expected, atol=6e-6)


@pytest.mark.slow
def test_a_rest_that_repels_is_left():
    """Self-consistency next to the point where both answers are as likely."""
    near = np.array([0.5 + 1e-10, 0.5 - 1e-10])
    kernel = np.array([[0.9, 0.1], [0.1, 0.9]])
    for update in (sim.NaturalGradient(), sim.PolicyGradient()):
        _, policy, _ = solved(sim.SelfConsistency(), update, kernel, near)
        np.testing.assert_allclose(policy, [1.0, 0.0], atol=1e-9)


@pytest.mark.parametrize(
    ("signal", "rate"),
    [
        (sim.Mixture([sim.SequenceLogProbability()], [-0.3]), 0.3),
        (sim.SequenceLogProbability(), -1.0),
        (sim.Verifiable(), 0.0),
        (sim.MajorityVote(), 0.0),
    ],
)
def test_the_rate_at_which_advantages_fall(signal, rate):
    problem = sim.Problem(policy=POLICY, answer_kernel=KERNEL)
    dynamics = sim.Dynamics(problem, signal, sim.NaturalGradient(beta=0.5))
    advantage = jnp.asarray([0.1, -0.05, 0.0]) - (POLICY @ [0.1, -0.05, 0.0])
    found = dynamics.restoring_rate(problem.log_policy, advantage)
    np.testing.assert_allclose(found, 0.5 + rate, rtol=1e-12)


@pytest.mark.parametrize("name", ["SelfConsistency", "AnswerEntropy"])
def test_an_answer_that_nobody_gives_has_no_say_in_the_rate(name):
    unused = np.array([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.2, 0.8, 0.0]])
    rates = [
        sim.Dynamics(
            sim.Problem(policy=POLICY, answer_kernel=kernel),
            getattr(sim, name)(),
            sim.PolicyGradient(),
        ).restoring_rate(jnp.log(POLICY), jnp.asarray([0.1, -0.2, 0.1]))
        for kernel in (unused, unused[:, :2])
    ]
    assert np.isfinite(rates[0])
    np.testing.assert_allclose(rates[0], rates[1], rtol=1e-13)


@pytest.mark.slow
def test_rest_is_found_on_two_devices_of_one_cpu():
    """Libraries that wait for threads may wait for ever there."""
    script = """
import jax
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_enable_x64", True)
import numpy as np
import simulator as sim
rng = np.random.default_rng(0)
kernel = rng.dirichlet(np.ones(3), size=(600, 16))
logits = rng.normal(size=(600, 16))
problem = sim.Problem(kernel[..., 0], logits=logits, answer_kernel=kernel)
for update in (sim.NaturalGradient(0.3), sim.PolicyGradient(0.3)):
    print(*sim.solve(problem, sim.SelfConsistency(), update).outcome_counts.items())
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.stdout.split("\n")[:2] == ["('settled', 600)"] * 2, done.stderr

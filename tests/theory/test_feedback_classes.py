"""Both readings of internal rewards: symbols, finite differences, the trapping flow."""

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp
from scipy.special import log_softmax

import theory
from theory.feedback_classes import FEEDBACK, majority_vote

NAMES = list(FEEDBACK)


def random_kernel(rng, K=4, A=3):
    return rng.dirichlet(np.ones(A), size=K), log_softmax(rng.normal(size=K))


def symbolic(name, K=3, A=3):
    """`(theta, P, reward [K], J)`; J is built from the rollouts, token by token."""
    theta = sp.symbols(f"t:{K}", real=True)
    P = sp.Matrix(K, A, sp.symbols(f"p:{K * A}", positive=True))
    weights = [sp.exp(t) for t in theta]
    pi = [w / sum(weights) for w in weights]
    total = [sum(pi[k] * P[k, a] for k in range(K)) for a in range(A)]
    pay = {  # one rollout (k, a), with the score of its pattern token
        "self-certainty": lambda k, a: (
            -sum(sp.log(A * P[k, b]) for b in range(A)) / A
            - sum(sp.log(K * q) for q in pi) / K
        ),
        "token entropy": lambda k, a: (
            sum(P[k, b] * sp.log(P[k, b]) for b in range(A))
            + sum(q * sp.log(q) for q in pi)
        ),
        "sequence log-probability": lambda k, a: sp.log(pi[k] * P[k, a]),
        "answer entropy": lambda k, a: sp.log(total[a]),
        "majority vote": lambda k, a: sp.Integer(a == 1),  # answer 1 is the majority
        "self-consistency": lambda k, a: total[a],
    }[name]
    J = sum(pi[k] * P[k, a] * pay(k, a) for k in range(K) for a in range(A))
    frozen = [sum(P[k, a] * pay(k, a) for a in range(A)) for k in range(K)]
    mean = sum(q * r for q, r in zip(pi, frozen, strict=True))
    detached = [q * (r - mean) for q, r in zip(pi, frozen, strict=True)]
    return theta, P, detached, [sp.diff(J, t) for t in theta]


@pytest.mark.parametrize("name", NAMES)
def test_both_velocities_are_those_of_the_symbolic_gradient(name):
    theta, P, detached, through = symbolic(name)
    point = np.array([[0.2, 0.5, 0.3], [0.15, 0.75, 0.1], [0.3, 0.4, 0.3]])
    logits = np.array([0.3, -0.8, 0.9])
    values = dict(zip(theta, logits, strict=True))
    values |= dict(zip(list(P), point.ravel(), strict=True))

    def at(expressions):
        return [float(e.subs(values).evalf(20)) for e in expressions]

    arguments = name, point, log_softmax(logits)
    np.testing.assert_allclose(
        theory.feedback_classes.detached_velocity(*arguments), at(detached), atol=1e-14
    )
    np.testing.assert_allclose(
        theory.feedback_classes.through_velocity(*arguments), at(through), atol=1e-14
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_through_velocity_is_the_gradient_of_the_expected_feedback(rng, name):
    step = 1e-6 * np.eye(4)
    for _ in range(5):
        P, log_pi = random_kernel(rng)
        up, down = (
            theory.feedback_classes.expected_feedback(
                name, P, log_softmax(log_pi + h, axis=-1)
            )
            for h in (step, -step)
        )
        np.testing.assert_allclose(
            theory.feedback_classes.through_velocity(name, P, log_pi),
            (up - down) / 2e-6,
            atol=1e-8,
        )


def test_only_two_rewards_are_the_same_at_every_policy(rng):
    P, _ = random_kernel(rng)
    # At these two policies different answers are in the majority.
    best = P.argmax(axis=0)
    policies = [log_softmax(9.0 * (np.arange(4) == best[a])) for a in range(3)]
    for name, feedback in FEEDBACK.items():
        paid = np.array([feedback.reward(P, log_pi) for log_pi in policies])
        assert np.all(np.ptp(paid, axis=0) == 0) == feedback.fixed, name


def test_the_extra_terms_are_the_printed_ones(rng):
    P, log_pi = random_kernel(rng)
    pi = np.exp(log_pi)
    extra = {name: f.extra(P, log_pi) for name, f in FEEDBACK.items()}
    np.testing.assert_allclose(extra["self-certainty"], pi - 1 / 4, rtol=1e-12)
    entropy = -pi @ log_pi
    np.testing.assert_allclose(extra["token entropy"], pi * (log_pi + entropy))
    np.testing.assert_allclose(
        theory.feedback_classes.through_velocity("token entropy", P, log_pi),
        theory.feedback_classes.detached_velocity(
            "sequence log-probability", P, log_pi
        ),
        rtol=1e-10,
    )
    for name in ("sequence log-probability", "answer entropy", "majority vote"):
        assert np.all(extra[name] == 0)
    np.testing.assert_allclose(
        theory.feedback_classes.through_velocity("self-consistency", P, log_pi),
        2 * theory.feedback_classes.detached_velocity("self-consistency", P, log_pi),
    )


def test_with_finitely_many_votes_the_two_readings_differ():
    # Three votes: r_k = sum_a P[k, a] Pr(at least two of three say a), two answers.
    P = np.array([[0.9, 0.1], [0.3, 0.7]])

    def reward(logits):
        q = np.exp(log_softmax(logits)) @ P
        return P @ (3 * q**2 - 2 * q**3)

    logits = np.array([0.4, -0.2])

    def mean(shift):
        return np.exp(log_softmax(logits + shift)) @ reward(logits + shift)

    step = np.array([1e-6, 0.0])
    through = (mean(step) - mean(-step)) / 2e-6
    pi = np.exp(log_softmax(logits))
    detached = pi[0] * (reward(logits)[0] - pi @ reward(logits))
    assert abs(through - detached) > 0.1 * abs(detached)


def run_through(P, log_pi, time):
    def field(t, theta):
        return theory.feedback_classes.through_velocity(
            "self-certainty", P, log_softmax(theta)
        )

    run = solve_ivp(field, (0, time), log_pi, method="LSODA", rtol=1e-9, atol=1e-10)
    return log_softmax(run.y[:, -1])


def test_a_trapped_leader_wins_even_if_it_is_the_least_certain_and_the_worst(rng):
    P = np.array([[0.35, 0.65], [0.9, 0.1], [0.95, 0.05]])
    spread = np.ptp(
        theory.feedback_classes.self_certainty(P, np.log([0.5, 0.25, 0.25]))
    )
    edge = 1 / (2 * (1 + spread))
    log_pi = np.log([1 - 0.97 * edge, 0.5 * edge, 0.47 * edge])
    assert 0 < theory.feedback_classes.trap_margin(P, log_pi) < 0.04
    early, late = (run_through(P, log_pi, t) for t in (20.0, 22.0))
    left = np.log(-np.expm1([early[0], late[0]]))
    np.testing.assert_allclose(np.diff(left), -2.0, atol=1e-3)
    detached = theory.feedback_classes.detached_velocity("self-certainty", P, log_pi)
    assert detached[0] < 0  # as a fixed number it would lose


def test_the_margin_bounds_the_growth_of_every_lead_of_the_leader(rng):
    tight = np.inf
    for _ in range(200):
        P, _ = random_kernel(rng, K=3, A=2)
        log_pi = log_softmax([rng.uniform(1, 6), 0.0, rng.normal()])
        velocity = theory.feedback_classes.through_velocity("self-certainty", P, log_pi)
        leads = velocity[0] - velocity[1:]
        margin = theory.feedback_classes.trap_margin(P, log_pi)
        if margin > 0:
            assert np.all(leads >= margin - 1e-12)
            tight = min(tight, np.min(leads - margin))
    assert tight < 0.02


def test_patterns_without_mass_change_nothing(rng):
    P, log_pi = random_kernel(rng)
    masked = np.insert(P, 2, [1.0, 0.0, 0.0], axis=0), np.insert(log_pi, 2, -np.inf)
    for name in NAMES:
        for function in (
            theory.feedback_classes.detached_velocity,
            theory.feedback_classes.through_velocity,
        ):
            np.testing.assert_allclose(
                np.delete(function(name, *masked), 2), function(name, P, log_pi)
            )
            assert function(name, *masked)[2] == 0
        np.testing.assert_allclose(
            theory.feedback_classes.expected_feedback(name, *masked),
            theory.feedback_classes.expected_feedback(name, P, log_pi),
        )


def test_a_batch_is_its_lanes(rng):
    P, log_pi = map(np.stack, zip(*[random_kernel(rng) for _ in range(5)], strict=True))
    for name in NAMES:
        together = theory.feedback_classes.through_velocity(name, P, log_pi)
        for lane in range(5):
            alone = theory.feedback_classes.through_velocity(
                name, P[lane], log_pi[lane]
            )
            np.testing.assert_allclose(together[lane], alone, rtol=1e-12)


def test_a_kernel_that_is_none_is_refused():
    log_pi = np.log([0.5, 0.5])
    for wrong in ([0.3, 0.7], [[0.5, 0.6], [0.5, 0.5]], [[1.2, -0.2], [0.5, 0.5]]):
        with pytest.raises(ValueError, match="kernel"):
            theory.feedback_classes.self_consistency(wrong, log_pi)


def test_tied_answers_win_equally_often():
    P = np.array([[0.25, 0.5, 0.25], [0.0, 0.25, 0.75]])
    assert theory.feedback_classes.majority(P, np.log([0.5, 0.5])) == 2
    tied = np.array([[0.25, 0.5, 0.25], [0.25, 0.25, 0.5]])
    log_pi = np.log([0.5, 0.5])
    assert theory.feedback_classes.majority(tied, log_pi) == 1
    # By hand: answers 1 and 2 have 3/8 each.
    np.testing.assert_array_equal(majority_vote(tied, log_pi), [0.375, 0.375])

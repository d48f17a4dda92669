"""Internal rewards: against formulas written out once more, and along the flow."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import simulator as sim
from tests.oracles import softmax
from theory.feedback_classes import majority_vote

KERNEL = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.0, 0.9]])
LOGITS = np.array([0.4, -0.7, 0.1])


def entropy(row):
    return -sum(p * np.log(p) for p in row if p > 0)


def by_hand(name, pi):
    """Rewards `[K]`, one rollout at a time."""
    answers = pi @ KERNEL
    reward = np.zeros(3)
    for k, row in enumerate(KERNEL):
        if name == "TokenEntropy":
            reward[k] = -entropy(row)
        elif name == "SequenceLogProbability":
            reward[k] = np.log(pi[k]) - entropy(row)
        elif name == "MajorityVote":
            reward[k] = row[list(answers).index(max(answers))]
        elif name == "SelfConsistency":
            reward[k] = sum(p * q for p, q in zip(row, answers, strict=True))
        else:
            reward[k] = sum(
                p * np.log(q) for p, q in zip(row, answers, strict=True) if p > 0
            )
    return reward


NAMES = (
    "TokenEntropy",
    "SequenceLogProbability",
    "MajorityVote",
    "SelfConsistency",
    "AnswerEntropy",
)


def problem(logits=LOGITS):
    return sim.Problem(logits=logits, answer_kernel=KERNEL)


@pytest.mark.parametrize("name", NAMES)
def test_rewards_match_the_formula(name):
    signal, one = getattr(sim, name)(), problem()
    paid = signal(one, one.log_policy)
    np.testing.assert_allclose(paid, by_hand(name, softmax(LOGITS)), rtol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_a_pattern_outside_the_support_changes_nothing(name):
    logits = np.where([True, True, False], LOGITS, -np.inf)
    one = problem(logits)
    point = sim.Dynamics(one, getattr(sim, name)(), sim.PolicyGradient()).point(
        one.log_policy
    )
    expected = by_hand(name, np.append(softmax(LOGITS[:2]), 1e-300))
    np.testing.assert_allclose(point.rewards[:2], expected[:2], rtol=1e-13)
    assert np.isfinite(point.rewards).all() and point.direction[2] == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_flow_follows_the_signal(name):
    """Against SciPy with the formula above, at t = 3."""

    def field(t, theta):
        pi = softmax(theta)
        reward = by_hand(name, pi)
        return pi * (reward - pi @ reward)

    expected = solve_ivp(
        field, (0, 3.0), LOGITS, method="DOP853", rtol=1e-11, atol=1e-12
    )
    solution = sim.flow(problem(), getattr(sim, name)(), max_log_time=np.log(3.0))
    np.testing.assert_allclose(
        np.exp(solution.log_probs), softmax(expected.y[:, -1]), atol=1e-7
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_kernel_is_needed(name):
    bare = sim.Problem([0.5, 0.2], logits=[0.0, 0.0])
    with pytest.raises(ValueError, match=f"`{name}` needs an answer kernel"):
        sim.flow(bare, getattr(sim, name)())


def test_tied_answers_win_a_vote_equally_often():
    """Two answers, level: every pattern is paid 1/2. Of three, two level: by hand."""
    kernel = np.array([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0], [0.75, 0.25, 0.0]])
    tied = sim.Problem(logits=jnp.zeros(3), answer_kernel=kernel)
    np.testing.assert_array_equal(sim.MajorityVote()(tied, tied.log_policy), 0.5)
    run = sim.flow(tied, sim.MajorityVote(), max_log_time=np.log(3.0))
    assert run.outcome_names == "stationary"
    kernel = [[0.3, 0.6, 0.1], [0.5, 0.2, 0.3]]
    tied = sim.Problem(policy=[0.5, 0.5], answer_kernel=kernel)
    paid = sim.MajorityVote()(tied, tied.log_policy)
    np.testing.assert_allclose(paid, [(0.3 + 0.6) / 2, (0.5 + 0.2) / 2])
    np.testing.assert_allclose(paid, majority_vote(kernel, tied.log_policy))

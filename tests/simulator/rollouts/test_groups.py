"""One group, by hand: what an expectation cannot see."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simulator as sim
from simulator import rollouts as ro

KERNEL = [[0.5, 0.3, 0.2], [0.25, 0.15, 0.6]]
COUNTS = np.array([[2.0, 0.0, 1.0], [1.0, 1.0, 0.0]])  # five rollouts
REFERENCE = [0.6, 0.4]


def group():
    problem = sim.Problem(
        policy=[0.35, 0.65], answer_kernel=KERNEL, reference_policy=REFERENCE
    )
    known = ro.results(problem)
    priority = jnp.array([0.1, 0.9, 0.5])
    log_probs = problem.log_policy
    return ro.Group(
        problem, known, log_probs, log_probs, jnp.asarray(COUNTS), priority, size=5
    )


def paid(feedback):
    """The reward of each answer (the same for both patterns)."""
    rewards = np.asarray(feedback(group()))
    np.testing.assert_array_equal(rewards[0], rewards[1])
    return rewards[0]


def test_the_verifier_pays_the_right_answer():
    np.testing.assert_array_equal(paid(ro.Verifier()), [1, 0, 0])


def test_votes_are_counted_over_patterns():
    np.testing.assert_array_equal(group().votes, [3, 1, 1])
    np.testing.assert_array_equal(paid(ro.MajorityVote()), [1, 0, 0])


def test_a_rollout_does_not_agree_with_itself():
    np.testing.assert_allclose(paid(ro.SelfConsistency()), [2 / 4, 0, 0])


def test_shares_count_the_rollout_itself():
    np.testing.assert_allclose(paid(ro.AnswerEntropy()), np.log([3 / 5, 1 / 5, 1 / 5]))


def test_a_teacher_knows_its_answers_exactly():
    shares = np.array([0.35, 0.65]) @ np.array(KERNEL)
    np.testing.assert_allclose(paid(ro.SelfConsistency(ro.Teacher())), shares)


@pytest.mark.parametrize(
    "penalty, loss",
    [
        (ro.KLLoss1(0.3), lambda u: -jnp.log(u)),
        (ro.KLLoss3(0.3), lambda u: u - 1 - jnp.log(u)),
    ],
)
def test_kl_losses_are_differentiated_as_they_stand(penalty, loss):
    drawn = group()
    share = COUNTS.sum(axis=1) / 5

    def total(logits):
        ratio = jnp.exp(jnp.log(jnp.array(REFERENCE)) - jax.nn.log_softmax(logits))
        return -0.3 * jnp.sum(share * loss(ratio))

    wanted = jax.grad(total)(drawn.log_probs)
    found = penalty.gradient(drawn, drawn.log_probs)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_a_group_is_equal_only_over_what_it_holds():
    drawn = group()
    rewards = jnp.array([[1.0, 7.0, 1.0], [1.0, 1.0, 7.0]])
    assert drawn.all_equal(rewards)
    assert not drawn.all_equal(rewards.at[1, 1].set(2.0))
    np.testing.assert_allclose(drawn.mean(rewards.at[1, 1].set(2.0)), 6 / 5)

"""The mean of a step: all groups, against formulas and against rollouts by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import simulator as sim
from simulator import rollouts as ro
from tests.simulator.rollouts import by_hand

RATES = np.array([0.9, 0.6, 0.1])
POLICY = np.array([0.15, 0.6, 0.25])
P = float(POLICY @ RATES)
QUESTION = sim.Problem(RATES, POLICY)
KERNEL = np.array([[0.5, 0.3, 0.2], [0.25, 0.15, 0.6]])
CHOICE = np.array([0.35, 0.65])
ASKED = sim.Problem(policy=CHOICE, answer_kernel=KERNEL)
RATE = 1e-3


def step(question, **recipe):
    """Mean step divided by the learning rate, which is small: no second order."""
    recipe = ro.Recipe(**({"group_size": 4, "learning_rate": RATE} | recipe))
    return np.asarray(ro.expected_step(question, recipe)) / RATE


def clock(update, p=P):
    return float(jnp.exp(update.log_factor(jnp.log(p), jnp.log1p(-p))))


ESTIMATORS = {
    "reinforce": (ro.Reinforce(0.3), lambda r, _: r - 0.3, 1.0),
    "mean": (
        ro.GroupMean(),
        by_hand.group_mean,
        clock(sim.GroupMean(group_size=4)),
    ),
    "rloo": (ro.RLOO(), by_hand.rloo, 1.0),
    "grpo": (ro.GRPO(), by_hand.grpo, clock(sim.GRPO(group_size=4))),
    "grpo, sample": (
        ro.GRPO(spread="sample", epsilon=0.01),
        lambda r, k: by_hand.grpo(r, k, ddof=1, epsilon=0.01),
        clock(sim.GRPO(group_size=4, spread="sample", epsilon=0.01)),
    ),
    "pass@3 reward": (
        ro.PassAtNReward(3),
        by_hand.pass_at_n_reward(3),
        clock(sim.PassAtN(attempts=3)),
    ),
    "pass@3 advantage": (
        ro.PassAtNAdvantage(3),
        by_hand.pass_at_n_advantage(3),
        None,
    ),
    "delight": (ro.Delight(), by_hand.delight(POLICY), None),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_mean_step_is_that_of_all_ordered_groups(name):
    estimator, advantages, _ = ESTIMATORS[name]
    chance = np.stack([RATES, 1 - RATES], axis=-1)
    reward = np.array([[1, 0]] * 3)
    found = step(QUESTION, estimator=estimator)
    wanted = by_hand.mean_step(POLICY, chance, reward, advantages, 4)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [n for n, e in ESTIMATORS.items() if e[2]])
def test_the_mean_step_is_the_plain_gradient_in_another_clock(name):
    estimator, _, h = ESTIMATORS[name]
    found = step(QUESTION, estimator=estimator)
    np.testing.assert_allclose(found, h * POLICY * (RATES - P), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "name", [n for n in ESTIMATORS if n not in ("delight", "reinforce")]
)
def test_the_clock_is_that_of_b6_by_counting_the_right_ones(name):
    """`h = (1/G) [E sum A 1{r=1} / p - E sum A 1{r=0} / (1 - p)]`, over `G` and j."""
    estimator, advantages, _ = ESTIMATORS[name]
    h = 0.0
    for right in range(5):
        rewards = np.array([1.0] * right + [0.0] * (4 - right))
        chance = stats.binom.pmf(right, 4, P)
        paid = advantages(rewards, np.zeros(4, int))
        h += chance * paid[:right].sum() / P / 4
        h -= chance * paid[right:].sum() / (1 - P) / 4
    found = step(QUESTION, estimator=estimator)
    np.testing.assert_allclose(found, h * POLICY * (RATES - P), rtol=0, atol=1e-12)


def test_a_normalised_step_has_length_one_and_leaves_the_class():
    found = step(QUESTION, surrogate=ro.NormalisedGradient())
    ratio = found / (POLICY * (RATES - P))
    assert np.ptp(ratio) > 0.1
    recipe = ro.Recipe(
        surrogate=ro.NormalisedGradient(), num_steps=1, learning_rate=RATE
    )
    run = ro.train(QUESTION, recipe, num_seeds=50)
    moved = run.log_probs[:, 0] - np.log(POLICY)
    # Logits are known up to a constant; the step itself sums to 0.
    length = np.linalg.norm(moved - moved.mean(axis=1, keepdims=True), axis=1) / RATE
    assert np.isclose(length, 1, atol=1e-6).sum() > 40
    assert (np.isclose(length, 1, atol=1e-6) | np.isclose(length, 0)).all()


@pytest.mark.parametrize("name", ["rloo", "grpo"])
@pytest.mark.parametrize("size", [3, 5])
def test_a_normalised_step_by_hand(name, size):
    """Groups of 3 and 5 have means that are rounded."""
    estimator, advantages, _ = ESTIMATORS[name]
    rates, policy = np.array([0.85, 0.4]), np.array([0.2, 0.8])
    found = step(
        sim.Problem(rates, policy),
        estimator=estimator,
        surrogate=ro.NormalisedGradient(),
        group_size=size,
    )
    chance = np.stack([rates, 1 - rates], axis=-1)
    reward = np.array([[1, 0], [1, 0]])
    wanted = by_hand.normalised_step(policy, chance, reward, advantages, size)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("estimator", [ro.RLOO(), ro.GRPO(), ro.GroupMean()])
def test_a_group_of_one_pattern_has_no_direction(estimator):
    question = sim.Problem([0.7, 0.3], [1e-12, 1 - 1e-12])
    recipe = ro.Recipe(
        estimator=estimator,
        surrogate=ro.NormalisedGradient(),
        group_size=7,
        num_steps=1,
    )
    run = ro.train(question, recipe, num_seeds=200)
    assert np.abs(run.log_probs[:, 0] - question.log_policy).max() < 1e-12


@pytest.mark.parametrize("estimator", [ro.RLOO(), ro.GRPO(), ro.GroupMean()])
def test_rewards_that_differ_by_rounding_are_equal(estimator, rng):
    """Both patterns are equally certain; the policy is its own reference."""
    certain = sim.Problem(policy=[0.4, 0.6], answer_kernel=[[0.3, 0.7], [0.7, 0.3]])
    found = step(certain, estimator=estimator, feedback=ro.SelfCertainty())
    np.testing.assert_array_equal(found, 0)
    for policy in rng.dirichlet(np.ones(3), size=20):
        found = step(
            sim.Problem([0.0, 0.0, 0.0], policy),
            estimator=estimator,
            penalties=(ro.KLReward(0.1),),
            group_size=3,
        )
        np.testing.assert_array_equal(found, 0)


def test_delight_is_not_of_the_class():
    ratio = step(QUESTION, estimator=ro.Delight()) / (POLICY * (RATES - P))
    assert np.ptp(ratio) > 0.1


@pytest.mark.slow
def test_redrawing_divides_by_the_chance_of_a_mixed_group():
    found = step(QUESTION, redraws=1000)
    h = clock(sim.GRPO(group_size=4, redraw=True))
    np.testing.assert_allclose(found, h * POLICY * (RATES - P), rtol=0, atol=1e-12)


def test_few_redraws_sometimes_fail():
    equal = P**4 + (1 - P) ** 4
    factor = (1 - equal**3) / (1 - equal)
    np.testing.assert_allclose(
        step(QUESTION, redraws=2), factor * step(QUESTION), rtol=1e-12
    )


def test_a_noisy_verifier_is_a_slower_clock_at_another_rate():
    wrong, right = 0.1, 0.25
    found = step(QUESTION, feedback=ro.Verifier(wrong, right))
    J = 1 - wrong - right
    h = J * clock(sim.GRPO(group_size=4), wrong + J * P)
    np.testing.assert_allclose(found, h * POLICY * (RATES - P), rtol=0, atol=1e-12)


def test_a_pattern_that_fools_the_verifier():
    wrong = np.array([0.0, 0.0, 0.95])
    rates = RATES + wrong * (1 - RATES)
    found = step(QUESTION, feedback=ro.Verifier(wrong), estimator=ro.RLOO())
    wanted = POLICY * (rates - POLICY @ rates)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
    assert found[2] > 0 > (POLICY * (RATES - P))[2]


def test_the_natural_gradient_expects_the_advantage():
    found = step(QUESTION, estimator=ro.RLOO(), surrogate=ro.NaturalGradient())
    np.testing.assert_allclose(found, RATES - P, rtol=0, atol=1e-12)


# Penalties.

REFERENCE = np.array([0.5, 0.2, 0.3])
PULLED = sim.Problem(RATES, POLICY, reference_policy=REFERENCE)
NOTHING = ro.Reinforce(0.0)


def gradient(function):
    return np.asarray(
        jax.grad(lambda x: function(jax.nn.log_softmax(x)))(jnp.log(POLICY))
    )


def reverse(log_probs):
    return jnp.sum(jnp.exp(log_probs) * (log_probs - jnp.log(REFERENCE)))


def forward(log_probs):
    return jnp.sum(REFERENCE * (jnp.log(REFERENCE) - log_probs))


def penalty_alone(penalty):
    plain = step(PULLED, estimator=ro.RLOO())
    return step(PULLED, estimator=ro.RLOO(), penalties=(penalty,)) - plain


def test_kl_in_the_reward_is_the_reverse_kl():
    found = penalty_alone(ro.KLReward(0.2))
    np.testing.assert_allclose(found, -0.2 * gradient(reverse), atol=1e-12)


def test_the_first_kl_loss_pulls_nowhere():
    np.testing.assert_allclose(penalty_alone(ro.KLLoss1(0.2)), 0, atol=1e-12)


def test_the_third_kl_loss_is_the_forward_kl():
    found = penalty_alone(ro.KLLoss3(0.2))
    np.testing.assert_allclose(found, -0.2 * gradient(forward), atol=1e-12)
    assert np.abs(found + 0.2 * gradient(reverse)).max() > 1e-2


def test_the_entropy_bonus_is_the_gradient_of_the_entropy():
    found = penalty_alone(ro.EntropyBonus(0.2))
    np.testing.assert_allclose(found, 0.2 * gradient(sim.entropy), atol=1e-12)


@pytest.mark.parametrize(
    "penalty, objective",
    [
        (ro.KLReward(0.2), lambda x: -0.2 * reverse(x)),
        (ro.KLLoss3(0.2), lambda x: -0.2 * forward(x)),
        (ro.EntropyBonus(0.2), lambda x: 0.2 * sim.entropy(x)),
    ],
)
def test_the_natural_gradient_steers_penalties_too(penalty, objective):
    natural = {"estimator": ro.RLOO(), "surrogate": ro.NaturalGradient()}
    plain = step(PULLED, **natural)
    found = step(PULLED, penalties=(penalty,), **natural) - plain
    wanted = gradient(objective) / POLICY
    # A constant on all logits changes nothing.
    apart = (found - found.mean()) - (wanted - wanted.mean())
    np.testing.assert_allclose(apart, 0, atol=1e-11)


# Internal feedback.


def flow(signal):
    """`pi_k (rho_k - mean)` with the rewards of the flow's signal."""
    rewards = np.asarray(signal(ASKED, ASKED.log_policy))
    return CHOICE * (rewards - CHOICE @ rewards)


@pytest.mark.parametrize(
    "feedback, signal",
    [
        (ro.SelfCertainty(), sim.SelfCertainty()),
        (ro.SequenceLogProbability(), sim.SequenceLogProbability()),
        (ro.SelfConsistency(), sim.SelfConsistency()),
        (ro.SelfConsistency(ro.Teacher()), sim.SelfConsistency()),
        (ro.AnswerEntropy(ro.Teacher()), sim.AnswerEntropy()),
        (ro.MajorityVote(ro.Teacher()), sim.MajorityVote()),
        (
            ro.Mixture([ro.Verifier(), ro.SelfCertainty()], [0.7, 0.3]),
            sim.Mixture([sim.Verifiable(), sim.SelfCertainty()], [0.7, 0.3]),
        ),
    ],
)
def test_sampled_feedback_expects_the_signal_of_the_flow(feedback, signal):
    # One sampled reward is compared with nothing, or with others it is independent of.
    estimator = NOTHING if isinstance(feedback, ro.SelfConsistency) else ro.RLOO()
    found = step(ASKED, feedback=feedback, estimator=estimator)
    np.testing.assert_allclose(found, flow(signal), rtol=0, atol=1e-12)


def test_a_tied_vote_is_the_same_in_samples_and_in_the_flow():
    """Answers 0 and 1 are level at 0.45; `0.3 + 0.1 != 0.4` makes it a tie by rounding.

    By hand: each wins half of the votes.
    """
    kernel = np.array([[0.3, 0.6, 0.1], [0.6, 0.3, 0.1], [0.45, 0.45, 0.1]])
    policy = np.array([0.3, 0.3, 0.1 + 0.3])
    tied = sim.Problem(policy=policy, answer_kernel=kernel)
    rewards = (kernel[:, 0] + kernel[:, 1]) / 2
    wanted = policy * (rewards - policy @ rewards)
    signal = np.asarray(sim.MajorityVote()(tied, tied.log_policy))
    np.testing.assert_allclose(signal, rewards, rtol=1e-15)
    recipe = {"feedback": ro.MajorityVote(ro.Teacher()), "estimator": ro.RLOO()}
    np.testing.assert_allclose(step(tied, **recipe), wanted, rtol=0, atol=1e-12)


def test_a_baseline_within_the_group_biases_self_consistency():
    # The rewards of a group depend on each other: only then does a baseline matter.
    bare = step(ASKED, feedback=ro.SelfConsistency(), estimator=NOTHING)
    with_baseline = step(ASKED, feedback=ro.SelfConsistency(), estimator=ro.RLOO())
    assert np.abs(with_baseline - bare).max() > 1e-3


def test_votes_of_a_group_by_hand():
    def advantages(answers, _):
        votes = np.array([(answers == a).sum() for a in range(3)])
        tied = np.flatnonzero(votes == votes.max())
        return np.mean([answers == a for a in tied], axis=0)

    answer = np.array([[0, 1, 2]] * 2)
    wanted = by_hand.mean_step(CHOICE, KERNEL, answer, advantages, 4)
    found = step(ASKED, feedback=ro.MajorityVote(), estimator=NOTHING)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


def test_shares_of_answers_by_hand():
    def advantages(answers, _):
        return np.log([np.mean(answers == a) for a in answers])

    answer = np.array([[0, 1, 2]] * 2)
    wanted = by_hand.mean_step(CHOICE, KERNEL, answer, advantages, 4)
    found = step(ASKED, feedback=ro.AnswerEntropy(), estimator=NOTHING)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


# Clipping.


def test_clipped_epochs_by_hand():
    """Two epochs at a large step, one group after the other."""
    rate, low, high = 3.0, 0.2, 0.3
    chance = np.stack([RATES, 1 - RATES], axis=-1)
    total = np.zeros(3)
    clipped = 0
    for counts in ro.all_counts(3, 6):
        counts = counts.reshape(3, 2)
        weight = 6 / np.prod([np.prod(np.arange(1, n + 1)) for n in counts.ravel()])
        weight *= np.prod((POLICY[:, None] * chance) ** counts)
        rewards = np.repeat([1.0, 0.0], counts.sum(axis=0))
        patterns = np.concatenate([np.repeat(np.arange(3), c) for c in counts.T])
        advantage = by_hand.grpo(rewards, patterns)
        theta = np.log(POLICY)
        for _ in range(2):
            pi = np.exp(theta) / np.exp(theta).sum()
            ascent = np.zeros(3)
            for k, A in zip(patterns, advantage, strict=True):
                u = pi[k] / POLICY[k]
                inside = np.clip(u, 1 - low, 1 + high) * A
                if u * A <= inside:
                    ascent += A * u * (np.eye(3)[k] - pi) / 3
                else:
                    clipped += 1
            theta = theta + rate * ascent
        total += weight * (theta - np.log(POLICY))
    found = ro.expected_step(
        QUESTION,
        ro.Recipe(
            group_size=3,
            learning_rate=rate,
            surrogate=ro.Clipped(low, high, epochs=2),
        ),
    )
    assert clipped > 10
    np.testing.assert_allclose(found, total, rtol=0, atol=1e-12)


def test_a_first_epoch_is_never_clipped():
    narrow = ro.Clipped(1e-9, 1e-9, epochs=1)
    np.testing.assert_allclose(step(QUESTION, surrogate=narrow), step(QUESTION))


def test_a_loss_looks_at_the_policy_that_is_trained():
    """Two epochs on one batch: the second starts where the first has led."""
    rate, weight = 2.0, 0.5
    total = np.zeros(3)
    chance = np.stack([RATES, 1 - RATES], axis=-1)
    for counts in ro.all_counts(2, 6):
        counts = counts.reshape(3, 2)
        chosen = 2 / np.prod(np.where(counts > 1, 2, 1))
        chosen *= np.prod((POLICY[:, None] * chance) ** counts)
        share = counts.sum(axis=1) / 2
        theta = np.log(POLICY)
        for _ in range(2):
            pi = np.exp(theta) / np.exp(theta).sum()
            pull = weight * share * (REFERENCE / pi - 1)
            theta = theta + rate * (pull - pull.sum() * pi)
        total += chosen * (theta - np.log(POLICY))
    recipe = ro.Recipe(
        feedback=ro.Mixture([ro.Verifier()], [0.0]),
        penalties=(ro.KLLoss3(weight),),
        surrogate=ro.Clipped(epochs=2),
        group_size=2,
        learning_rate=rate,
    )
    found = ro.expected_step(PULLED, recipe)
    np.testing.assert_allclose(found, total, rtol=0, atol=1e-12)


def test_too_many_groups_are_refused():
    with pytest.raises(ValueError, match="too many"):
        ro.all_counts(64, 16)
    for size in (-1, 2.5, "x"):
        with pytest.raises(ValueError, match="whole number"):
            ro.all_counts(size, 2)
    many = sim.Problem(policy=[0.5, 0.5], answer_kernel=np.full((2, 10), 0.1))
    with pytest.raises(ValueError, match="too many"):
        step(many, feedback=ro.MajorityVote(), group_size=2)

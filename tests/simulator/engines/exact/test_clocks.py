"""Group rules move along the plain path in another clock: h by counting every group."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Int

import simulator as sim

GROUP = 4
RATES, LOGITS = np.array([0.8, 0.55, 0.1]), np.array([-1.2, 0.9, 0.1])
POLICY = np.exp(LOGITS) / np.exp(LOGITS).sum()


def standardised(rewards, epsilon=0.0, ddof=0):
    spread = rewards.std(ddof=ddof)
    if spread == 0:
        return np.zeros_like(rewards)
    return (rewards - rewards.mean()) / (spread + epsilon)


def mean_update(advantages, pay=RATES, keep=lambda rewards: True):
    """The expected update, by counting all groups of rollouts (pattern, reward)."""
    rollouts = list(itertools.product(range(len(pay)), (0, 1)))
    chance = [POLICY[k] * (pay[k] if r else 1 - pay[k]) for k, r in rollouts]
    total, kept = np.zeros(len(pay)), 0.0
    for group in itertools.product(range(len(rollouts)), repeat=GROUP):
        weight = np.prod([chance[i] for i in group])
        rewards = np.array([rollouts[i][1] for i in group], float)
        if not keep(rewards):
            continue
        kept += weight
        for i, a in zip(group, advantages(rewards), strict=True):
            score = np.eye(len(pay))[rollouts[i][0]] - POLICY
            total += weight * a * score / GROUP
    return total / kept


def velocity(update, signal=None, rates=RATES):
    signal = sim.Verifiable() if signal is None else signal
    problem = sim.Problem(rates, logits=LOGITS)
    point = sim.Dynamics(problem, signal, update).point(problem.log_policy)
    return np.asarray(point.direction * jnp.exp(point.log_speed))


MIXED = {"keep": lambda rewards: 0 < rewards.sum() < GROUP}
RULES = {
    "group mean": (sim.GroupMean(GROUP), lambda r: r - r.mean(), {}),
    "leave one out": (
        sim.PolicyGradient(),
        lambda r: r - (r.sum() - r) / (GROUP - 1),
        {},
    ),
    "grpo": (sim.GRPO(GROUP), standardised, {}),
    "sample spread": (
        sim.GRPO(GROUP, spread="sample"),
        lambda r: standardised(r, ddof=1),
        {},
    ),
    "epsilon": (
        sim.GRPO(GROUP, epsilon=0.3),
        lambda r: standardised(r, epsilon=0.3),
        {},
    ),
    "redraw": (sim.GRPO(GROUP, redraw=True), standardised, MIXED),
}


@pytest.mark.parametrize("name", RULES)
def test_the_mean_update_over_all_groups_is_the_rules_velocity(name):
    update, advantages, options = RULES[name]
    counted = mean_update(advantages, **options)
    np.testing.assert_allclose(velocity(update), counted, rtol=1e-12)


def test_a_noisy_verifier_pays_errors_too():
    wrong, missed = 0.25, 0.1
    pay = RATES * (1 - missed) + (1 - RATES) * wrong
    counted = mean_update(standardised, pay=pay)
    signal = sim.NoisyVerifier(wrong, missed)
    got = velocity(sim.GRPO(GROUP), signal)
    np.testing.assert_allclose(got, counted, rtol=1e-12)


def test_pass_at_n_is_the_gradient_of_pass_at_n():
    problem = sim.Problem(RATES, logits=LOGITS)

    def objective(theta):
        log_probs = jax.nn.log_softmax(theta)
        return sim.pass_at_n(log_probs, jnp.asarray(RATES), 8)

    expected = jax.grad(objective)(problem.log_policy)
    np.testing.assert_allclose(velocity(sim.PassAtN(8)), expected, rtol=1e-12)


def test_rejection_sampling_raises_the_likelihood_of_right_answers():
    # E[grad log pi(k)] over rollouts that were right.
    right = POLICY * RATES / (POLICY @ RATES)
    expected = right @ (np.eye(3) - POLICY)
    np.testing.assert_allclose(velocity(sim.RejectionSampling()), expected, rtol=1e-12)


def test_infinite_groups_are_the_limit_of_large_ones():
    limit = velocity(sim.GRPO(np.inf))
    np.testing.assert_allclose(velocity(sim.GRPO(20_000)), limit, rtol=1e-4)
    mean_p = POLICY @ RATES
    plain = velocity(sim.PolicyGradient())
    np.testing.assert_allclose(limit, plain / np.sqrt(mean_p * (1 - mean_p)))


CLOCKS = {
    "grpo": sim.GRPO(8),
    "infinite": sim.GRPO(np.inf),
    "group mean": sim.GroupMean(2),
    "pass at 8": sim.PassAtN(8),
    "rejection": sim.RejectionSampling(),
}
WIDTH, K = 16, 5


@pytest.fixture(scope="module")
def problems():
    rng = np.random.default_rng(8)
    rates, logits = rng.uniform(size=(WIDTH, K)), 2 * rng.normal(size=(WIDTH, K))
    return sim.Problem(rates, logits=logits)


EVENTS = {"until": sim.Gap(1e-3), "events": (sim.T0(), sim.Crossing())}


class OneOfThem(sim.AbstractClock):
    """Clock number `choice` of those above: one program for all of them."""

    choice: Int[Array, "*B"] = eqx.field(converter=jnp.asarray)

    def log_factor(self, log_p, log_q):
        factors = [clock.log_factor(log_p, log_q) for clock in CLOCKS.values()]
        return jnp.stack(factors)[self.choice]


@pytest.mark.slow
def test_clocks_change_times_alike_in_both_engines_and_no_policy(problems):
    choice = np.arange(WIDTH) % len(CLOCKS)
    exact = sim.solve(problems, sim.Verifiable(), OneOfThem(choice), **EVENTS)
    flow = sim.flow(problems, sim.Verifiable(), OneOfThem(choice), **EVENTS)
    plain = sim.exact(problems, sim.Verifiable(), **EVENTS)
    assert exact.method == "exact"
    assert (exact.outcome_names == "reached").all()
    np.testing.assert_allclose(exact.log_time, flow.log_time, atol=1e-7)
    np.testing.assert_allclose(
        exact.event_log_times, flow.event_log_times, rtol=1e-7, atol=1e-7
    )
    np.testing.assert_allclose(exact.log_probs, plain.log_probs, atol=1e-9)
    np.testing.assert_allclose(exact.event_log_probs, plain.event_log_probs, atol=1e-9)
    assert (np.abs(exact.log_time - plain.log_time) > 1e-3).all()


@pytest.mark.slow
def test_a_verifier_wrong_more_often_than_right_walks_backwards(problems):
    worst = sim.NoisyVerifier(0.7, 0.5)
    ended = sim.solve(problems, worst, **EVENTS)
    assert (ended.outcome_names == "reached").all()
    # The verifier's rewards span 0.2 of the rates: a gap of 1e-3 in them is 5e-3.
    rates = np.asarray(problems.success_rates)
    lost = np.sum(np.exp(ended.log_probs) * rates, axis=-1) - rates.min(axis=-1)
    np.testing.assert_allclose(lost, 5e-3, rtol=1e-6)


@pytest.mark.parametrize("pay", [0.0, 1.0])
def test_equal_rewards_do_not_move_in_any_clock(pay):
    # Some of the clocks run infinitely fast there.
    problem = sim.Problem([pay, pay], logits=[0.0, 1.0])
    for update in CLOCKS.values():
        point = sim.Dynamics(problem, sim.Verifiable(), update).point(
            problem.log_policy
        )
        assert np.isneginf(point.log_speed)


@pytest.mark.slow
def test_a_perfect_best_pattern_ends_by_the_clocks_own_power_law():
    # s_* = 1, K = 2 so nm/(n+m) = 1/2: t gap -> 1/(2 sqrt(G-1)), and t^2 gap -> 1 for
    # infinite groups.
    problem = sim.Problem([1.0, 0.4], logits=[0.0, 0.0])

    def time(update, level):
        until = sim.Gap(level)
        return np.exp(
            sim.exact(problem, sim.Verifiable(), update, until=until).log_time
        )

    level = 1e-9
    np.testing.assert_allclose(time(sim.GRPO(5), level) * level, 0.25, rtol=1e-3)
    np.testing.assert_allclose(
        time(sim.GRPO(np.inf), level) ** 2 * level, 1.0, rtol=1e-3
    )


@pytest.mark.parametrize(
    "update, said",
    [
        (sim.GRPO(1), "at least 2"),
        (sim.GRPO(2.5), "2.5"),
        (sim.GRPO(8, spread="mean"), "mean"),
        (sim.GRPO(8, epsilon=-1.0), "-1"),
        (sim.GRPO(1e12), "use inf"),
        (sim.GroupMean(0), "at least 2"),
        (sim.PassAtN(0), "is 0"),
        (sim.PassAtN(10**23), "to 1,000,000"),
    ],
)
def test_impossible_groups_are_refused(update, said):
    problem = sim.Problem([0.9, 0.1], [0.5, 0.5])
    with pytest.raises(ValueError, match=said):
        sim.solve(problem, sim.Verifiable(), update)


def test_clocks_need_rewards_of_zero_or_one():
    problem = sim.Problem([0.9, 0.1], [0.5, 0.5])
    signal = sim.FixedConfidence([0.9, 0.1])
    with pytest.raises(ValueError, match="0 or 1"):
        sim.solve(problem, signal, sim.GRPO())
    with pytest.raises(ValueError, match="false_negative"):
        sim.solve(problem, sim.NoisyVerifier(0.1, 1.5))

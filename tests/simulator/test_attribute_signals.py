"""Signals of attributes: against their rules, sample by sample, and along the flow."""

import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import mp
from scipy.integrate import solve_ivp

import simulator as sim
from tests.oracles import softmax

RATES = np.array([0.85, 0.55, 0.1, 0.4])
LABEL = np.array([0.15, 0.8, 0.65, 0.3])
LOGITS = np.array([-1.2, 0.9, 0.1, -0.3])


def problem(logits=LOGITS, rates=RATES, label=LABEL):
    return sim.Problem(rates, logits=logits, attributes={"label": label})


def sign_rule(pi, share, rates=RATES, label=LABEL):
    """As in the definition: what is expected of `A` and of `|A|` with the sign."""
    p = pi @ rates
    sd = np.sqrt(p * (1 - p))
    plain = (rates * (1 - p) + (1 - rates) * (0 - p)) / sd
    size = (rates * (1 - p) + (1 - rates) * p) / sd
    return (1 - share) * plain + share * (label - (1 - label)) * size


PAY = {
    "attribute": (sim.Attribute("label"), lambda pi: LABEL),
    "bonus": (sim.CorrectBonus("label", 1.5), lambda pi: RATES + 1.5 * RATES * LABEL),
    "mixture": (
        sim.Mixture([sim.Verifiable(), sim.Attribute("label")], [1, -0.7]),
        lambda pi: RATES - 0.7 * LABEL,
    ),
    "sign 0.25": (sim.SignRule("label", 0.25), lambda pi: sign_rule(pi, 0.25)),
    "sign 0.9": (sim.SignRule("label", 0.9), lambda pi: sign_rule(pi, 0.9)),
    "sign and bonus": (
        sim.Mixture(
            [sim.SignRule("label", 0.5), sim.CorrectBonus("label", 2)], [1, 0.5]
        ),
        lambda pi: sign_rule(pi, 0.5) + 0.5 * RATES * (1 + 2 * LABEL),
    ),
}


@pytest.mark.parametrize("name", PAY)
def test_rewards_are_those_of_the_formula(name):
    signal, wanted = PAY[name]
    one = problem()
    paid = signal(one, one.log_policy)
    np.testing.assert_allclose(paid, wanted(softmax(LOGITS)), rtol=1e-12)


def test_a_sign_rule_pays_the_mean_of_signed_advantages(rng):
    share, draws = 0.35, 400_000
    pi = softmax(LOGITS)
    p = pi @ RATES
    right = rng.random((draws, 4)) < RATES
    advantage = (right - p) / np.sqrt(p * (1 - p))
    label = rng.random((draws, 4)) < LABEL
    signed = np.abs(advantage) * np.where(label, 1, -1)
    verified = rng.random((draws, 4)) < share
    drawn = np.where(verified, signed, advantage)
    paid = sim.SignRule("label", share)(problem(), jnp.log(pi))
    error = drawn.std(axis=0) / np.sqrt(draws)
    assert (np.abs(drawn.mean(axis=0) - paid) < 4.5 * error).all()
    assert (error < 0.003).all()


@pytest.mark.parametrize("depth", [-40.0, -900.0])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_nothing_cancels_where_almost_all_answers_are_right_or_wrong(depth, share):
    label = np.array([0.2, 0.9, 0.6])
    signal = sim.SignRule("label", share)
    for rates in ([1.0, 0.3, 0.9], [0.0, 0.3, 0.9]):
        logits = np.array([0.0, depth, depth - 3.0])
        one = problem(logits, rates, label)
        paid = np.asarray(signal(one, one.log_policy))
        with mp.workdps(900):
            pi = [mp.exp(mp.mpf(x)) for x in logits]
            pi = [x / sum(pi) for x in pi]
            s, f, v = list(map(mp.mpf, rates)), list(map(mp.mpf, label)), mp.mpf(share)
            p = mp.fdot(pi, s)
            sd = mp.sqrt(p * (1 - p))
            wanted = [
                (1 - v) * (x - p) / sd
                + v * (2 * y - 1) * (x * (1 - p) + (1 - x) * p) / sd
                for x, y in zip(s, f, strict=True)
            ]
        for got, right in zip(paid, wanted, strict=True):
            assert abs(got - right) <= 1e-12 * abs(right)


def test_nothing_is_paid_where_all_answers_are_alike():
    for rates in ([1.0, 1.0, 0.0], [0.0, 0.0, 1.0]):
        one = problem([0.0, 0.3, -np.inf], rates, [0.1, 0.4, 0.9])
        paid = sim.SignRule("label", 0.5)(one, one.log_policy)
        assert paid.tolist() == [0, 0, 0]


def test_a_share_of_0_is_grpo_of_infinite_groups():
    events = [sim.Accuracy(0.6), sim.OptimalProbability(0.99), sim.Crossing()]
    new = sim.solve(
        problem(),
        sim.SignRule("label", 0),
        until=sim.SuboptimalMass(1e-9),
        events=events,
    )
    old = sim.solve(
        problem(),
        sim.Verifiable(),
        sim.GRPO(float("inf")),
        until=sim.SuboptimalMass(1e-9),
        events=events,
    )
    assert (new.method, old.method) == ("flow", "exact")
    np.testing.assert_allclose(new.log_time, old.log_time, rtol=1e-7)
    np.testing.assert_allclose(new.event_log_times, old.event_log_times, rtol=1e-7)
    np.testing.assert_allclose(new.event_log_probs, old.event_log_probs, atol=1e-6)


UPDATES = {
    "plain": (sim.PolicyGradient(), False, 0.0),
    "kl": (sim.PolicyGradient(0.08), False, 0.08),
    "natural": (sim.NaturalGradient(0.05), True, 0.05),
}


@pytest.mark.parametrize("rule", UPDATES)
@pytest.mark.parametrize("name", PAY)
def test_the_policy_is_where_scipy_takes_it(name, rule):
    (signal, pay), (update, natural, beta) = PAY[name], UPDATES[rule]

    def field(t, theta):
        pi = softmax(theta)
        f = pay(pi) - beta * np.log(pi / softmax(LOGITS))
        return (1.0 if natural else pi) * (f - pi @ f)

    last = 6.0
    right = solve_ivp(field, (0, last), LOGITS, method="DOP853", rtol=1e-11, atol=1e-12)
    run = sim.solve(problem(), signal, update, max_log_time=np.log(last))
    np.testing.assert_allclose(run.policy, softmax(right.y[:, -1]), rtol=2e-7)
    assert run.attribute("label") == pytest.approx(softmax(right.y[:, -1]) @ LABEL)
    assert np.abs(run.policy - softmax(LOGITS)).max() > 0.02


def test_a_sign_rule_balances_right_answers_against_good_labels():
    """Reasoning that is right and not factual, against the reverse."""
    rates, label, share = np.array([0.8, 0.05]), np.array([0.0, 1.0]), 0.42
    run = sim.solve(problem([0.5, 0.0], rates, label), sim.SignRule("label", share))
    # Equal pay: 0.8 (1 - 2 v) o - 0.2 / o = 0.05 o - 0.95 (1 - 2 v) / o.
    squared = (0.2 - 0.95 * 0.16) / (0.8 * 0.16 - 0.05)
    assert (run.method, run.outcome_names.item()) == ("implicit", "settled")
    np.testing.assert_allclose(run.accuracy, 1 / (1 + squared), rtol=1e-7)


def test_equal_pay_at_one_policy_is_not_equal_pay_for_ever():
    """Two patterns that a sign rule pays alike at the even policy, and nowhere else."""
    share = 0.4
    rates, label = np.array([0.8, 0.3, 0.4]), np.array([0.2, 0.5, 0.6])
    p = rates.mean()
    o = np.sqrt((1 - p) / p)
    # The label of pattern 1 at which it earns what pattern 0 does.
    paid = sign_rule(np.full(3, 1 / 3), share, rates, label)
    other = (1 - rates[1]) / o - rates[1] * o * (1 - 2 * share)
    label[1] = (paid[0] + other) / (2 * share * (rates[1] * o + (1 - rates[1]) / o))
    assert 0 <= label[1] <= 1
    one = problem(np.zeros(3), rates, label)
    rule = sim.Dynamics(one, sim.SignRule("label", share), sim.PolicyGradient())
    paid = rule.paid(one.log_policy)
    assert paid[0] == pytest.approx(float(paid[1]), rel=1e-12)
    assert not (rule.traits[:, 0] == rule.traits[:, 1]).all()

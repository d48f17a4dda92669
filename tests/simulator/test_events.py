"""Each event against its definition, at random policies and with random rewards."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import mp

import simulator as sim
from experiments.runtime.compiling import fast

K, DRAWS = 5, 200


@pytest.fixture
def points(rng):
    """Problems, policies, and the numbers of the definitions, for many draws."""
    rates = rng.uniform(size=(DRAWS, K))
    base = np.log(rng.dirichlet(np.ones(K), size=DRAWS))
    pi = rng.dirichlet(np.ones(K), size=DRAWS)
    return rates, base, pi


def signs(event, points):
    def value(s, base, pi):
        problem = sim.Problem(s, logits=base)
        rule = sim.Dynamics(problem, sim.Verifiable(), sim.PolicyGradient())
        return event.value(rule.point(jnp.log(pi)))

    return np.asarray(jax.vmap(value)(*map(jnp.asarray, points))) > 0


def drift(rates, pi):
    """`d pi / dt` of the policy gradient."""
    velocity = pi * (rates - np.sum(pi * rates, -1, keepdims=True))
    return pi * (velocity - np.sum(pi * velocity, -1, keepdims=True))


def definitions(rates, base, pi):
    accuracy = np.sum(pi * rates, -1)
    order = np.argsort(rates, -1)
    lane = np.arange(DRAWS)
    best, second = order[:, -1], order[:, -2]
    others = pi.copy()
    others[lane, best] = 0
    moving = drift(rates, pi)
    return [
        (sim.Gap(0.3), rates.max(-1) - accuracy < 0.3),
        (sim.Accuracy(0.6), accuracy > 0.6),
        (sim.OptimalProbability(0.2), pi[lane, best] > 0.2),
        (sim.SuboptimalMass(0.7), 1 - pi[lane, best] < 0.7),
        (sim.T0(), accuracy > rates[lane, second]),
        (sim.Crossing(), pi[lane, best] > others.max(-1)),
        (sim.BelowBase(), accuracy < np.sum(np.exp(base) * rates, -1)),
        (sim.PeakAccuracy(), np.sum(moving * rates, -1) < 0),
        (sim.LowestOptimalProbability(), moving[lane, best] > 0),
    ]


def test_every_event_changes_sign_where_its_definition_says(points):
    for event, wanted in definitions(*points):
        np.testing.assert_array_equal(signs(event, points), wanted, str(event))
        if not isinstance(event, sim.PeakAccuracy):  # under RLVR accuracy only rises
            assert 0.02 < wanted.mean() < 0.98


def test_scores_are_the_quantities_they_name(points):
    rates, _, pi = points
    s, p = jnp.asarray(rates[0]), jnp.asarray(pi[0])
    problem = sim.Problem(s, p)
    rule = sim.Dynamics(problem, sim.Verifiable(), sim.PolicyGradient())
    point = rule.point(jnp.log(p))
    np.testing.assert_allclose(sim.PeakAccuracy().score(point), p @ s, rtol=1e-14)
    lowest = -sim.LowestOptimalProbability().score(point)
    np.testing.assert_allclose(np.exp(lowest), p[np.argmax(s)], rtol=1e-14)


def test_the_peak_of_accuracy_under_internal_reward(points, rng):
    rates, base, pi = points
    confidence = rng.normal(size=(DRAWS, K))

    def value(s, base, pi, pay):
        problem = sim.Problem(s, logits=base)
        signal = sim.FixedConfidence(pay)
        rule = sim.Dynamics(problem, signal, sim.PolicyGradient())
        return sim.PeakAccuracy().value(rule.point(jnp.log(pi)))

    falling = np.asarray(jax.vmap(value)(rates, base, pi, confidence)) > 0
    wanted = np.sum(drift(confidence, pi) * rates, -1) < 0
    np.testing.assert_array_equal(falling, wanted)
    assert 0.2 < wanted.mean() < 0.8


def test_a_leader_falls_behind_who_is_paid_alike_however_it_is_compiled(rng):
    # The leader is the best; what moves it is rarer by far than the fifth pattern.
    logits = np.array([-384.0, -531.0, -424.0, -539.0, -128.0, 0.0])
    problem = sim.Problem([0.5, 0.4, 0.3, 0.2, 0.1, 0.9], logits=logits)
    paid = sim.FixedConfidence([2 / 3, 1.0, 0.0, 1.0, 1 / 3, 1 / 3])
    at = sim.Dynamics(problem, paid, sim.PolicyGradient())
    value = sim.LowestOptimalProbability().value
    look = fast(jax.vmap(lambda log_probs: value(at.point(log_probs))))
    policies = logits + rng.uniform(size=(100, 1)) * [1, 1, 1, 1, 1, 0]
    expected = -np.exp(policies[:, 4]) / np.sqrt(2)
    np.testing.assert_allclose(look(policies), expected, rtol=1e-9)


@pytest.mark.parametrize("update", [sim.PolicyGradient(), sim.NaturalGradient()])
def test_peaks_and_losses_among_the_rarest_are_where_50_digits_have_them(update):
    """Of accuracies that differ by e^-300 and less, at the policies of the events."""
    rng = np.random.default_rng(11)
    rates, confidence = rng.random((2, 256, 4))
    problem = sim.Problem(rates, logits=rng.normal(scale=300, size=(256, 4)))
    events = (sim.PeakAccuracy(), sim.BelowBase())
    signal = sim.FixedConfidence(confidence)
    run = sim.exact(problem, signal, update, until=sim.Gap(1e-3), events=events)
    ends = np.asarray(run.log_time)[:, None]
    on_the_way = np.isfinite(run.event_log_times) & (run.event_log_times < ends)
    assert (on_the_way.sum(axis=0) > 5).all()
    base = np.asarray(problem.log_policy)
    with mp.workdps(800):  # rates and policies are given to 16 digits, and are exact
        for lane, event in np.argwhere(on_the_way):
            pi = [mp.exp(mp.mpf(x)) for x in run.event_log_probs[lane, event]]
            pi = [x / sum(pi) for x in pi]
            s = [mp.mpf(x) for x in rates[lane]]
            if event == 0:
                rho = [mp.mpf(x) for x in confidence[lane]]
                mean = mp.fdot(pi, rho)
                speed = [x - mean for x in rho]
                if isinstance(update, sim.PolicyGradient):
                    speed = [p * v for p, v in zip(pi, speed, strict=True)]
                drift = mp.fdot(pi, speed)
                accuracy = mp.fdot(pi, s)
                terms = [
                    p * (v - drift) * (x - accuracy)
                    for p, v, x in zip(pi, speed, s, strict=True)
                ]
            else:
                start = [mp.exp(mp.mpf(x)) for x in base[lane]]
                start = [x / sum(start) for x in start]
                level = mp.fdot(start, s)
                terms = [p * (x - level) for p, x in zip(pi, s, strict=True)]
            assert abs(sum(terms)) < 1e-9 * sum(map(abs, terms)), (lane, event)

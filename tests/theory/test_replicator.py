import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp
from scipy.special import log_softmax

import theory
from tests.oracles import softmax
from tests.theory.problems import padded_batch, random_problem


def stepped(rho, log_pi, time, log_ref=None, beta=0.0):
    """The replicator equation in probabilities, by DOP853."""
    log_ref = log_pi if log_ref is None else log_ref

    def field(t, pi):
        f = rho - beta * (np.log(pi) - log_ref)
        return pi * (f - pi @ f)

    run = solve_ivp(
        field, (0, time), np.exp(log_pi), method="DOP853", rtol=1e-11, atol=1e-13
    )
    return run.y[:, -1]


@pytest.mark.parametrize("time", [0.4, 3.0, 12.0])
def test_the_closed_form_is_the_stepped_replicator(rng, time):
    s, log_pi = random_problem(rng, 5, 1.5)
    got = np.exp(theory.replicator.replicator_policy(s, log_pi, time))
    np.testing.assert_allclose(got, stepped(s, log_pi, time), rtol=1e-8)


@pytest.mark.parametrize("beta", [0.05, 0.6])
def test_the_closed_form_with_kl_is_the_stepped_flow(rng, beta):
    s, log_pi = random_problem(rng, 4)
    log_ref = log_softmax(rng.normal(size=4))
    for time in (0.5, 6.0):
        got = np.exp(
            theory.replicator.replicator_kl_policy(s, log_ref, log_pi, beta, time)
        )
        wanted = stepped(s, log_pi, time, log_ref, beta)
        np.testing.assert_allclose(got, wanted, rtol=1e-8)
    end = theory.replicator.replicator_kl_policy(s, log_ref, log_pi, beta, 60 / beta)
    np.testing.assert_allclose(end, theory.optimum.optimal_policy(s, log_ref, beta))
    # And linear in e^(-beta t), up to a shift.
    best = theory.optimum.optimal_policy(s, log_ref, beta)
    now = theory.replicator.replicator_kl_policy(s, log_ref, log_pi, beta, 3.0)
    ratio = np.diff(now - best) / np.diff(log_pi - best)
    np.testing.assert_allclose(ratio, np.exp(-3 * beta), rtol=1e-9)


def test_a_vanishing_penalty_is_the_plain_replicator(rng):
    s, log_pi = random_problem(rng, 4)
    log_ref = log_softmax(rng.normal(size=4))
    plain = theory.replicator.replicator_policy(s, log_pi, 7.0)
    for beta, allowed in ((0.0, 1e-13), (1e-9, 1e-7)):
        weak = theory.replicator.replicator_kl_policy(s, log_ref, log_pi, beta, 7.0)
        np.testing.assert_allclose(weak, plain, atol=allowed)


def test_the_best_pattern_leads_exactly_from_the_crossing_on(rng):
    s, log_pi = padded_batch(rng, lambda *x: True, 200, spread=2.5)
    best = np.nanargmax(np.where(log_pi > -np.inf, s, -1.0), axis=1)
    time = theory.replicator.replicator_crossing_time(s, log_pi)
    leads = log_pi.argmax(axis=1) == best
    assert np.all((time == 0) == leads) and 20 < leads.sum() < 180
    after = theory.replicator.replicator_policy(s, log_pi, time * 1.0001 + 1e-9)
    assert np.all(after.argmax(axis=1) == best)
    before = theory.replicator.replicator_policy(s, log_pi, time * 0.9999)
    assert np.all(before.argmax(axis=1)[~leads] != best[~leads])


def test_the_crossing_of_two_is_the_printed_logarithm():
    time = theory.replicator.replicator_crossing_time(
        [0.9, 0.6], np.log([1e-6, 1 - 1e-6])
    )
    np.testing.assert_allclose(time, np.log((1 - 1e-6) / 1e-6) / 0.3, rtol=1e-12)
    # The plain gradient needs a million times more.
    slow = theory.entanglement.transition_bounds(
        [0.9, 0.6], np.log([1e-6, 1 - 1e-6]), event="crossing"
    )
    assert slow.exact > 3e4 * time


def test_the_best_pattern_never_dips(rng):
    s, log_pi = padded_batch(rng, lambda *x: True, 50, spread=2.5)
    best = np.nanargmax(np.where(log_pi > -np.inf, s, -1.0), axis=1)
    times = np.geomspace(0.01, 300, 60)
    masses = [
        theory.replicator.replicator_policy(s, log_pi, t)[range(50), best]
        for t in times
    ]
    assert np.all(np.diff([log_pi[range(50), best], *masses], axis=0) >= -1e-12)
    # Under the plain gradient the same problems do.
    assert np.any(theory.dip.dip_margin(s, log_pi) > 0)


def test_the_state_at_time_t_is_the_optimum_at_one_over_t(rng):
    s, log_pi = random_problem(rng, 5)
    for time in (0.3, 4.0, 80.0):
        state = theory.replicator.replicator_policy(s, log_pi, time)
        np.testing.assert_allclose(
            state,
            theory.optimum.optimal_policy(s, log_pi, 1 / time),
            rtol=1e-12,
            atol=1e-12,
        )
        p = np.exp(log_pi[s.argmax()])
        second = np.sort(s)[-2]
        off = -np.expm1(state[s.argmax()])
        assert off <= (1 - p) / p * np.exp(-(s.max() - second) * time) * (1 + 1e-9)


def test_the_objective_grows_by_the_variance_of_its_gradient():
    theta, rho, ref = sp.symbols("x1:4"), sp.symbols("r1:4"), sp.symbols("q1:4")
    beta = sp.symbols("beta", positive=True)
    total = sum(sp.exp(x) for x in theta)
    pi = [sp.exp(x) / total for x in theta]
    f = [r - beta * (sp.log(a) - q) for r, a, q in zip(rho, pi, ref, strict=True)]
    J = sum(a * b for a, b in zip(pi, f, strict=True))
    rate = sum(sp.diff(J, x) * v for x, v in zip(theta, f, strict=True))
    variance = sum(a * b**2 for a, b in zip(pi, f, strict=True)) - J**2
    values = [sp.Rational(n, 7) for n in (3, -2, 1, 5, 2, 1, -4, -6, -8)]
    point = dict(zip((*theta, *rho, *ref), values, strict=True)) | {beta: 2}
    assert abs(float((rate - variance).subs(point))) < 1e-12
    assert float(variance.subs(point)) > 0.1


def test_with_kl_the_best_pattern_may_fall():
    s, log_pi, log_ref = [0.9, 0.2], np.log([0.99, 0.01]), np.log([0.5, 0.5])
    later = theory.replicator.replicator_kl_policy(s, log_ref, log_pi, 1.0, 1.0)
    assert later[0] < log_pi[0]


def test_a_pattern_without_mass_stays_empty(rng):
    s, log_pi = random_problem(rng, 4)
    masked = np.insert(s, 2, np.nan), np.insert(log_pi, 2, -np.inf)
    got = theory.replicator.replicator_policy(*masked, 3.0)
    assert got[2] == -np.inf
    np.testing.assert_allclose(
        np.delete(got, 2), theory.replicator.replicator_policy(s, log_pi, 3.0)
    )
    ref = np.log(softmax(np.arange(5.0)))
    got = theory.replicator.replicator_kl_policy(masked[0], ref, masked[1], 0.4, 3.0)
    assert got[2] == -np.inf and np.all(np.isfinite(np.delete(got, 2)))


def test_impossible_arguments_are_refused():
    log_pi = np.log([0.4, 0.6])
    with pytest.raises(ValueError, match="time"):
        theory.replicator.replicator_policy([0.9, 0.1], log_pi, -1.0)
    with pytest.raises(ValueError, match="beta"):
        theory.replicator.replicator_kl_policy([0.9, 0.1], log_pi, log_pi, -0.1, 1.0)
    with pytest.raises(ValueError, match="reference"):
        theory.replicator.replicator_kl_policy(
            [0.9, 0.1], [0.0, -np.inf], log_pi, 0.1, 1.0
        )

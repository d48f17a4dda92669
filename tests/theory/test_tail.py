"""The tail against the stepped flow, and its algebra against a computer's."""

import numpy as np
import pytest
import sympy as sp

import theory
from tests.theory.problems import flow_path, padded_batch, random_problem

TIED = (
    np.array([0.9, 0.9, 0.9, 0.9, 0.5, 0.2]),
    np.log([0.3, 0.3, 0.1, 0.05, 0.15, 0.1]),
)


def best_first(rng, K, spread=1.0):
    s, log_pi = random_problem(rng, K, spread)
    return np.roll(s, -s.argmax()), log_pi


def test_time_times_gap_tends_to_the_limit_at_the_predicted_rate(rng):
    s, log_pi = padded_batch(rng, lambda *x: True, 30)
    limit = theory.tail.tail_limit(s, log_pi)
    K = np.sum(log_pi > -np.inf, axis=-1)
    np.testing.assert_allclose(limit, (K - 1) / K, rtol=1e-15)
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    misses = []
    for slope in (1e6, 1e8):
        event = theory.intrinsic_time.event_at_slope(path, slope)
        gap = theory.support.gap(s, theory.intrinsic_time.log_probs_at(path, event))
        misses.append(np.abs(theory.clock.time_of(path, event).time * gap / limit - 1))
    # The miss falls as 1/tau^2, that is as t^(-2/K).
    assert np.all(misses[0] < 1e-2)
    assert np.all(misses[1] < 3e-4 * misses[0] + 1e-11)


def test_ties_and_losers_have_their_own_limit_and_their_slow_exponent():
    s, log_pi = TIED
    assert theory.tail.tail_limit(s, log_pi) == 1  # n = m = 2
    assert theory.survivors.loser_exponent(s, log_pi) == 0.5
    np.testing.assert_array_equal(
        theory.survivors.survivors(s, log_pi), [1, 1, 0, 0, 0, 0]
    )
    times = np.array([1e4, 1e6])
    pi, _ = flow_path(s, log_pi, times)
    miss = np.abs(times * (pi @ (0.9 - s)) - 1)
    assert miss[0] < 0.03 and miss[1] < miss[0] / 8
    np.testing.assert_allclose(pi[1, :2], 0.5, atol=2e-3)
    for t, state, allowed in zip(times, pi, (0.05, 0.006), strict=True):
        mass = np.log(state) - theory.survivors.loser_mass(s, log_pi, t)
        assert np.all(np.abs(mass[2:4]) < allowed)
        assert np.all(np.isnan(mass[[0, 1, 4, 5]]))


def test_three_survivors_and_one_suboptimal_pattern():
    s, log_pi = np.array([0.7, 0.7, 0.2, 0.7, 0.7]), np.log([0.2, 0.2, 0.3, 0.2, 0.1])
    np.testing.assert_allclose(theory.tail.tail_limit(s, log_pi), 3 / 4)
    assert theory.survivors.loser_exponent(s, log_pi) == 1 / 4
    times = np.array([1e3, 1e5, 1e7])
    pi, _ = flow_path(s, log_pi, times)
    np.testing.assert_allclose(1e7 * 0.5 * pi[2, 2], 3 / 4, rtol=0.02)
    wanted = [theory.survivors.loser_mass(s, log_pi, t)[4] for t in times]
    miss = np.abs(np.log(pi[:, 4]) - wanted)
    # The miss itself falls as t^(-1/4), a factor 3.16 per step.
    np.testing.assert_allclose(miss[:-1] / miss[1:], 100**0.25, rtol=0.12)
    assert miss[-1] < 0.05


@pytest.mark.parametrize("case", ["tied", 3, 5])
def test_the_global_bounds_hold_along_the_stepped_flow(rng, case):
    s, log_pi = TIED if case == "tied" else best_first(rng, case, 2.0)
    best, kept = s == s[0], theory.survivors.survivors(s, log_pi)
    times = np.geomspace(0.1, 1e5, 13)
    pi, integrals = flow_path(
        s, log_pi, times, [lambda p: p[best].sum() ** 2, lambda p: p[kept].sum() ** 2]
    )
    gap = pi @ (s[0] - s)
    assert np.all(theory.tail.gap_lower(s, log_pi, times) < gap)
    assert np.all(gap < theory.tail.gap_upper(s, log_pi, integrals[:, 0]))
    late = theory.tail.gap_upper_survivors(s, log_pi, integrals[:, 1])
    assert np.all(gap < late)
    # Sharp in the end: the ratio of bound and gap tends to one.
    np.testing.assert_allclose(late[-1], gap[-1], rtol=0.1)


def test_the_global_bounds_are_the_printed_formulas():
    s, log_pi = np.array([0.8, 0.8, 0.3, 0.1]), np.log([0.4, 0.3, 0.2, 0.1])
    start = 0.2 * 0.5 + 0.1 * 0.7
    lower = theory.tail.gap_lower(s, log_pi, [0.0, 3.0])
    np.testing.assert_allclose(1 / lower, [1 / start, 1 / start + 6])
    upper = (
        theory.tail.gap_upper(s, log_pi, 3.0),
        theory.tail.gap_upper_survivors(s, log_pi, 3.0),
    )
    np.testing.assert_allclose(np.divide(1, upper), 1 / start + np.array([3.0, 4.5]))


def test_the_lower_bound_is_reached_by_two_patterns():
    # K = 2 in the end: (1/gap)' = 2 pi_*^2 exactly.
    s, log_pi = np.array([0.9, 0.4]), np.log([0.7, 0.3])
    times = np.array([0.5, 40.0])
    pi, square = flow_path(s, log_pi, times, [lambda p: p[0] ** 2])
    gap = 0.5 * pi[:, 1]
    np.testing.assert_allclose(theory.tail.gap_upper(s, log_pi, square[:, 0]), gap)


def test_the_expansion_approaches_the_exact_value_for_eight_patterns():
    rng = np.random.default_rng(2)
    s, log_pi = random_problem(rng, 8, 0.4)
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    misses = []
    for slope in (3e3, 3e4):
        event = theory.intrinsic_time.event_at_slope(path, slope)
        time = theory.clock.time_of(path, event).time
        exact = time * theory.support.gap(
            s, theory.intrinsic_time.log_probs_at(path, event)
        )
        formal = theory.tail.tail_expansion(s, log_pi, time)
        assert exact < theory.tail.tail_limit(s, log_pi)
        correction = formal - theory.tail.tail_limit(s, log_pi)
        misses.append(abs(exact - formal) / abs(correction))
    assert misses[0] < 0.2 and misses[1] < 0.15 * misses[0]


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_second_order_term_is_what_the_polynomials_give(n):
    x, shift = sp.symbols("x e", positive=True)
    e = sp.symbols(f"e1:{n}")
    e = (*e, -sum(e))  # deviations from their mean
    product = sp.expand(sp.prod([x + shift * dev for dev in e]))
    ratio = sp.integrate(product, x) * sp.diff(product, x) / product**2
    series = sp.series(ratio, shift, 0, 3).removeO()
    spread = sum(dev**2 for dev in e)
    formal = sp.Rational(n, n + 1) * (1 - spread * shift**2 / (n * (n - 1) * x**2))
    assert sp.simplify(series - formal) == 0


def test_the_derivatives_behind_the_tail_are_right():
    rho, pi = sp.symbols("rho1:4"), sp.symbols("pi1:4", positive=True)
    u = sp.symbols("u1:4", positive=True)
    mean = sum(p * r for p, r in zip(pi, rho, strict=True))
    theta = [p * (r - mean) for p, r in zip(pi, rho, strict=True)]
    drift = sum(p * v for p, v in zip(pi, theta, strict=True))
    pi_dot = [p * (v - drift) for p, v in zip(pi, theta, strict=True)]
    mean_dot = sum(r * v for r, v in zip(rho, pi_dot, strict=True))
    on_simplex = {pi[2]: 1 - pi[0] - pi[1]}
    squares = sum(v**2 for v in theta)
    assert sp.expand((mean_dot - squares).subs(on_simplex)) == 0
    # h_k' = (u_* - u_k) rho_bar' in intrinsic time, * = pattern 1, k = pattern 2.
    bar, bar_dot = sp.symbols("bar bar_dot")
    u_dot = [bar - r for r in rho]
    h_dot = (
        u_dot[1] * (rho[0] - bar)
        - u[1] * bar_dot
        - u_dot[0] * (rho[1] - bar)
        + u[0] * bar_dot
    )
    assert sp.expand(h_dot - (u[0] - u[1]) * bar_dot) == 0


def test_a_monotone_state_stays_monotone_and_its_best_pattern_never_falls(rng):
    seen = 0
    for _ in range(60):
        s, log_pi = best_first(rng, 4, 1.5)
        pi, _ = flow_path(s, log_pi, np.geomspace(0.05, 3e3, 40))
        states = np.vstack([np.exp(log_pi), pi])
        inside = theory.tail.in_monotone_region(s, np.log(states))
        if not inside.any():
            continue
        first = np.argmax(inside)
        assert inside[first:].all()
        assert np.all(np.diff(states[first:, 0]) > -1e-12)
        seen += 0 < first
        # Outside, another logit is ahead.
        velocity = states * (s - (states @ s)[:, None])
        np.testing.assert_array_equal(inside, velocity.argmax(axis=1) == 0)
    assert seen > 9


def test_a_leading_best_pattern_is_in_the_monotone_region(rng):
    leader = next(
        claim for claim in theory.STATEMENTS["B3"].claims if claim.id == "B3.leader"
    )
    s, log_pi = padded_batch(rng, leader.hypotheses, 100)
    assert np.all(theory.tail.in_monotone_region(s, log_pi))
    assert not leader.hypotheses([0.9, 0.6, 0.1], np.log([0.3, 0.4, 0.3]))


def test_what_has_no_tail_gets_no_number():
    equal = [0.4, 0.4, 0.4], np.log([0.2, 0.3, 0.5])
    assert theory.tail.tail_limit(*equal) == 0
    assert np.isnan(theory.survivors.loser_exponent(*equal))
    assert np.all(np.isnan(theory.survivors.loser_mass(*equal, 10.0)))
    assert np.isnan(theory.tail.tail_expansion([0.9, 0.4], np.log([0.5, 0.5]), 10.0))
    assert np.isnan(theory.tail.tail_expansion(*TIED, 10.0))


def test_a_pattern_without_mass_does_not_count(rng):
    s, log_pi = best_first(rng, 4)
    masked = np.insert(s, 1, np.nan), np.insert(log_pi, 1, -np.inf)
    for function in (theory.tail.tail_limit, theory.tail.in_monotone_region):
        assert function(*masked) == function(s, log_pi)
    for function in (
        theory.tail.gap_lower,
        theory.tail.gap_upper,
        theory.tail.tail_expansion,
    ):
        np.testing.assert_allclose(function(*masked, 1e3), function(s, log_pi, 1e3))


def test_a_ratio_to_the_best_pattern_that_stopped_rising_never_rises_again(rng):
    rising_first = 0
    for _ in range(40):
        s, log_pi = best_first(rng, 4, 1.5)
        pi, _ = flow_path(s, log_pi, np.geomspace(0.02, 1e3, 120))
        states = np.vstack([np.exp(log_pi), pi])
        steps = np.diff(np.log(states[:, 1:] / states[:, :1]), axis=0)
        rises = steps > 1e-9
        assert np.all(rises[:-1] >= rises[1:])
        rising_first += np.sum(rises[0] & ~rises[-1])
    assert rising_first > 5

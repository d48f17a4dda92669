import numpy as np
import pytest
import sympy as sp

import theory
from tests.oracles import qpg
from tests.theory.problems import flow_path, random_problem


def random_paid(rng, K, spread=1.0):
    s, log_pi = random_problem(rng, K, spread)
    return s, rng.uniform(0.1, 1.6, size=K), log_pi


def far_out(s, c, log_pi, slope):
    """`(t, t (ACC - s_w))` far out on the exact path, without cancellation."""
    path = theory.intrinsic_time.intrinsic_path(c, log_pi)
    event = theory.intrinsic_time.event_at_slope(path, slope)
    time = theory.clock.time_of(path, event).time
    return time, time * (
        np.exp(theory.intrinsic_time.log_probs_at(path, event)) @ (s - s[c.argmax()])
    )


@pytest.mark.parametrize("K", [2, 3, 5])
def test_the_excess_over_the_winner_tends_to_the_law(rng, K):
    signs = set()
    for _ in range(12):
        s, c, log_pi = random_paid(rng, K)
        law = theory.degradation_law.degradation_coefficient(s, c, log_pi)
        w = c.argmax()
        others = np.arange(K) != w
        wanted = np.sum((s[others] - s[w]) / (c[w] - c[others])) / K
        np.testing.assert_allclose(law, wanted, rtol=1e-12)
        size = np.sum(np.abs(s[others] - s[w]) / (c[w] - c[others]))
        for slope, allowed in ((1e5, 1e-2), (1e8, 1e-5)):
            np.testing.assert_allclose(
                far_out(s, c, log_pi, slope)[1], law, atol=allowed * size
            )
        signs.add(np.sign(law))
    assert signs == {-1.0, 1.0}


def test_paid_by_its_own_success_the_law_is_that_of_the_gap(rng):
    s, log_pi = random_problem(rng, 5)
    law = theory.degradation_law.degradation_coefficient(s, s, log_pi)
    np.testing.assert_allclose(law, -theory.tail.tail_limit(s, log_pi), rtol=1e-14)


@pytest.mark.parametrize("K", [3, 5])
def test_the_second_term_of_the_expansion_is_seen(rng, K):
    for _ in range(6):
        s, c, log_pi = random_paid(rng, K)
        law = theory.degradation_law.degradation_coefficient(s, c, log_pi)
        misses = []
        for slope in (1e5, 1e7):
            time, value = far_out(s, c, log_pi, slope)
            formal = theory.degradation_law.degradation_expansion(s, c, log_pi, time)
            misses.append(abs(value - formal) / abs(law - formal))
        # What is left is of order 1/y^2, against 1/y for the second term.
        assert misses[0] < 0.1 and misses[1] < 0.05 * misses[0] + 1e-6


def test_from_a_uniform_base_the_second_term_vanishes(rng):
    s, c, _ = random_paid(rng, 4)
    base = np.full(4, -np.log(4))
    np.testing.assert_allclose(
        theory.degradation_law.degradation_expansion(s, c, base, 50.0),
        theory.degradation_law.degradation_coefficient(s, c, base),
        rtol=1e-14,
    )


@pytest.mark.parametrize("n", [2, 3])
def test_the_coefficients_of_the_expansion_come_out_of_the_polynomials(n):
    x, e = sp.symbols("x e", positive=True)
    dev, w = sp.symbols(f"d1:{n}"), sp.symbols(f"w1:{n + 1}")
    dev = (*dev, -sum(dev))  # tau_bar - tau_j
    product = sp.prod([x + e * d for d in dev])
    excess = sum(wj / (x + e * d) for wj, d in zip(w, dev, strict=True))
    ratio = sp.integrate(sp.expand(product), x) / product * excess
    series = sp.series(ratio, e, 0, 2).removeO()
    second = -sum(wj * d for wj, d in zip(w, dev, strict=True)) * e / x
    assert sp.simplify(series - (sum(w) + second) / (n + 1)) == 0


def test_the_bounds_hold_along_the_stepped_flow(rng):
    checked = 0
    while checked < 8:
        s, c, log_pi = random_paid(rng, int(rng.integers(2, 6)))
        if not theory.tail_bounds.in_tail(c, log_pi):
            continue
        times = np.geomspace(0.1, 1e5, 9)
        pi, _ = flow_path(c, log_pi, times)
        value = times * (pi @ (s - s[c.argmax()]))
        low, high = theory.degradation_law.degradation_bounds(s, c, log_pi, times)
        slack = 1e-8 * times * (pi @ np.abs(s - s[c.argmax()]))
        assert np.all(low - slack <= value) and np.all(value <= high + slack)
        size = times * (pi @ np.abs(s - s[c.argmax()]))
        assert (high - low)[-1] < 0.05 * size[-1]
        checked += 1
    assert np.all(
        np.isnan(
            theory.degradation_law.degradation_bounds(
                [0.2, 0.5], [1, 1], np.log([0.5, 0.5]), 3.0
            )
        )
    )


def test_bounds_far_out_pin_the_law(rng):
    s, c = np.array([0.3, 0.8, 0.1, 0.6]), np.array([1.5, 0.6, 0.4, 0.2])
    log_pi = np.log([0.85, 0.03, 0.05, 0.07])
    low, high = theory.degradation_law.degradation_bounds(s, c, log_pi, 1e60)
    law = theory.degradation_law.degradation_coefficient(s, c, log_pi)
    np.testing.assert_allclose([low, high], law, rtol=1e-10)


def test_tied_winners_without_a_loser_keep_the_rate_one_over_t():
    s, c = np.array([0.9, 0.2, 0.6, 0.4]), np.array([1.1, 1.1, 0.5, 0.3])
    log_pi = np.log([0.3, 0.3, 0.25, 0.15])
    law = theory.degradation_law.degradation_coefficient(s, c, log_pi)
    merit = s[2:] - 0.55
    np.testing.assert_allclose(law, 2 / 4 * np.sum(merit / [0.6, 0.8]), rtol=1e-13)
    times = np.array([1e3, 1e5])
    pi, _ = flow_path(c, log_pi, times)
    miss = np.abs(times * (pi[:, 2:] @ merit) - law)
    np.testing.assert_allclose(pi[:, 0], pi[:, 1], rtol=1e-12)
    assert miss[1] < 0.02 and miss[1] < 0.3 * miss[0]
    assert np.isnan(theory.degradation_law.loser_excess(s, c, log_pi, 10.0))


def test_a_lost_tie_makes_the_approach_slow():
    s, c = np.array([0.9, 0.2, 0.6, 0.4]), np.array([1.1, 1.1, 0.5, 0.3])
    log_pi = np.log([0.2, 0.4, 0.25, 0.15])
    assert np.isnan(theory.degradation_law.degradation_coefficient(s, c, log_pi))
    assert theory.degradation.limit_accuracy(s, c, log_pi) == 0.2
    times = np.array([1e3, 1e6])
    pi, _ = flow_path(c, log_pi, times)
    excess = pi @ (s - 0.2)
    formal = [theory.degradation_law.loser_excess(s, c, log_pi, t) for t in times]
    np.testing.assert_allclose(excess[1] / formal[1], 1, atol=0.02)
    # n/(n + m) = 2/3.
    slope = np.log(excess[1] / excess[0]) / np.log(1e3)
    np.testing.assert_allclose(slope, -2 / 3, atol=0.03)


def test_losers_whose_terms_cancel_leave_the_slow_term_out():
    c = np.array([1.1, 1.1, 1.1, 0.5])
    log_pi = np.log([0.4, 0.2, 0.2, 0.2])
    times = np.array([1e3, 1e6])
    pi, _ = flow_path(c, log_pi, times)
    for rates, decides in (([0.5, 0.8, 0.2, 0.3], False), ([0.5, 0.8, 0.3, 0.3], True)):
        s = np.array(rates)
        assert theory.degradation_law.losers_decide(s, c, log_pi) == decides
        assert theory.degradation_law.has_tied_law(s, c, log_pi) == decides
        excess = pi @ (s - 0.5)
        slope = np.log(excess[1] / excess[0]) / np.log(1e3)
        # n/(n + m) = 1/2 with the slow term, 1 without.
        np.testing.assert_allclose(slope, -0.5 if decides else -1.0, atol=0.03)
    equal = np.log([0.3, 0.3, 0.2, 0.2])
    two = np.array([1.1, 1.1, 0.5, 0.5])
    assert not theory.degradation_law.losers_decide(s, two, equal)
    assert theory.degradation_law.has_tied_law(s, two, equal)


def test_the_first_step_has_the_predicted_slope(rng):
    signs = set()
    for _ in range(10):
        s, c, log_pi = random_paid(rng, 5)
        slope = theory.degradation_law.initial_slope(s, c, log_pi)
        np.testing.assert_allclose(slope, s @ qpg(np.exp(log_pi), c), rtol=1e-10)
        signs.add(np.sign(slope))
    assert signs == {-1.0, 1.0}


def test_late_the_slope_is_minus_the_law_over_t_squared(rng):
    s, c, log_pi = random_paid(rng, 4)
    path = theory.intrinsic_time.intrinsic_path(c, log_pi)
    event = theory.intrinsic_time.event_at_slope(path, 1e6)
    time = theory.clock.time_of(path, event).time
    slope = theory.degradation_law.initial_slope(
        s, c, theory.intrinsic_time.log_probs_at(path, event)
    )
    law = theory.degradation_law.degradation_coefficient(s, c, log_pi)
    np.testing.assert_allclose(slope * time**2, -law, rtol=1e-3)


def test_rise_then_end_below_happens_where_it_is_announced(rng):
    announced = 0
    for _ in range(60):
        s, c, log_pi = random_paid(rng, 4)
        if not theory.degradation_law.rises_then_ends_below(s, c, log_pi):
            continue
        announced += 1
        pi, _ = flow_path(c, log_pi, np.array([0.05, 1e5]))
        start, soon, late = np.exp(log_pi) @ s, *(pi @ s)
        assert soon > start > theory.degradation.limit_accuracy(s, c, log_pi)
        assert abs(late - theory.degradation.limit_accuracy(s, c, log_pi)) < 0.02
    assert announced > 3
    # Neither half suffices.
    log_pi = np.log([0.4, 0.3, 0.3])
    assert not theory.degradation_law.rises_then_ends_below(
        [0.9, 0.2, 0.3], [1, 0.5, 0.1], log_pi
    )
    assert not theory.degradation_law.rises_then_ends_below(
        [0.2, 0.9, 0.8], [1, 0.5, 0.1], log_pi
    )


def test_hypotheses_read_the_kernel():
    claims = {claim.id: claim for claim in theory.STATEMENTS["B5"].claims}
    kernel = np.array([[0.9, 0.1], [0.1, 0.9], [0.6, 0.4]])
    base = np.log([0.4, 0.35, 0.25])
    assert claims["B5.ties"].hypotheses(kernel, base)
    assert not claims["B5.law"].hypotheses(kernel, base)
    kernel[1] = [0.02, 0.98]
    assert claims["B5.law"].hypotheses(kernel, base)
    kernel[1] = [0.0, 1.0]  # an infinite confidence
    assert not any(claim.hypotheses(kernel, base) for claim in claims.values())


def test_a_pattern_without_mass_is_not_seen(rng):
    s, c, log_pi = random_paid(rng, 4)
    masked = [np.insert(x, 1, fill) for x, fill in ((s, np.nan), (c, 9.0))]
    masked.append(np.insert(log_pi, 1, -np.inf))
    for function in (
        theory.degradation_law.degradation_coefficient,
        theory.degradation_law.initial_slope,
    ):
        np.testing.assert_allclose(
            function(*masked), function(s, c, log_pi), rtol=1e-12
        )
    np.testing.assert_allclose(
        theory.degradation_law.degradation_expansion(*masked, 1e3),
        theory.degradation_law.degradation_expansion(s, c, log_pi, 1e3),
    )

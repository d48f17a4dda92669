import numpy as np
import pytest
from numpy.polynomial import Polynomial
from scipy.optimize import minimize_scalar

import theory
from tests.oracles import hitting_times
from tests.theory.problems import padded_batch, random_problem


def edges(s, policy):
    """`(i, j, sigma)`: who hands over to whom, at which slope of (s, 1/policy)."""
    found, i = [], int(policy.argmax())
    while np.any(s > s[i]):
        better = np.flatnonzero(s > s[i])
        slopes = (1 / policy[better] - 1 / policy[i]) / (s[better] - s[i])
        found.append((i, int(better[slopes.argmin()]), slopes.min()))
        i = found[-1][1]
    return found


def product_integral(s, policy):
    """L at the crossing, edge by edge, as integrals of polynomials."""
    total, start = 0.0, 0.0
    for i, _, end in edges(s, policy):
        integrand = Polynomial([1.0])
        for k in set(range(len(s))) - {i}:
            integrand *= Polynomial([1 / policy[k] - 1 / policy[i], s[i] - s[k]])
        area = integrand.integ()
        total, start = total + area(end) - area(start), end
    return np.prod(policy) * total


@pytest.mark.parametrize("event", ["t0", "crossing"])
def test_the_law_holds_on_300_random_problems_of_regime_2(rng, event):
    s, log_pi = padded_batch(rng, theory.entanglement.in_regime_2, 300)
    law = theory.entanglement.transition_bounds(s, log_pi, event=event)
    happens = np.isfinite(law.exact)
    if event == "t0":
        assert np.all(happens)
    assert happens.sum() > 150
    lower, upper, exact = (x[happens] for x in law)
    assert np.all((exact >= lower * (1 - 1e-11)) & (exact <= upper * (1 + 1e-11)))
    assert np.all(upper < 2 * lower)


@pytest.mark.parametrize("K", [3, 5])
def test_both_times_agree_with_the_stepped_flow(rng, K):
    compared = 0
    while compared < 3:
        s, log_pi = random_problem(rng, K, spread=1.5)
        best = s.argmax()
        law = theory.entanglement.transition_bounds(s, log_pi, event="crossing")
        if not theory.entanglement.in_regime_2(s, log_pi) or not law.exact < 5e3:
            continue
        rate = np.sort(s)[-2]
        others = np.arange(K) != best
        t0, crossing = hitting_times(
            s,
            log_pi,
            [
                lambda pi, s=s, rate=rate: pi @ s - rate,
                lambda pi, b=best, o=others: pi[b] - pi[o].max(),
            ],
            2 * law.exact + 1e3,
        )
        np.testing.assert_allclose(law.exact, crossing, rtol=1e-7)
        if t0 < np.inf:
            exact = theory.entanglement.transition_bounds(s, log_pi).exact
            np.testing.assert_allclose(exact, t0, rtol=1e-7)
            compared += 1


def test_the_example_case_has_the_printed_times_and_its_dip():
    s, policy = theory.entanglement.example_case()
    log_pi = np.log(policy)
    t0 = theory.entanglement.transition_bounds(s, log_pi).exact
    crossing = theory.entanglement.transition_bounds(s, log_pi, event="crossing").exact
    np.testing.assert_allclose([t0, crossing], [42.683163, 91.857068], atol=6e-7)
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)

    def best_mass(sigma):
        event = theory.intrinsic_time.event_at_slope(path, sigma)
        return np.exp(theory.intrinsic_time.log_probs_at(path, event)[0])

    dip = minimize_scalar(best_mass, bounds=(0, 60), method="bounded")
    np.testing.assert_allclose(dip.fun, 0.0433989190, rtol=1e-8)  # DOP853 at 1e-12


def test_gamma_alone_bounds_nothing():
    s, policy = theory.entanglement.counterexample([1e-2, 1e-3, 1e-4])
    assert np.all(theory.entanglement.in_regime_2(s, np.log(policy)))
    np.testing.assert_allclose(
        theory.entanglement.gamma(s, np.log(policy)), 6, rtol=1e-12
    )
    exact = theory.entanglement.transition_bounds(s, np.log(policy)).exact
    np.testing.assert_allclose(exact, [285, 3025, 30422], atol=0.5)


def test_two_patterns_in_the_deep_have_the_printed_ratio_of_time_to_product():
    log_pi = np.log([1e-3, 0.999])
    path = theory.intrinsic_time.intrinsic_path([0.9, 0.6], log_pi)
    clock = theory.clock.time_of(path, theory.intrinsic_time.crossing_event(path))
    np.testing.assert_allclose(clock.time / clock.product, 1.016, atol=6e-4)


def test_the_degree_bounds_hold_on_every_hull_and_the_exponent_is_below_gamma(rng):
    s, log_pi = padded_batch(rng, theory.entanglement.is_overtaking, 200, spread=2.5)
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    product = theory.clock.time_of(
        path, theory.intrinsic_time.crossing_event(path)
    ).product
    bound = theory.entanglement.degree_bound(s, log_pi)
    assert np.all(product < bound.product)
    assert np.all(bound.product <= bound.exponential * (1 + 1e-12))
    counts = []
    for lane in range(200):
        inside = log_pi[lane] > -np.inf
        rates, policy = s[lane, inside], np.exp(log_pi[lane, inside])
        found = edges(rates, policy)
        counts.append(len(found))
        np.testing.assert_allclose(
            product[lane], product_integral(rates, policy), rtol=1e-6
        )
        above_gamma, by_hand = 0.0, 0.0
        for i, j, _ in found:
            rise = rates[j] - rates[i]
            worse = rates < rates[i]
            steps = policy[worse] * (rates[i] - rates[worse]) / (policy[j] * rise)
            front = policy[i] / (2 * policy[j] * rise)
            by_hand += front * np.prod(1 + steps)
            crowd = theory.entanglement.gamma(rates, np.log(policy)) - 1
            with np.errstate(over="ignore"):
                above_gamma += front * np.exp(crowd * (rates[i] - rates.min()) / rise)
        np.testing.assert_allclose(bound.product[lane], by_hand, rtol=1e-12)
        assert bound.exponential[lane] <= above_gamma * (1 + 1e-12)
    assert counts.count(1) > 20 and counts.count(2) > 20
    # Pattern 1 leads between 0 and 2: the formula for one edge, from 0 to 2, fails.
    s, log_pi = np.array([0.3, 0.5, 0.51]), np.log([0.9, 0.0999, 0.0001])
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    product = theory.clock.time_of(
        path, theory.intrinsic_time.crossing_event(path)
    ).product
    assert product > 1000 * 0.9 / (2 * 0.0001 * 0.21)


def test_t0_comes_a_bounded_time_after_the_crossing(rng):
    later, several = [], 0
    for _ in range(400):
        s, log_pi = random_problem(rng, rng.integers(3, 7), spread=1.5)
        if not theory.entanglement.has_t0(s, log_pi):
            continue
        crossing = theory.entanglement.transition_bounds(
            s, log_pi, event="crossing"
        ).exact
        crossing = 0.0 if np.isnan(crossing) else crossing
        t0 = theory.entanglement.transition_bounds(s, log_pi).exact
        lead = -np.diff(np.sort(s)[::-1][:2])[0]
        longest = theory.entanglement.t0_after_crossing(s, log_pi)
        np.testing.assert_allclose(longest, len(s) * (len(s) - 1) / lead)
        assert t0 - crossing <= longest
        if t0 > crossing:
            later.append((t0 - crossing) * lead)
            several += theory.entanglement.in_regime_2(s, log_pi)
    # It does happen, in regime 2 too, and takes longer than 1/Delta.
    assert len(later) > 50 and several > 10 and max(later) > 1


def test_t0_after_the_crossing_agrees_with_the_stepped_flow():
    s, log_pi = np.array([0.9, 0.6, 0.1]), np.log([0.1, 0.15, 0.75])
    assert theory.entanglement.in_regime_2(s, log_pi)
    t0, crossing = hitting_times(
        s, log_pi, [lambda pi: pi @ s - 0.6, lambda pi: pi[0] - pi[1:].max()], 1e3
    )
    assert crossing < t0 < crossing + theory.entanglement.t0_after_crossing(s, log_pi)
    law = [
        theory.entanglement.transition_bounds(s, log_pi, event=e).exact
        for e in ("t0", "crossing")
    ]
    np.testing.assert_allclose(law, [t0, crossing], rtol=1e-8)


def test_the_bound_is_the_limit_of_the_polynomial_integral():
    # The second policy holds a pattern that is worse than average and one between.
    s = np.array([0.9, 0.6, 0.1, 0.45])
    for policy in ([0.03, 0.67, 0.2, 0.1], [1e-5, 0.67, 0.22, 0.10999]):
        policy = np.array(policy)
        log_pi = np.log(policy)
        assert theory.entanglement.has_one_edge(s, log_pi)
        path = theory.intrinsic_time.intrinsic_path(s, log_pi)
        product = theory.clock.time_of(
            path, theory.intrinsic_time.crossing_event(path)
        ).product
        np.testing.assert_allclose(product, product_integral(s, policy), rtol=1e-10)
    front = 0.67 / (2 * 1e-5 * 0.3)
    steps = [0.22 * 0.5 / (1e-5 * 0.3), 0.10999 * 0.15 / (1e-5 * 0.3)]
    bound = theory.entanglement.degree_bound(s, log_pi)
    np.testing.assert_allclose(bound.product, front * np.prod(1 + np.array(steps)))
    assert bound.exponential == np.inf


def test_the_exponential_bound_is_the_printed_formula():
    s, policy = theory.entanglement.example_case()
    bound = theory.entanglement.degree_bound(s, np.log(policy))
    front = 0.7 / (2 * 0.05 * 0.3)
    np.testing.assert_allclose(bound.product, front * (1 + 0.25 * 0.5 / (0.05 * 0.3)))
    np.testing.assert_allclose(bound.exponential, front * np.exp((6 - 1) * 0.5 / 0.3))


def test_the_bound_for_two_patterns_becomes_sharp_for_a_rare_best_one():
    log_pi = np.log([1e-7, 1 - 1e-7])
    path = theory.intrinsic_time.intrinsic_path([0.9, 0.6], log_pi)
    product = theory.clock.time_of(
        path, theory.intrinsic_time.crossing_event(path)
    ).product
    bound = theory.entanglement.degree_bound([0.9, 0.6], log_pi).product
    np.testing.assert_allclose(bound, product, rtol=1e-6)


def test_events_that_do_not_happen_have_no_time():
    s, log_pi = [0.9, 0.6, 0.1], np.log([0.8, 0.15, 0.05])
    assert not theory.entanglement.has_t0(s, log_pi)
    for event in ("t0", "crossing"):
        assert np.all(
            np.isnan(theory.entanglement.transition_bounds(s, log_pi, event=event))
        )
    assert np.all(np.isnan(theory.entanglement.degree_bound(s, log_pi)))
    equal = [0.4, 0.4, 0.4]
    assert np.isnan(theory.entanglement.t0_after_crossing(equal, log_pi))
    assert theory.entanglement.rival(equal, log_pi) == theory.entanglement.NO_RIVAL
    assert np.isnan(theory.entanglement.gamma(equal, log_pi))
    assert np.all(np.isnan(theory.entanglement.transition_bounds(equal, log_pi)))


def test_the_rival_is_the_next_best_and_the_likelier_of_two_equals():
    log_pi = np.log([0.1, 0.2, 0.4, 0.3])
    assert theory.entanglement.rival([0.9, 0.6, 0.1, 0.6], log_pi) == 3
    assert theory.entanglement.rival([0.6, 0.9, 0.1, 0.3], log_pi) == 0


def test_several_best_patterns_count_together_in_gamma():
    gamma = theory.entanglement.gamma(
        [0.9, 0.9, 0.1, 0.6], np.log([0.1, 0.2, 0.3, 0.4])
    )
    np.testing.assert_allclose(gamma, (0.1 + 0.2 + 0.3) / (0.1 + 0.2))


@pytest.mark.parametrize(
    "rates, policy, expected",
    [
        ([0.9, 0.6, 0.1], [0.05, 0.70, 0.25], True),
        ([0.9, 0.6, 0.1], [0.80, 0.15, 0.05], False),  # regime 1
        ([0.9, 0.6, 0.5, 0.1], [0.1, 0.1, 0.1, 0.7], False),  # two rivals
        ([0.9, 0.9, 0.6, 0.1], [0.1, 0.1, 0.5, 0.3], False),  # two best
    ],
)
def test_regime_2_is_recognised(rates, policy, expected):
    assert theory.entanglement.in_regime_2(rates, np.log(policy)) == expected


def test_a_pattern_without_mass_changes_no_time_and_no_bound():
    s, policy = theory.entanglement.example_case()
    log_pi = np.log(policy)
    for extra in (1.0, 0.75, np.nan):
        masked = np.insert(s, 1, extra), np.insert(log_pi, 1, -np.inf)
        assert (
            theory.entanglement.in_regime_2(*masked)
            and theory.entanglement.rival(*masked) == 2
        )
        np.testing.assert_allclose(theory.entanglement.gamma(*masked), 6)
        for function in (
            theory.entanglement.transition_bounds,
            theory.entanglement.degree_bound,
            theory.entanglement.t0_after_crossing,
        ):
            np.testing.assert_allclose(
                function(*masked), function(s, log_pi), rtol=1e-13
            )


def test_the_form_in_the_reported_order_is_gamma_to_the_power_c_gamma():
    np.testing.assert_allclose(theory.entanglement.reported_form(6.0), 6.0**6)
    np.testing.assert_allclose(
        theory.entanglement.reported_form([2.0, 3.0], 0.5), [2, 3**1.5]
    )


def test_unknown_events_and_impossible_masses_are_refused():
    with pytest.raises(ValueError, match="event"):
        theory.entanglement.transition_bounds(
            [0.9, 0.6], np.log([0.2, 0.8]), event="T0"
        )
    for e in (0.0, 1 / 6, -0.1):
        with pytest.raises(ValueError, match="e"):
            theory.entanglement.counterexample(e)

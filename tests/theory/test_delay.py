import mpmath as mp
import numpy as np
import pytest

import theory
from tests.theory.problems import padded_batch


def test_the_elementary_bounds_hold_at_any_place_of_any_hull(rng):
    s, log_pi = padded_batch(rng, lambda *x: True, 100, spread=2.5)
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    for sigma in (0.2, 3.0, 50.0, 2000.0):
        event = theory.intrinsic_time.event_at_slope(path, sigma)
        lost = theory.delay.lost_time_bound(path, event)
        clock = theory.clock.time_of(path, event)
        assert np.all(clock.reciprocal <= lost * (1 + 1e-12))
        lower, upper, exact = theory.delay.delay_bounds(path, event)
        np.testing.assert_allclose(upper, clock.product + 2 * lost, rtol=1e-14)
        assert np.all(lower <= exact * (1 + 1e-11))
        assert np.all(exact <= upper * (1 + 1e-11))
    crossing = theory.intrinsic_time.crossing_event(path)
    happens = crossing.piece != theory.intrinsic_time.UNRESOLVED
    lost = theory.delay.lost_time_bound(path, crossing)
    assert np.all(np.isnan(lost[~happens]))
    assert (
        np.median((lost / theory.clock.time_of(path, crossing).reciprocal)[happens])
        < 2.5
    )


def test_the_bound_is_the_integral_it_claims_to_be():
    # One edge: the printed integrand by quadrature, with the printed P.
    s, policy = theory.entanglement.example_case()
    path = theory.intrinsic_time.intrinsic_path(s, np.log(policy))
    event = theory.intrinsic_time.crossing_event(path)
    g = np.exp(np.log(policy).mean())
    start = g * (1 / policy - 1 / policy[1])
    slope = (1 / policy[0] - 1 / policy[1]) / 0.3
    end = g * (1 / policy - 1 / policy[1] - (s - s[1]) * slope)
    others = [0, 2]
    P = 1 / np.prod(1 + np.maximum(start, end)[others])
    wanted = 0.0
    for k in others:
        wanted += mp.quad(
            lambda x, k=k: 1 / (P + (1 - x) * start[k] + x * end[k]),
            [0, 0.01, 0.5, 0.99, 1],
        )
    wanted *= g * slope
    lost = theory.delay.lost_time_bound(path, event)
    np.testing.assert_allclose(lost, float(wanted), rtol=1e-10)


@pytest.mark.parametrize("e", [1e-3, 1e-6])
def test_the_time_lost_is_only_logarithmic_and_deep_cases_sit_at_the_upper_end(e):
    path = theory.intrinsic_time.intrinsic_path(
        [0.9, 0.6, 0.1], np.log([e, 0.7, 0.3 - e])
    )
    event = theory.intrinsic_time.crossing_event(path)
    clock = theory.clock.time_of(path, event)
    lost = theory.delay.lost_time_bound(path, event)
    # In units of the length of the piece in tau, 1/Delta: of order log(1/e).
    assert lost < 12 * np.log(1 / e) and clock.product > 0.1 / e**2
    np.testing.assert_allclose(
        clock.product + 2 * clock.reciprocal, clock.time, rtol=2e-3
    )


def test_measured_ratios_of_time_to_product_in_the_deep():
    # 1.016, 1.0007, 1.00002 for 2, 3, 4 patterns.
    rates = np.array([0.9, 0.6, 0.3, 0.1])
    for K, wanted, digits in ((2, 1.016, 6e-4), (3, 1.0007, 6e-4), (4, 1.00002, 3e-5)):
        policy = np.full(K, (1 - 1e-3) / (K - 1))
        policy[0] = 1e-3
        path = theory.intrinsic_time.intrinsic_path(rates[:K], np.log(policy))
        clock = theory.clock.time_of(path, theory.intrinsic_time.crossing_event(path))
        np.testing.assert_allclose(clock.time / clock.product, wanted, atol=digits)


def test_a_crossing_happens_unless_the_best_pattern_leads():
    claims = {claim.id: claim for claim in theory.STATEMENTS["B4"].claims}
    has_crossing = claims["B4.crossing"].hypotheses
    assert has_crossing([0.9, 0.6, 0.1], np.log([0.2, 0.7, 0.1]))
    assert not has_crossing([0.9, 0.6, 0.1], np.log([0.7, 0.2, 0.1]))
    assert not has_crossing([0.5, 0.5], np.log([0.7, 0.3]))

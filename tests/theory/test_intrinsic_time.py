import numpy as np
import pytest

import theory
from tests.theory.problems import flow_at, random_problem


@pytest.mark.parametrize("K", [2, 3, 6])
def test_states_along_the_path_are_states_of_the_stepped_flow(rng, K):
    s, log_pi = random_problem(rng, K)
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    for sigma in (0.7, 4.0, 31.0):
        event = theory.intrinsic_time.event_at_slope(path, sigma)
        time = theory.clock.time_of(path, event).time
        state = np.exp(theory.intrinsic_time.log_probs_at(path, event))
        np.testing.assert_allclose(state, flow_at(s, log_pi, time), rtol=2e-8)


def test_differences_of_the_inverse_weights_are_linear_and_their_product_is_one(rng):
    s, log_pi = random_problem(rng, 5, spread=2.0)
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    g = np.exp(log_pi.mean())
    for sigma in (0.3, 5.0, 60.0):
        log_probs = theory.intrinsic_time.log_probs_at(
            path, theory.intrinsic_time.event_at_slope(path, sigma)
        )
        u = np.exp(log_probs.mean() - log_probs)
        np.testing.assert_allclose(np.prod(u), 1, rtol=1e-12)
        line = g * (np.exp(-log_pi) - s * sigma)
        np.testing.assert_allclose(u - u[0], line - line[0], rtol=1e-9, atol=1e-11)


def test_the_path_starts_at_the_given_policy(rng):
    s, log_pi = random_problem(rng, 6, spread=3.0)
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    start = theory.intrinsic_time.log_probs_at(
        path, theory.intrinsic_time.event_at_slope(path, 0.0)
    )
    np.testing.assert_allclose(start, log_pi, rtol=0, atol=1e-12)


def test_at_the_crossing_best_and_rival_are_exactly_equal_even_when_rare():
    s, log_pi = np.array([0.9, 0.6, 0.1]), np.log([1e-9, 0.7, 0.3 - 1e-9])
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    state = theory.intrinsic_time.log_probs_at(
        path, theory.intrinsic_time.crossing_event(path)
    )
    assert state[0] == state[1] > state[2]


def test_no_crossing_when_the_best_pattern_leads_from_the_start():
    path = theory.intrinsic_time.intrinsic_path(
        [0.9, 0.6, 0.1], np.log([0.5, 0.3, 0.2])
    )
    event = theory.intrinsic_time.crossing_event(path)
    assert event.piece == theory.intrinsic_time.UNRESOLVED
    assert np.all(np.isnan(theory.intrinsic_time.log_probs_at(path, event)))
    assert np.isnan(theory.clock.time_of(path, event).time)


def test_found_events_sit_where_the_quantity_vanishes(rng):
    s, log_pi = random_problem(rng, 5)
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    start, top = np.exp(log_pi) @ s, s.max()
    for share in (0.1, 0.5, 0.999):
        level = start + share * (top - start)
        event = theory.intrinsic_time.find_event(
            path, lambda lp, a=level: np.exp(lp) @ s - a
        )
        found = np.exp(theory.intrinsic_time.log_probs_at(path, event)) @ s
        np.testing.assert_allclose(found, level, rtol=1e-13)
    never = theory.intrinsic_time.find_event(
        path, lambda lp: np.exp(lp) @ s - start + 1e-3
    )
    assert never.piece == theory.intrinsic_time.UNRESOLVED
    never = theory.intrinsic_time.find_event(
        path, lambda lp: np.exp(lp) @ s - top - 1e-3
    )
    assert never.piece == theory.intrinsic_time.UNRESOLVED


def test_a_lane_does_not_depend_on_its_neighbours(rng):
    problems = [random_problem(rng, 4, spread=2.0) for _ in range(7)]
    s, log_pi = map(np.stack, zip(*problems, strict=True))
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    batch = theory.intrinsic_time.log_probs_at(
        path, theory.intrinsic_time.event_at_slope(path, 9.0)
    )
    for lane, (rates, logs) in enumerate(problems):
        alone = theory.intrinsic_time.intrinsic_path(rates, logs)
        state = theory.intrinsic_time.log_probs_at(
            alone, theory.intrinsic_time.event_at_slope(alone, 9.0)
        )
        np.testing.assert_allclose(batch[lane], state, rtol=1e-14)


def test_a_negative_slope_is_refused():
    path = theory.intrinsic_time.intrinsic_path([0.9, 0.6], np.log([0.2, 0.8]))
    with pytest.raises(ValueError, match="slope"):
        theory.intrinsic_time.event_at_slope(path, -0.1)

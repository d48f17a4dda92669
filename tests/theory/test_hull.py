from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

import theory
from tests.theory.problems import flow_path, padded_batch, random_problem


def brute_force(s, log_pi):
    """Dominant patterns in order: the lowest line between all pairwise meetings."""
    s = [Fraction(float(x)) for x in s]
    height = [Fraction(float(x)) for x in np.exp(-log_pi)]
    pairs = combinations(range(len(s)), 2)
    meetings = {(height[k] - height[j]) / (s[k] - s[j]) for j, k in pairs}
    borders = [Fraction(0), *sorted(m for m in meetings if m > 0)]
    borders.append(borders[-1] + 1)
    visited = []
    for a, b in zip(borders, borders[1:], strict=False):
        middle = (a + b) / 2
        low = min(range(len(s)), key=lambda k: height[k] - s[k] * middle)
        if low not in visited:
            visited.append(low)
    last = min(range(len(s)), key=lambda k: height[k] - s[k] * 10 * borders[-1])
    assert visited[-1] == last
    return visited, height, s


@pytest.mark.parametrize("K", [2, 3, 5, 8])
def test_the_walk_agrees_with_the_lowest_of_all_lines(rng, K):
    for _ in range(15):
        s, log_pi = random_problem(rng, K, spread=2.0)
        visited, height, exact = brute_force(s, log_pi)
        hull = theory.hull.dominance_hull(s, log_pi)
        edges = len(visited) - 1
        assert hull.edges == edges
        padding = [theory.hull.PADDING] * (K - 1 - edges)
        assert list(hull.vertices) == visited + padding
        for q, (i, j) in enumerate(zip(visited, visited[1:], strict=False)):
            slope = float((height[j] - height[i]) / (exact[j] - exact[i]))
            np.testing.assert_allclose(hull.slopes[q], slope, rtol=1e-11)
        assert np.all(np.isnan(hull.slopes[edges:]))
        assert np.all(np.diff(hull.slopes[:edges]) >= 0)


def test_ties_at_the_start_go_to_the_larger_rate_and_at_the_end_to_the_likelier():
    hull = theory.hull.dominance_hull(
        [0.3, 0.5, 0.9, 0.9], np.log([0.4, 0.4, 0.07, 0.13])
    )
    assert list(hull.vertices) == [1, 3, -1, -1]
    np.testing.assert_allclose(hull.slopes[0], (1 / 0.13 - 2.5) / 0.4, rtol=1e-13)


def test_collinear_points_are_skipped():
    # Points (rate, 1/pi): (0.25, 2), (0.5, 4), (0.75, 6); the rest makes up the mass.
    policy = np.array([1 / 2, 1 / 4, 1 / 6, 1 / 12])
    hull = theory.hull.dominance_hull([0.25, 0.5, 0.75, 0.1], np.log(policy))
    assert hull.vertices[0] == 0
    assert hull.vertices[hull.edges] == 2
    np.testing.assert_allclose(hull.slopes[: hull.edges], 8, rtol=1e-13)


def test_patterns_without_mass_are_no_vertices(rng):
    s, log_pi = random_problem(rng, 4, spread=2.0)
    bare = theory.hull.dominance_hull(s, log_pi)
    masked = theory.hull.dominance_hull([1.0, *s], [-np.inf, *log_pi])
    assert masked.edges == bare.edges
    count = bare.edges + 1
    np.testing.assert_array_equal(masked.vertices[:count], bare.vertices[:count] + 1)
    np.testing.assert_array_equal(
        masked.slopes[: bare.edges], bare.slopes[: bare.edges]
    )


def test_the_leaders_of_the_stepped_flow_are_the_vertices_in_their_order(rng):
    several = 0
    for _ in range(25):
        s, log_pi = random_problem(rng, 4, spread=1.2)
        hull = theory.hull.dominance_hull(s, log_pi)
        visited = list(hull.vertices[: hull.edges + 1])
        pi, _ = flow_path(s, log_pi, np.geomspace(1e-2, 3e4, 400))
        leaders = pi.argmax(axis=1)
        order = [leaders[0], *leaders[1:][np.diff(leaders) != 0]]
        # Short reigns may fall between two saved times, and late ones after the end.
        assert order == [k for k in visited if k in order]
        assert order[0] == log_pi.argmax() == visited[0]
        assert s.argmax() == visited[-1]
        several += len(order) > 1
    assert several > 8


def test_at_a_hand_over_two_patterns_are_equal_and_lead(rng):
    s, log_pi = padded_batch(
        rng, lambda *x: theory.hull.dominance_hull(*x).edges > 1, 20
    )
    path, hull = (
        theory.intrinsic_time.intrinsic_path(s, log_pi),
        theory.hull.dominance_hull(s, log_pi),
    )
    lanes = np.arange(20)
    event = theory.intrinsic_time.Event(np.zeros(20, dtype=int), np.full(20, np.inf))
    log_probs = theory.intrinsic_time.log_probs_at(path, event)
    old, new = hull.vertices[:, 0], hull.vertices[:, 1]
    np.testing.assert_array_equal(log_probs[lanes, old], log_probs[lanes, new])
    np.testing.assert_allclose(log_probs.max(axis=1), log_probs[lanes, new])
    # The same place by the printed formula for tau, in units of g.
    slope = (np.exp(-log_pi[lanes, new]) - np.exp(-log_pi[lanes, old])) / (
        s[lanes, new] - s[lanes, old]
    )
    np.testing.assert_allclose(hull.slopes[:, 0], slope, rtol=1e-10)


def test_patterns_equal_in_both_keep_equal_mass():
    s, log_pi = np.array([0.9, 0.5, 0.5, 0.1]), np.log([0.1, 0.3, 0.3, 0.3])
    pi, _ = flow_path(s, log_pi, [1.0, 30.0, 1e3])
    np.testing.assert_allclose(pi[:, 1], pi[:, 2], rtol=1e-12)
    hull = theory.hull.dominance_hull(s, log_pi)
    assert hull.edges == 1 and hull.vertices[0] in (1, 2)


def test_values_are_read_in_the_order_of_the_vertices():
    confidence, policy = [1.4, 0.9, 0.2, 0.5], [0.01, 0.2, 0.75, 0.04]
    rates = [0.2, 0.9, 0.5, np.nan]
    hull = theory.hull.dominance_hull(confidence, np.log(policy))
    stairs = theory.hull.values_along(hull, rates)
    np.testing.assert_array_equal(stairs, [0.5, 0.9, 0.2, np.nan])


def test_hypotheses_of_the_hand_over_need_an_edge():
    claims = {claim.id: claim for claim in theory.STATEMENTS["B2"].claims}
    assert claims["B2.hand-over"].hypotheses([0.9, 0.5], np.log([0.2, 0.8]))
    assert not claims["B2.hand-over"].hypotheses([0.9, 0.5], np.log([0.8, 0.2]))

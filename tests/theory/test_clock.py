"""The clock against 30-digit quadrature and against the stepped flow."""

import mpmath as mp
import numpy as np
import pytest

import theory
from tests.oracles import hitting_times
from tests.theory.problems import flow_at, padded_batch, random_problem

PROBLEMS = {
    "three patterns": ([0.9, 0.6, 0.1], [0.05, 0.70, 0.25]),
    "two edges": ([0.93, 0.71, 0.42, 0.16], [0.004, 0.06, 0.7, 0.236]),
    "rare best pattern": ([0.9, 0.55, 0.2], [1e-6, 0.6, 0.4 - 1e-6]),
}


class Reference:
    """`t = int Z dtau` in 30 digits, in pieces between all pairwise meetings."""

    def __init__(self, rates, policy):
        self.s = [mp.mpf(x) for x in rates]
        policy = [mp.mpf(x) for x in policy]
        policy = [x / mp.fsum(policy) for x in policy]
        g = mp.exp(mp.fsum(mp.log(x) for x in policy) / len(policy))
        self.c = [g / x for x in policy]

    def meeting(self, j, k):
        return (self.c[k] - self.c[j]) / (self.s[k] - self.s[j])

    def crossing(self):
        return max(self.meeting(0, k) for k in range(1, len(self.s)))

    def state(self, tau):
        """`(i, a, u)`: lowest line, distances to it, weights of product one."""
        v = [c - s * tau for c, s in zip(self.c, self.s, strict=True)]
        i = min(range(len(v)), key=v.__getitem__)
        a = [x - v[i] for x in v]
        log_p = mp.mpf(0)
        while True:
            p = mp.exp(log_p)
            step = mp.fsum(mp.log(p + x) for x in a) / mp.fsum(p / (p + x) for x in a)
            log_p -= step
            if abs(step) < mp.mpf(10) ** -16:  # quadratic: the next is below 1e-30
                p = mp.exp(log_p)
                return i, a, [p + x for x in a]

    def t0(self):
        """Where the mean rate equals the rate of pattern 1, by bisection."""

        def excess(tau):
            u = self.state(tau)[2]
            return mp.fsum((s - self.s[1]) / x for s, x in zip(self.s, u, strict=True))

        low, high = mp.mpf(0), 2 * self.crossing()
        for _ in range(95):
            middle = (low + high) / 2
            low, high = (middle, high) if excess(middle) < 0 else (low, middle)
        return high

    def clock(self, end):
        count = range(len(self.s))
        meetings = {self.meeting(j, k) for k in count for j in range(k)}
        borders = [mp.mpf(0), *sorted(m for m in meetings if 0 < m < end), end]
        cache = {}

        def parts(tau):
            if tau not in cache:
                i, a, u = self.state(tau)
                others = [k for k in count if k != i]
                rest = mp.fsum(1 / u[k] for k in others)
                cache[tau] = 1 / u[i] + rest, mp.fprod(a[k] for k in others), rest
            return cache[tau]

        return [
            float(mp.quad(lambda tau, n=n: parts(tau)[n], borders, maxdegree=6))
            for n in range(3)
        ]


@pytest.mark.parametrize("name", PROBLEMS)
def test_time_and_both_integrals_agree_with_30_digit_quadrature(name):
    rates, policy = PROBLEMS[name]
    log_pi = np.log(policy)
    path = theory.intrinsic_time.intrinsic_path(rates, log_pi)
    with mp.workdps(30):
        reference = Reference(rates, policy)
        at_crossing = reference.clock(reference.crossing())
        at_t0 = reference.clock(reference.t0())
    computed = theory.clock.time_of(path, theory.intrinsic_time.crossing_event(path))
    np.testing.assert_allclose(computed, at_crossing, rtol=1e-11)
    law = theory.entanglement.transition_bounds(rates, log_pi, event="t0")
    time, product, rest = at_t0
    wanted = product + rest, product + 2 * rest, time
    np.testing.assert_allclose(law, wanted, rtol=1e-11)


@pytest.mark.parametrize("K", [3, 5])
def test_the_time_of_a_reached_accuracy_agrees_with_the_stepped_flow(rng, K):
    s, log_pi = random_problem(rng, K)
    start, top = np.exp(log_pi) @ s, s.max()
    levels = [start + share * (top - start) for share in (0.2, 0.6, 0.95)]
    wanted = hitting_times(
        s, log_pi, [lambda pi, a=level: pi @ s - a for level in levels], 1e5
    )
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    for level, time in zip(levels, wanted, strict=True):
        event = theory.intrinsic_time.find_event(
            path, lambda lp, a=level: np.exp(lp) @ s - a
        )
        np.testing.assert_allclose(
            theory.clock.time_of(path, event).time, time, rtol=1e-8
        )


def test_the_bounds_hold_at_any_place_of_any_hull(rng):
    s, log_pi = padded_batch(rng, lambda s, log_pi: True, 200, spread=2.5)
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    for sigma in (0.2, 3.0, 50.0, 2000.0):
        t, product, rest = theory.clock.time_of(
            path, theory.intrinsic_time.event_at_slope(path, sigma)
        )
        assert np.all(rest > 0) and np.all(product >= 0)
        assert np.all(t >= (product + rest) * (1 - 1e-11))
        assert np.all(t <= (product + 2 * rest) * (1 + 1e-11))


def test_the_second_integral_is_the_time_spent_undecided(rng):
    # For two patterns x + sinh x grows linearly, x = theta_1 - theta_2, and
    # I = int (1 - max pi) dt.
    log_pi = np.log([0.12, 0.88])
    path = theory.intrinsic_time.intrinsic_path([0.83, 0.35], log_pi)
    clock = theory.clock.time_of(path, theory.intrinsic_time.crossing_event(path))
    x = log_pi[1] - log_pi[0]
    np.testing.assert_allclose(clock.time, (x + np.sinh(x)) / 0.48, rtol=1e-13)
    grid = np.linspace(0, x, 20_001)
    undecided = (1 + np.cosh(grid)) / 0.48 / (1 + np.exp(grid))
    area = np.trapezoid(undecided, grid)
    np.testing.assert_allclose(clock.reciprocal, area, rtol=1e-8)


def test_a_pattern_without_mass_does_not_touch_the_clock(rng):
    s, log_pi = random_problem(rng, 4, spread=2.0)
    s, log_pi = np.array([s, s]), np.array([log_pi, log_pi])
    extra = np.full((2, 1), -np.inf)
    bare = theory.intrinsic_time.intrinsic_path(s, log_pi)
    masked = theory.intrinsic_time.intrinsic_path(
        np.hstack([[[0.99], [np.nan]], s]), np.hstack([extra, log_pi])
    )
    for sigma in (1.0, 40.0):
        np.testing.assert_allclose(
            theory.clock.time_of(
                masked, theory.intrinsic_time.event_at_slope(masked, sigma)
            ),
            theory.clock.time_of(
                bare, theory.intrinsic_time.event_at_slope(bare, sigma)
            ),
            rtol=1e-13,
        )


def test_time_times_gap_tends_to_the_share_of_worse_patterns():
    s, log_pi = np.array([0.8, 0.55, 0.2]), np.log([0.5, 0.3, 0.2])
    times = np.array(
        [theory.monotone_regime.gap_time(s, log_pi, eps) for eps in (1e-4, 1e-7, 1e-10)]
    )
    miss = np.abs(times * [1e-4, 1e-7, 1e-10] - 2 / 3)
    assert miss[0] > 4 * miss[1] > 16 * miss[2] and miss[2] < 1e-5


def test_the_flow_run_for_the_crossing_time_has_two_leaders():
    s, policy = theory.entanglement.example_case()
    time = theory.entanglement.transition_bounds(
        s, np.log(policy), event="crossing"
    ).exact
    state = flow_at(s, np.log(policy), time)
    np.testing.assert_allclose(state[0], state[1], rtol=1e-8)


def test_a_time_beyond_the_range_of_floats_is_nan():
    log_pi = np.log([1e-200, 0.7, 0.3])
    law = theory.entanglement.transition_bounds(
        [0.9, 0.6, 0.1], log_pi, event="crossing"
    )
    assert np.isnan(law.exact)

"""Bounds at finite time, against the exact path and the stepped flow."""

import numpy as np
import pytest
import sympy as sp

import theory
from tests.theory.problems import flow_path, padded_batch, random_problem
from theory.tail_bounds import _clock

TIED = (
    np.array([0.9, 0.9, 0.9, 0.5, 0.2]),
    np.log([0.3, 0.3, 0.1, 0.2, 0.1]),
)


def test_the_gap_at_any_time_lies_between_its_bounds(rng):
    s, log_pi = padded_batch(rng, theory.tail_bounds.in_tail, 60, spread=1.5)
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    for slope in (0.02, 1.0, 30.0, 1e3, 1e5):
        event = theory.intrinsic_time.event_at_slope(path, slope)
        time = theory.clock.time_of(path, event).time
        value = time * theory.support.gap(
            s, theory.intrinsic_time.log_probs_at(path, event)
        )
        bounds = theory.tail_bounds.tail_bounds(s, log_pi, time)
        assert np.all(bounds.lower <= value * (1 + 1e-11))
        assert np.all(value <= bounds.upper * (1 + 1e-11))
    # Late they differ by the time lost, log(u_k)/(delta_k - gap(0)) summed, over t.
    short = np.where(log_pi > -np.inf, np.nanmax(s, axis=-1)[:, None] - s, 0.0)
    slack = short - theory.support.gap(s, log_pi)[:, None]
    cost = 2 * np.sum(1 / slack, axis=-1, where=short > 0)
    width = bounds.upper / bounds.lower - 1
    assert np.all(width < cost * np.log(time) / time + 1e-12)


def test_the_bounds_on_time_hold_from_the_first_moment_on(rng):
    # By the private function, since early states agree to all digits.
    s, log_pi = padded_batch(rng, theory.tail_bounds.in_tail, 40)
    s, path = (
        np.where(log_pi > -np.inf, s, 0.0),
        theory.intrinsic_time.intrinsic_path(s, log_pi),
    )
    kept = theory.survivors.survivors(s, log_pi)
    for slope in 10.0 ** np.arange(-18, 6):
        y = np.full(40, np.log(slope))
        clock = _clock(s, log_pi, path, kept, y)
        time = theory.clock.time_of(
            path, theory.intrinsic_time.Event(np.zeros(40, dtype=int), y)
        ).time
        assert np.all(clock.lower <= np.log(time) + 1e-12)
        assert np.all(np.log(time) <= clock.upper + 1e-12)
        assert np.all(clock.upper < clock.lower + np.log(1e4))
        if 1e-17 < slope < 1e-5:  # differences drown in rounding
            continue
        # The slopes that the search uses are those of the bounds (but at a kink, where
        # a bound changes from one form to the other).
        later = _clock(s, log_pi, path, kept, y + 1e-4)
        for which in ("lower", "upper"):
            change = (getattr(later, which) - getattr(clock, which)) / 1e-4
            growth = getattr(clock, which + "_growth") - getattr(clock, which)
            assert np.mean(np.isclose(change, np.exp(growth), rtol=2e-3)) >= 0.95


def test_the_search_returns_no_start_for_a_root_hit_exactly():
    s, log_pi = np.array([0.40122575, 0.55325004]), np.log([0.49895017, 0.50104983])
    early, late = theory.tail_bounds.tail_bracket(
        s, log_pi, np.geomspace(1e-3, 1.0, 3000)
    )
    assert np.all(np.diff(early[:, 0]) < 0) and np.all(np.diff(late[:, 0]) < 0)
    assert np.all(late[:, 0] < early[:, 0])


def test_the_bounds_close_up_on_the_limit(rng):
    s, log_pi = padded_batch(rng, theory.tail_bounds.in_tail, 60)
    bounds = theory.tail_bounds.tail_bounds(s, log_pi, 1e60)
    limit = theory.tail.tail_limit(s, log_pi)
    for side in bounds:
        np.testing.assert_allclose(side, limit, rtol=1e-8)


@pytest.mark.parametrize(
    "s, log_pi",
    [
        TIED,
        (np.array([0.8, 0.8, 0.8, 0.3]), np.log([0.28, 0.28, 0.28, 0.16])),
        (np.array([0.8, 0.8, 0.3, 0.5]), np.log([0.45, 0.35, 0.12, 0.08])),
    ],
)
def test_ties_and_losers_are_bounded_too(s, log_pi):
    assert theory.tail_bounds.in_tail(s, log_pi)
    times = np.geomspace(0.05, 1e6, 15)
    pi, _ = flow_path(s, log_pi, times)
    value = times * (pi @ (s[0] - s))
    bounds = theory.tail_bounds.tail_bounds(s, log_pi, times)
    assert np.all(bounds.lower <= value * (1 + 1e-8))
    assert np.all(value <= bounds.upper * (1 + 1e-8))
    width = bounds.upper / bounds.lower - 1
    assert width[-1] < 1e-2 and np.all(np.diff(width[-6:]) < 0)


def test_the_bracket_holds_the_state_of_the_stepped_flow(rng):
    for _ in range(5):
        s, log_pi = padded_batch(rng, theory.tail_bounds.in_tail, 1, K=4)
        inside = log_pi[0] > -np.inf
        s, log_pi = s[0, inside], log_pi[0, inside]
        others = s < s.max()
        times = np.array([0.3, 10.0, 1e3])
        pi, _ = flow_path(s, log_pi, times)
        early, late = theory.tail_bounds.tail_bracket(s, log_pi, times)
        low, high = np.exp(late), np.exp(early)
        assert np.all((low < pi * (1 + 1e-9))[:, others])
        assert np.all((pi < high * (1 + 1e-9))[:, others])


@pytest.mark.parametrize("case", ["tied", "plain", "pair"])
def test_the_rate_of_the_inverse_gap_is_known_from_two_sides(rng, case):
    s, log_pi = {
        "tied": TIED,
        "plain": (np.array([0.9, 0.5, 0.2, 0.4]), np.log([0.8, 0.02, 0.1, 0.08])),
        "pair": (np.array([0.9, 0.2]), np.log([0.6, 0.4])),
    }[case]
    assert theory.tail_bounds.in_tail(s, log_pi)
    kept = theory.survivors.survivors(s, log_pi)
    times = np.geomspace(0.1, 1e4, 11)
    pi, integrals = flow_path(
        s,
        log_pi,
        times,
        [
            lambda p: 1 - p[kept].sum(),
            lambda p: p[kept].sum() ** 2,
            lambda p: theory.tail_bounds.unevenness(s, np.log(p)),
        ],
    )
    c, n = theory.tail.tail_limit(s, log_pi), np.sum(s < s.max())
    off, square, kappa = integrals.T
    rise = 1 / (pi @ (s[0] - s)) - 1 / theory.support.gap(s, log_pi)
    slack = 1e-8 * rise
    assert np.all((times - 2 * off) / c <= square / c)
    assert np.all(square / c <= rise + slack)
    assert np.all(rise <= times / c + kappa / n + slack)
    gap = pi @ (s[0] - s)
    bounds = theory.tail_bounds.gap_rate_bounds(s, log_pi, times, off, kappa)
    assert np.all(bounds.lower <= gap * (1 + 1e-8))
    assert np.all(gap <= bounds.upper * (1 + 1e-8))
    assert bounds.upper[-1] < 1.2 * bounds.lower[-1]
    # Both become sharp.
    assert times[-1] / c < 1.12 * rise[-1] and square[-1] / c > 0.9 * rise[-1]


def test_the_time_off_the_survivors_is_bounded_by_logarithms():
    # Inequality (2) for the stepped flow; u_k/c_k = e^(theta_k(0) - theta_k(t)).
    s, log_pi = np.array([0.9, 0.5, 0.2, 0.4]), np.log([0.8, 0.02, 0.1, 0.08])
    (pi,), ((off,),) = flow_path(s, log_pi, [50.0], [lambda p: 1 - p[0]])
    theta = np.log(pi) - np.log(pi).mean() - log_pi + log_pi.mean()
    delta, grown = 0.9 - s[1:], -theta[1:]
    lower = np.sum(grown / delta)
    upper = np.sum(grown / (delta - theory.support.gap(s, log_pi)))
    assert lower < off < upper < 1.6 * lower


def test_unevenness_is_the_printed_function_of_the_extreme_speeds():
    s, log_pi = np.array([0.9, 0.5, 0.2, 0.4]), np.log([0.7, 0.05, 0.15, 0.1])
    accuracy = np.exp(log_pi) @ s
    speed = np.exp(log_pi[1:]) * (accuracy - s[1:])
    r = speed.max() / speed.min()
    wanted = (r - 1) ** 2 / (4 * r)
    np.testing.assert_allclose(
        theory.tail_bounds.unevenness(s, log_pi), wanted, rtol=1e-12
    )
    # Kantorovich: n sum x^2 <= (1 + kappa) (sum x)^2.
    assert 3 * np.sum(speed**2) <= (1 + wanted) * speed.sum() ** 2
    assert theory.tail_bounds.unevenness([0.9, 0.5], np.log([0.6, 0.4])) == 0


def test_the_identities_behind_the_clock_are_right():
    p, m = sp.symbols("p m", positive=True)
    a = sp.symbols("a1:4", positive=True)
    R = sp.prod([p + x for x in a])
    S = sum(1 / (p + x) for x in a)
    assert sp.simplify(p * sp.diff(R, p) - R * p * S) == 0
    # p'(tau) = -gap from the conserved product, with u_k' = p' + delta_k.
    d = sp.symbols("d1:4", positive=True)
    slope = sp.symbols("slope")
    conserved = slope / p + sum(
        (slope + y) / (p + x) for x, y in zip(a, d, strict=True)
    )
    Z = 1 / p + S
    gap = sum(y / (p + x) for x, y in zip(a, d, strict=True)) / Z
    assert sp.simplify(sp.solve(conserved, slope)[0] + gap) == 0


def test_outside_the_tail_there_are_no_bounds(rng):
    s, log_pi = np.array([0.9, 0.6, 0.1]), np.log([0.2, 0.7, 0.1])
    assert not theory.tail_bounds.in_tail(s, log_pi)
    assert np.all(np.isnan(theory.tail_bounds.tail_bounds(s, log_pi, 5.0)))
    assert np.isnan(theory.tail_bounds.unevenness(s, log_pi))
    assert np.all(
        np.isnan(theory.tail_bounds.gap_rate_bounds(s, log_pi, 5.0, 1.0, 0.1))
    )
    assert not theory.tail_bounds.in_tail([0.9, 0.9], np.log([0.5, 0.5]))
    # The best pattern leads, but a second one is above average.
    assert not theory.tail_bounds.in_tail([0.9, 0.8, 0.1], np.log([0.4, 0.2, 0.4]))
    for time in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="time"):
            theory.tail_bounds.tail_bounds(s, log_pi, time)


def test_a_lane_of_the_bounds_does_not_depend_on_its_neighbours(rng):
    problems = [random_problem(rng, 4, 0.7) for _ in range(6)]
    s, log_pi = map(np.stack, zip(*problems, strict=True))
    log_pi[0] = np.log([0.97, 0.01, 0.01, 0.01])
    s[0] = [0.95, 0.3, 0.2, 0.1]
    together = theory.tail_bounds.tail_bounds(s, log_pi, 40.0)
    assert np.isfinite(together.lower).sum() in range(1, 6)
    for lane in range(6):
        alone = theory.tail_bounds.tail_bounds(s[lane], log_pi[lane], 40.0)
        for one, all_ in zip(alone, together, strict=True):
            np.testing.assert_allclose(one, all_[lane], rtol=1e-13)
    masked = np.insert(s, 2, np.nan, axis=1), np.insert(log_pi, 2, -np.inf, axis=1)
    np.testing.assert_allclose(
        theory.tail_bounds.tail_bounds(*masked, 40.0),
        together,
        rtol=1e-12,
        equal_nan=True,
    )

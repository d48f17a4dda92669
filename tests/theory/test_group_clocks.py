"""Clock factors against the mean over every possible group, written out."""

from itertools import product

import numpy as np
import pytest
import sympy as sp

import theory
from tests.theory.problems import flow_path, random_problem

G = 4  # with 3 the factor of GRPO would not depend on p


def mean_update(s, pi, advantages, keep=lambda rewards: True):
    """`E[(1/G) sum_i A_i (e_{k_i} - pi)]` over all groups that are kept."""
    total, kept = np.zeros(len(pi)), 0.0
    for patterns in product(range(len(pi)), repeat=G):
        for rewards in product((0, 1), repeat=G):
            r = np.array(rewards)
            rates = s[list(patterns)]
            chance = np.prod(pi[list(patterns)] * np.where(r == 1, rates, 1 - rates))
            if not keep(r):
                continue
            kept += chance
            for A, k in zip(advantages(r), patterns, strict=True):
                total += chance * A * (np.eye(len(pi))[k] - pi) / G
    return total / kept


def centred(r):
    return r - r.mean()


def normalised(ddof, epsilon):
    def advantages(r):
        return centred(r) / (r.std(ddof=ddof) + epsilon) if r.std() > 0 else 0.0 * r

    return advantages


def others(r):
    return r - (r.sum() - r) / (G - 1)


RULES = {
    "reinforce": (lambda r: r, lambda p: theory.group_clocks.reinforce(p)),
    "leave one out": (others, lambda p: theory.group_clocks.leave_one_out(p, G)),
    "group mean": (centred, lambda p: theory.group_clocks.group_mean(p, G)),
    "population": (normalised(0, 0.0), lambda p: theory.group_clocks.grpo(p, G)),
    "sample": (normalised(1, 0.0), lambda p: theory.group_clocks.grpo(p, G, "sample")),
    "epsilon": (
        normalised(0, 0.3),
        lambda p: theory.group_clocks.grpo(p, G, epsilon=0.3),
    ),
    "sample, epsilon": (
        normalised(1, 0.2),
        lambda p: theory.group_clocks.grpo(p, G, "sample", epsilon=0.2),
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_the_mean_over_all_groups_is_the_plain_gradient_times_the_factor(rng, name):
    advantages, factor = RULES[name]
    s, log_pi = random_problem(rng, 3)
    pi = np.exp(log_pi)
    plain = pi * (s - pi @ s)
    wanted = factor(pi @ s) * plain
    np.testing.assert_allclose(mean_update(s, pi, advantages), wanted, rtol=1e-11)


def test_redrawing_equal_groups_is_the_mean_over_the_others(rng):
    s, log_pi = random_problem(rng, 3)
    pi = np.exp(log_pi)
    got = mean_update(s, pi, normalised(0, 0.0), keep=lambda r: r.std() > 0)
    h = theory.group_clocks.grpo(pi @ s, G, redraw=True)
    np.testing.assert_allclose(got, h * pi * (s - pi @ s), rtol=1e-11)


@pytest.mark.parametrize("flips", [(0.1, 0.25), (0.6, 0.7)])
def test_a_noisy_verifier_rescales_and_may_turn_the_clock(rng, flips):
    s, log_pi = random_problem(rng, 3)
    pi = np.exp(log_pi)
    seen = flips[0] * (1 - s) + (1 - flips[1]) * s
    got = mean_update(seen, pi, normalised(0, 0.0))
    h = theory.group_clocks.noisy(
        lambda p: theory.group_clocks.grpo(p, G), pi @ s, *flips
    )
    np.testing.assert_allclose(got, h * pi * (s - pi @ s), rtol=1e-11)
    assert np.sign(h) == np.sign(1 - sum(flips))


def test_gradients_of_the_other_objectives_have_their_factors():
    theta, s = sp.symbols("x1:4"), [sp.Rational(n, 10) for n in (9, 4, 2)]
    weights = [sp.exp(x) for x in theta]
    pi = [w / sum(weights) for w in weights]
    p = sum(a * b for a, b in zip(pi, s, strict=True))
    point = dict(zip(theta, (sp.Rational(-1, 2), sp.Rational(1, 5), 1), strict=True))
    plain = [sp.diff(p, x).subs(point) for x in theta]
    at = float(p.subs(point))
    for n in (1, 4):
        grad = [sp.diff(1 - (1 - p) ** n, x).subs(point) for x in theta]
        for a, b in zip(grad, plain, strict=True):
            np.testing.assert_allclose(
                float(a / b), theory.group_clocks.pass_at_n(at, n)
            )
    # Own correct answers: E_{k|1} log pi(k), the weights held fixed.
    given = [(a * b / p).subs(point) for a, b in zip(pi, s, strict=True)]
    fit = sum(w * sp.log(q) for w, q in zip(given, pi, strict=True))
    for x, b in zip(theta, plain, strict=True):
        ratio = float(sp.diff(fit, x).subs(point) / b)
        np.testing.assert_allclose(ratio, theory.group_clocks.rejection_sampling(at))


def test_grpo_in_large_groups_and_at_rare_or_frequent_success():
    p = np.array([0.02, 0.3, 0.8])
    np.testing.assert_allclose(
        theory.group_clocks.grpo(p, 20_000),
        theory.group_clocks.grpo_infinite(p),
        rtol=2e-3,
    )
    np.testing.assert_allclose(
        theory.group_clocks.grpo(p, 20_000, epsilon=0.2),
        theory.group_clocks.grpo_infinite(p, 0.2),
        rtol=2e-3,
    )
    for size in (2, 8, 32):
        rare = theory.group_clocks.grpo(np.array([1e-7, 1 - 1e-7]), size)
        np.testing.assert_allclose(rare, np.sqrt(size - 1), rtol=1e-5)
        ratio = theory.group_clocks.grpo(p, size, "sample") / theory.group_clocks.grpo(
            p, size
        )
        np.testing.assert_allclose(ratio, np.sqrt((size - 1) / size), rtol=1e-12)
        redrawn = theory.group_clocks.grpo(
            p, size, redraw=True
        ) / theory.group_clocks.grpo(p, size)
        np.testing.assert_allclose(1 / redrawn, 1 - p**size - (1 - p) ** size)


@pytest.mark.parametrize("size", [2, 3, 8, 64])
def test_both_bounds_on_the_factor_of_grpo_hold_and_are_reached(size):
    p = np.concatenate([np.geomspace(1e-6, 0.5, 60), 1 - np.geomspace(1e-6, 0.4, 40)])
    h = theory.group_clocks.grpo(p, size)
    lower, upper = theory.group_clocks.grpo_bounds(p, size)
    assert np.all(lower <= h * (1 + 1e-12)) and np.all(h <= upper * (1 + 1e-12))
    np.testing.assert_allclose(h[0], upper[0], rtol=1e-4)
    if size < 4:  # groups of 2 or 3 have x = (G-1)/G^2 or nothing: equality
        np.testing.assert_allclose(h, np.sqrt(size - 1), rtol=1e-10)
    np.testing.assert_allclose(h[0], lower[0], rtol=1e-4)
    np.testing.assert_allclose(upper.max(), np.sqrt(size - 1))
    assert np.all(lower >= 2 * (size - 1) / size * (1 - 1e-15))
    if size == 8:  # at p = 1/2, by hand: E J (8 - J) = 7 + 30/4
        middle = theory.group_clocks.grpo_bounds(0.5, 8)
        np.testing.assert_allclose(middle, (7 / np.sqrt(14.5), np.sqrt(3.5)))
        terms = 2 / np.sqrt(7) + 12 / np.sqrt(12) + 30 / np.sqrt(15) + 20 / 4
        np.testing.assert_allclose(theory.group_clocks.grpo(0.5, 8), 7 * terms / 64)


def test_the_factor_of_grpo_is_convex_from_groups_of_four_on():
    p = np.linspace(0.01, 0.99, 99)
    for size in (2, 3, 4, 5, 9, 64):
        h = theory.group_clocks.grpo(p, size)
        np.testing.assert_allclose(h, h[::-1], rtol=1e-12)
        bend = np.diff(h, 2)
        assert np.all(bend > 1e-6) if size > 3 else np.all(np.abs(bend) < 1e-12)


def test_every_clock_passes_through_the_states_of_the_plain_flow(rng):
    s, log_pi = random_problem(rng, 4)
    end = 40.0
    for factor in (
        lambda p: theory.group_clocks.grpo(p, 8),
        lambda p: theory.group_clocks.pass_at_n(p, 3),
        theory.group_clocks.rejection_sampling,
    ):
        (plain,), ((elapsed,),) = flow_path(
            s, log_pi, [end], [lambda pi, f=factor: 1 / f(pi @ s)]
        )
        (other,), _ = flow_path(
            s, log_pi, [elapsed], clock=lambda pi, f=factor: f(pi @ s)
        )
        np.testing.assert_allclose(other, plain, rtol=1e-7)


PERFECT = np.array([1.0, 0.6, 0.3]), np.log([0.6, 0.3, 0.1])


@pytest.mark.parametrize(
    "factor, scale, power, time",
    [
        (lambda pi: 1 / np.sqrt(pi * (1 - pi)), 1.0, -0.5, 2e3),
        (lambda p: theory.group_clocks.grpo(p, 6), np.sqrt(5), 0.0, 2e4),
        (lambda p: theory.group_clocks.pass_at_n(p, 2), 2.0, 1.0, 1e7),
    ],
)
def test_tails_with_a_perfect_best_pattern(factor, scale, power, time):
    s, log_pi = PERFECT
    times = np.array([time / 50, time])
    pi, _ = flow_path(s, log_pi, times, clock=lambda pi: factor(1 - pi @ (1 - s)))
    gap = pi @ (1 - s)
    limit = theory.group_clocks.clock_tail(s, log_pi, scale, power)
    miss = np.abs(times * gap ** (1 + power) / limit - 1)
    assert miss[1] < 0.02 and miss[1] < 0.5 * miss[0]


def test_redrawing_closes_the_gap_exponentially():
    s, log_pi = PERFECT
    times = np.array([12.0, 24.0])
    pi, _ = flow_path(
        s,
        log_pi,
        times,
        clock=lambda pi: theory.group_clocks.grpo(1 - pi @ (1 - s), 4, redraw=True),
    )
    gap = pi @ (1 - s)
    rate = -np.diff(np.log(gap))[0] / np.diff(times)[0]
    limit = theory.group_clocks.clock_tail(s, log_pi, np.sqrt(3) / 4, -1.0)
    np.testing.assert_allclose(limit, np.sqrt(3) / 4 * 1.5)
    np.testing.assert_allclose(rate, limit, rtol=0.02)


def test_the_printed_limits_are_the_general_law():
    s, log_pi = PERFECT
    c = 2 / 3
    np.testing.assert_allclose(
        theory.group_clocks.clock_tail(s, log_pi, 1.0, -0.5) ** 2, 4 * c**2
    )
    np.testing.assert_allclose(
        theory.group_clocks.clock_tail(s, log_pi, 3.0, 2.0), c / 9
    )


def test_hypotheses_need_both_outcomes_and_a_perfect_best_pattern():
    claims = {claim.id: claim for claim in theory.STATEMENTS["B6"].claims}
    path, tail = claims["B6.path"].hypotheses, claims["B6.tail-pass"].hypotheses
    even = np.log([0.5, 0.5])
    assert path([0.4, 0.7], even) and not tail([0.4, 0.7], even)
    assert path([1.0, 0.7], even) and tail([1.0, 0.7], even)
    for rates in ([1.0, 1.0], [0.0, 0.0], [1.2, 0.3]):
        assert not path(rates, even) and not tail(rates, even)


def test_impossible_arguments_are_refused():
    for p in (0.0, 1.0, np.nan):
        with pytest.raises(ValueError, match="p"):
            theory.group_clocks.grpo(p, 4)
    with pytest.raises(ValueError, match="group_size"):
        theory.group_clocks.grpo(0.5, 1)
    with pytest.raises(ValueError, match="spread"):
        theory.group_clocks.grpo(0.5, 4, "std")
    with pytest.raises(ValueError, match="power"):
        theory.group_clocks.clock_tail(*PERFECT, 1.0, -2.0)

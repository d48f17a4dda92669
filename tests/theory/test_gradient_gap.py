"""Steps in any direction: enumeration, sympy, autodiff-free oracles, instances."""

import numpy as np
import pytest
import sympy as sp
from scipy.special import log_softmax

import theory
from tests.oracles import softmax
from tests.theory.problems import random_problem
from theory.gradient_gap import JACOBIAN, SCORE


def random_case(rng, K=5):
    s, log_pi = random_problem(rng, K)
    return s, log_pi, rng.normal(size=K)


def test_log_odds_are_those_of_the_accuracy(rng):
    s, log_pi, _ = random_case(rng)
    accuracy = s @ np.exp(log_pi)
    wanted = np.log(accuracy / (1 - accuracy))
    np.testing.assert_allclose(
        theory.gradient_gap.log_odds(s, log_pi), wanted, rtol=1e-12
    )
    # A correct answer of chance 1e-200, and a wrong one.
    log_pi = np.array([-200 * np.log(10), 0.0])
    odds = theory.gradient_gap.log_odds([1.0, 0.0], log_pi)
    np.testing.assert_allclose(odds, log_pi[0])
    np.testing.assert_allclose(theory.gradient_gap.log_odds([0.0, 1.0], log_pi), -odds)


def test_the_gap_is_the_score_of_right_answers_less_that_of_wrong_ones(rng):
    s, log_pi, w = random_case(rng)
    pi = np.exp(log_pi)
    scores = np.eye(len(s)) - pi  # of one answer by pattern k
    accuracy = s @ pi
    right = (pi * s / accuracy) @ scores
    wrong = (pi * (1 - s) / (1 - accuracy)) @ scores
    gap = theory.gradient_gap.gradient_gap(s, log_pi, w)
    np.testing.assert_allclose(gap, w @ (right - wrong), rtol=1e-11)
    # The slope of the log-odds, and blind to what moves all logits alike.
    h = 1e-6
    up, down = (
        theory.gradient_gap.log_odds(s, log_softmax(log_pi + x * w)) for x in (h, -h)
    )
    np.testing.assert_allclose(gap, (up - down) / (2 * h), rtol=1e-7)
    for function in (
        theory.gradient_gap.gradient_gap,
        theory.gradient_gap.longest_step,
        theory.gradient_gap.published_step,
    ):
        shifted = function(s, log_pi, w + 3)
        np.testing.assert_allclose(shifted, function(s, log_pi, w), rtol=1e-9)


def test_own_gradient_is_the_gradient_of_accuracy(rng):
    s, log_pi, _ = random_case(rng)
    got = theory.answers.push(s, log_pi)
    for k, slope in enumerate(got):
        step = 1e-6 * (np.arange(len(s)) == k)
        up, down = (s @ softmax(log_pi + x * step) for x in (1, -1))
        np.testing.assert_allclose(slope, (up - down) / 2e-6, atol=1e-10)


def test_symbolically_the_norm_cancels_in_the_odds():
    t = sp.symbols("t", nonnegative=True)
    pi, s, w = (sp.symbols(f"{name}:3", positive=True) for name in ("p", "s", "w"))
    moved = [p * sp.exp(t * x) for p, x in zip(pi, w, strict=True)]
    accuracy = sum(m * x for m, x in zip(moved, s, strict=True)) / sum(moved)
    right = sum(m * x for m, x in zip(moved, s, strict=True))
    wrong = sum(m * (1 - x) for m, x in zip(moved, s, strict=True))
    assert sp.simplify(accuracy / (1 - accuracy) - right / wrong) == 0


def test_far_from_even_odds_nothing_overflows(rng):
    rare = np.array([-800.0, 0.0])
    np.testing.assert_allclose(
        theory.gradient_gap.gradient_gap([1, 0], rare, [1, -1]), 2
    )
    even = np.log([0.5, 0.5])
    np.testing.assert_allclose(
        theory.gradient_gap.gradient_gap([1e-320, 0], even, [1, -1]), 1
    )
    # Both forms agree where both are good.
    s, log_pi, w = random_case(rng)
    pi, accuracy = np.exp(log_pi), s @ np.exp(log_pi)
    shares = pi * s / accuracy - pi * (1 - s) / (1 - accuracy)
    np.testing.assert_allclose(
        theory.gradient_gap.gradient_gap(s, log_pi, w), w @ shares
    )
    # Lengths are inverse to the size of the direction, also at the ends of the range.
    for function in (
        theory.gradient_gap.longest_step,
        theory.gradient_gap.published_step,
    ):
        one = function([0.9, 0.1], even, [1.0, -1.0])
        for size in (1e-170, 1e170):
            scaled = function([0.9, 0.1], even, [size, -size])
            np.testing.assert_allclose(scaled * size, one)


def test_along_its_own_gradient_the_published_rate_is_known(rng):
    s, log_pi, _ = random_case(rng)
    accuracy = s @ np.exp(log_pi)
    g = theory.answers.push(s, log_pi)
    wanted = 1 / (33 * accuracy * (1 - accuracy))
    np.testing.assert_allclose(theory.gradient_gap.published_step(s, log_pi, g), wanted)
    assert wanted >= 4 / 33


@pytest.mark.slow
def test_one_long_exact_step_gains_and_buries_the_best_pattern():
    s, policy = theory.gradient_gap.burying_instance()
    log_pi, kept = np.log(policy), []
    for eta in (100.0, 300.0):
        end = log_softmax(log_pi + eta * theory.answers.push(s, log_pi))
        assert s @ np.exp(end) > s @ policy
        kept.append(end[0])
        for _ in range(20_000):
            end = log_softmax(end + eta * theory.answers.push(s, end))
        kept.append(s @ np.exp(end))
    assert kept[1] > 0.8999
    assert abs(kept[2] + 19.6) < 0.05 and abs(kept[3] - 0.6) < 1e-6


@pytest.mark.parametrize("K", [2, 3, 8])
def test_steps_stay_between_the_bounds_and_short_ones_gain(rng, K):
    for _ in range(300):
        s, log_pi, w = random_case(rng, K)
        w = w * np.sign(theory.gradient_gap.gradient_gap(s, log_pi, w))
        start = theory.gradient_gap.log_odds(s, log_pi)
        longest = theory.gradient_gap.longest_step(s, log_pi, w)
        for eta in np.geomspace(1e-3, 30, 8):
            lower, upper = theory.gradient_gap.log_odds_bounds(s, log_pi, w, eta)
            gain = (
                theory.gradient_gap.log_odds(s, log_softmax(log_pi + eta * w)) - start
            )
            assert lower - 1e-12 <= gain <= upper + 1e-12
        for share in (0.01, 0.5, 0.999):
            end = log_softmax(log_pi + share * longest * w)
            assert theory.gradient_gap.log_odds(s, end) > start
        ratio = longest / 2 / theory.gradient_gap.published_step(s, log_pi, w)
        assert ratio >= 66 * (1 - 1e-12)
    if K == 2:  # the bound is attained
        np.testing.assert_allclose(ratio, 66)


def test_many_short_steps_gain_half_of_what_slopes_promise(rng):
    s, log_pi, _ = random_case(rng)
    start, promised = theory.gradient_gap.log_odds(s, log_pi), 0.0
    for _ in range(200):
        w = rng.normal(size=len(s)) + 2 * theory.answers.push(s, log_pi)
        w = w * np.sign(theory.gradient_gap.gradient_gap(s, log_pi, w))
        eta = theory.gradient_gap.longest_step(s, log_pi, w) / 2
        promised += eta * theory.gradient_gap.gradient_gap(s, log_pi, w)
        log_pi = log_softmax(log_pi + eta * w)
        assert theory.gradient_gap.log_odds(s, log_pi) >= start + promised / 2 - 1e-9
    assert promised > 0.5


@pytest.mark.parametrize("eta", [1e-2, 1.0, 1e2, 1e5])
def test_no_step_along_its_own_gradient_loses_accuracy(rng, eta):
    for _ in range(200):
        s, log_pi, _ = random_case(rng)
        end = log_softmax(log_pi + eta * theory.answers.push(s, log_pi))
        before, after = theory.support.gap(s, log_pi), theory.support.gap(s, end)
        assert after < before
    # Nearly all mass on the rival, which is fed: it is still a gain.
    s, policy = np.array([0.9, 0.6, 0.1]), np.array([0.05, 0.7, 0.25])
    end = softmax(np.log(policy) + eta * theory.answers.push(s, np.log(policy)))
    assert s @ end > s @ policy


def test_an_aligned_step_may_lose_accuracy_if_it_is_long():
    s, policy, w = theory.gradient_gap.overshoot_instance()
    log_pi = np.log(policy)
    assert theory.gradient_gap.gradient_gap(s, log_pi, w) > 0
    start = s @ policy
    longest = theory.gradient_gap.longest_step(s, log_pi, w)
    assert s @ softmax(log_pi + longest * w) > start
    assert s @ softmax(log_pi + 1e4 * longest * w) == pytest.approx(s[np.argmax(w)])
    assert s[np.argmax(w)] < start


def test_with_a_shared_parameter_every_step_that_is_too_long_loses(rng):
    for _ in range(50):
        theta = rng.normal()
        weights, features = rng.uniform(0.1, 3, size=2), rng.uniform(0.1, 1, size=2)
        case = theory.gradient_gap.mirrored(theta, weights, features)
        s, w, log_pi = case.success_rates, case.direction, case.log_policy
        assert s @ np.exp(log_pi) == pytest.approx(
            1 / (1 + 2 * weights @ np.cosh(theta * features))
        )
        assert theory.gradient_gap.gradient_gap(s, log_pi, w) > 0
        assert theory.gradient_gap.longest_step(s, log_pi, w) < case.turning
        for share in (0.3, 0.99, 1.01, 3):
            end = log_softmax(log_pi + share * case.turning * w)
            change = theory.gradient_gap.log_odds(
                s, end
            ) - theory.gradient_gap.log_odds(s, log_pi)
            assert change * (1 - share) > 0
        # Steps beyond, one after the other: down to nothing.
        kept = [s @ np.exp(log_pi)]
        for _ in range(8):
            case = theory.gradient_gap.mirrored(theta, weights, features)
            step = 1.5 * case.turning
            log_pi = log_softmax(log_pi + step * case.direction)
            theta = theta - np.sign(theta) * step
            again = theory.gradient_gap.mirrored(theta, weights, features).log_policy
            np.testing.assert_allclose(log_pi, again, rtol=1e-9, atol=1e-12)
            kept.append(s @ np.exp(log_pi))
        assert np.all(np.diff(kept) < 0)
        bound = np.exp(-abs(theta) * features.max()) / weights[features.argmax()]
        assert kept[-1] < bound * (1 + 1e-9)


def test_near_the_optimum_the_longest_step_reaches_its_mirror_image():
    case = theory.gradient_gap.mirrored(1e-4, [0.7], [0.5])
    longest = theory.gradient_gap.longest_step(
        case.success_rates, case.log_policy, case.direction
    )
    np.testing.assert_allclose(longest, case.turning, rtol=1e-8)


@pytest.mark.parametrize("small", [1e-2, 1e-3])
def test_the_longest_step_is_sharp(small):
    s, policy, w = theory.gradient_gap.sharp_instance(small)
    log_pi = np.log(policy)
    longest = theory.gradient_gap.longest_step(s, log_pi, w)
    np.testing.assert_allclose(longest, 8 * small, rtol=1e-12)
    start = theory.gradient_gap.log_odds(s, log_pi)
    for share, sign in ((0.999, 1), (1.001, -1)):
        end = theory.gradient_gap.log_odds(s, log_softmax(log_pi + share * longest * w))
        assert sign * (end - start) > 0


def test_where_nothing_can_be_won_steps_are_zero():
    log_pi = np.log([0.5, 0.5])
    for s in ([1.0, 1.0], [0.0, 0.0], [0.3, 0.3]):
        assert theory.gradient_gap.gradient_gap(s, log_pi, [1.0, -1.0]) == 0
        assert theory.gradient_gap.longest_step(s, log_pi, [1.0, -1.0]) == 0
    assert theory.gradient_gap.longest_step([0.9, 0.1], log_pi, [-1.0, 1.0]) == 0
    assert theory.gradient_gap.longest_step([0.9, 0.1], log_pi, [2.0, 2.0]) == 0
    # A pattern outside the support has no say.
    padded = np.array([np.log(0.5), np.log(0.5), -np.inf])
    few = [[0.9, 0.1], log_pi, [3.0, 1.0]]
    more = [[0.9, 0.1, 0.5], padded, [3.0, 1.0, 50.0]]
    for function in (
        theory.gradient_gap.longest_step,
        theory.gradient_gap.published_step,
        theory.gradient_gap.gradient_gap,
    ):
        np.testing.assert_allclose(function(*more), function(*few))


def test_the_constants_of_pattern_logits_are_the_least_that_hold(rng):
    def largest(pi):
        scores = np.linalg.norm(np.eye(len(pi)) - pi, axis=1)
        return scores.max(), np.linalg.norm(np.diag(pi) - np.outer(pi, pi), 2)

    found = [largest(pi) for pi in rng.dirichlet(np.full(4, 0.2), size=500)]
    score, jacobian = np.max(found, axis=0)
    assert score <= SCORE + 1e-12 and jacobian <= JACOBIAN + 1e-12
    np.testing.assert_allclose(largest(np.array([1.0, 0.0, 0.0]))[0], SCORE)
    np.testing.assert_allclose(largest(np.array([0.5, 0.5, 0.0]))[1], JACOBIAN)

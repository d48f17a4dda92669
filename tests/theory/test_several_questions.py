"""Several questions: enumerated attempts, exact powers, stepped flows."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp
from scipy.special import log_softmax
from scipy.stats import binom

import theory
from tests.oracles import softmax
from tests.theory.problems import flow_at


def random_case(rng, Q=3, K=4):
    return rng.uniform(size=(Q, K)) ** 2, log_softmax(rng.normal(size=K))


def shared_flow(s, log_pi, time, weight):
    """Questions averaged one by one, each with its own `weight(p)`."""

    def field(t, theta):
        pi = softmax(theta)
        return np.mean([weight(pi @ q) * pi * (q - pi @ q) for q in s], axis=0)

    run = solve_ivp(field, (0, time), log_pi, rtol=1e-10, atol=1e-11)
    return softmax(run.y[:, -1])


def grpo(p):
    return 1 / np.sqrt(p * (1 - p))


def test_plain_policy_gradient_sees_one_question_with_the_mean_rates(rng):
    for _ in range(3):
        s, log_pi = random_case(rng)
        end = shared_flow(s, log_pi, 30.0, lambda p: 1.0)
        one = flow_at(theory.several_questions.mean_rates(s), log_pi, 30.0)
        np.testing.assert_allclose(end, one, atol=1e-8)
        pi = np.exp(log_pi)
        np.testing.assert_allclose(
            theory.several_questions.question_accuracies(s, log_pi), s @ pi
        )
        end = flow_at(theory.several_questions.mean_rates(s), log_pi, 1e5)
        np.testing.assert_allclose(
            theory.several_questions.trained_accuracies(s, log_pi), s @ end, atol=1e-3
        )


def test_the_gradient_of_pass_at_one_is_symbolically_that_of_the_mean():
    theta, rates = sp.symbols("t:3", real=True), sp.symbols("s:6", positive=True)
    weights = [sp.exp(t) for t in theta]
    pi = [w / sum(weights) for w in weights]
    p = [sum(pi[k] * rates[3 * q + k] for k in range(3)) for q in range(2)]
    mean = [(rates[k] + rates[3 + k]) / 2 for k in range(3)]
    bar = sum(pi[k] * mean[k] for k in range(3))
    for k in range(3):
        gradient = sp.diff(sum(p) / 2, theta[k])
        assert sp.simplify(gradient - pi[k] * (mean[k] - bar)) == 0


def test_pass_at_n_counts_a_question_once_any_attempt_succeeds(rng):
    s, log_pi = random_case(rng)
    p = theory.several_questions.question_accuracies(s, log_pi)
    patterns = rng.choice(4, p=np.exp(log_pi), size=(60_000, 3, 5))
    right = rng.random(patterns.shape) < s[np.arange(3)[:, None], patterns]
    for n in (1, 2, 5):
        solved = right[:, :, :n].any(axis=-1).mean(axis=-1)
        error = solved.std() / np.sqrt(len(solved))
        assert abs(solved.mean() - theory.several_questions.pass_at(p, n)) < 4.5 * error
    np.testing.assert_allclose(
        theory.several_questions.pass_at(p, [1.0, 0.0]), [p.mean(), 0.0]
    )
    assert theory.several_questions.pass_at([1.0, 1e-20], 3) == 0.5


def test_the_printed_instance_crosses_between_one_and_two_attempts():
    s, policy = theory.several_questions.crossover_instance()
    before = theory.several_questions.question_accuracies(s, np.log(policy))
    after = theory.several_questions.trained_accuracies(s, np.log(policy))
    np.testing.assert_allclose(after, [0.9, 0.0])
    np.testing.assert_allclose(
        [
            theory.several_questions.pass_at(before, 1),
            theory.several_questions.pass_at(after, 1),
        ],
        [0.375, 0.45],
    )
    assert theory.several_questions.pass_at(
        after, 2
    ) < theory.several_questions.pass_at(before, 2)
    n = theory.several_questions.crossing_n(before, after)
    assert 1 < n < 2
    np.testing.assert_allclose(
        theory.several_questions.pass_at(before, n),
        theory.several_questions.pass_at(after, n),
    )
    bound = theory.several_questions.crossover_bound(before, after)
    np.testing.assert_allclose(bound, np.log(2) / -np.log(0.85), rtol=1e-12)


def ends(rng, lanes, Q, K=3):
    s = rng.uniform(size=(lanes, Q, K)) ** 2
    log_pi = log_softmax(rng.normal(size=(lanes, K)), axis=-1)
    return theory.several_questions.question_accuracies(
        s, log_pi
    ), theory.several_questions.trained_accuracies(s, log_pi)


@pytest.mark.parametrize("Q", [2, 5])
def test_beyond_the_bound_the_trained_model_is_below_the_base_model(rng, Q):
    before, after = ends(rng, 20_000, Q)
    bound = theory.several_questions.crossover_bound(before, after)
    worse = np.isfinite(bound)
    assert 0.2 < worse.mean() < 0.95
    assert np.all(worse == (after.min(axis=1) < before.min(axis=1)))
    before, after, bound = before[worse], after[worse], bound[worse]
    for factor in (1 + 1e-9, 1.3, 10.0):
        assert np.all(
            theory.several_questions.pass_change(before, after, factor * bound) < 0
        )
    # Well below the bound some are still above.
    assert np.any(theory.several_questions.pass_change(before, after, 0.5 * bound) > 0)


def test_the_bound_is_sharp_when_one_question_is_lost_and_the_others_solved():
    # D(n) = Q b^n - e^n exactly: all questions equal before, all but one perfect after.
    before, after = np.full(4, 0.2), np.array([0.1, 1.0, 1.0, 1.0])
    bound = theory.several_questions.crossover_bound(before, after)
    assert theory.several_questions.pass_change(before, after, bound * (1 - 1e-9)) > 0
    assert theory.several_questions.pass_change(before, after, bound * (1 + 1e-9)) < 0
    np.testing.assert_allclose(
        theory.several_questions.crossing_n(before, after), bound, rtol=1e-12
    )


def test_where_the_worst_question_improved_many_attempts_favour_training(rng):
    before, after = ends(rng, 5000, 4)
    better = after.min(axis=1) > before.min(axis=1)
    assert better.sum() > 100
    # The same bound with the roles exchanged.
    turn = theory.several_questions.crossover_bound(after, before)[better]
    changes = theory.several_questions.pass_change(
        before[better], after[better], 1.001 * turn
    )
    assert np.all(changes > 0)
    assert np.all(
        np.isinf(theory.several_questions.crossover_bound(before, after)[better])
    )


def test_two_questions_cross_once_and_any_number_as_often_as_signs_allow(rng):
    before, after = ends(rng, 20_000, 2)
    falls = np.isfinite(theory.several_questions.crossover_bound(before, after))
    rose = after.mean(axis=1) > before.mean(axis=1) + 1e-12
    one = theory.several_questions.has_one_crossing(before, after)
    np.testing.assert_array_equal(one, falls & rose)

    before, after = ends(rng, 3000, 5)
    changes = theory.several_questions.sign_changes(before, after)
    assert changes.max() > 2
    n = np.geomspace(1e-3, 1e5, 400)[:, None]
    signs = np.sign(theory.several_questions.pass_change(before, after, n))
    crossings = np.sum(signs[1:] * signs[:-1] < 0, axis=0)
    assert np.all(crossings <= changes - 1)
    one = theory.several_questions.has_one_crossing(before, after)
    where = theory.several_questions.crossing_n(before, after)
    assert np.all(np.isnan(where[~one])) and one.sum() > 200
    assert np.all(
        where[one] <= theory.several_questions.crossover_bound(before, after)[one]
    )
    side = np.sign(np.where(one, where, 1.0) - n)[:, one]
    clear = (n >= 1) & (np.abs(np.log(n / where[one])) > 1e-9)
    assert np.all((signs[:, one] == side)[clear])


def test_no_crossing_is_reported_if_pass_at_one_fell_already():
    before, after = np.array([0.5, 0.4]), np.array([0.55, 0.05])
    assert (
        theory.several_questions.sign_changes(before, after) == 2
    )  # they cross below n = 1
    assert not theory.several_questions.has_one_crossing(before, after)
    assert np.isnan(theory.several_questions.crossing_n(before, after))


def test_questions_that_are_always_solved_leave_the_single_crossing(rng):
    before = rng.uniform(0.05, 0.9, size=(20_000, 4))
    after = rng.uniform(0.01, 0.95, size=(20_000, 4))
    after = np.where(rng.uniform(size=after.shape) < 0.4, 1.0, after)
    one = theory.several_questions.has_one_crossing(before, after) & (after == 1).any(
        axis=1
    )
    assert one.sum() > 2000
    failed, left = 1 - before[one], 1 - after[one]
    n = np.geomspace(1, 1e4, 300)[:, None, None]
    worst = left.max(axis=1, keepdims=True)
    change = np.sum((failed / worst) ** n - (left / worst) ** n, axis=-1)
    signs = np.sign(change)
    assert np.all(signs[0] > 0) and np.all(signs[-1] < 0)
    assert np.all(np.sum(signs[1:] != signs[:-1], axis=0) == 1)


def test_sign_changes_are_those_of_the_merged_and_ordered_terms(rng):
    # Failures in quarters: ties are exact. The reference merges with fractions.
    for _ in range(300):
        b, e = rng.integers(0, 5, size=(2, 4))
        coefficients = {Fraction(k, 4): 0 for k in range(5)}
        for x, sign in [*((x, 1) for x in b), *((x, -1) for x in e)]:
            coefficients[Fraction(int(x), 4)] += sign
        kept = [c for _, c in sorted(coefficients.items()) if c]
        wanted = sum(x * y < 0 for x, y in zip(kept, kept[1:], strict=False))
        assert theory.several_questions.sign_changes(1 - b / 4, 1 - e / 4) == wanted


@pytest.mark.parametrize("size", [4, 5, 8, 32, 257, np.inf])
def test_one_instance_loses_pass_at_one_under_grpo_with_any_groups(size):
    s, policy = theory.several_questions.grpo_instance()
    mean = theory.several_questions.mean_rates(s)
    assert mean[0] < mean[1]
    for mass in (1e-6, 0.1, 0.5, 0.9, 1 - 1e-6):
        velocity = theory.several_questions.grpo_velocity(
            s, np.log([mass, 1 - mass]), size
        )
        assert velocity[0] > 0 > velocity[1]
    start, h = policy @ mean, binomial_factor(size)
    end = shared_flow(s, np.log(policy), 1e5 if size == 4 else 2e4, h) @ mean
    assert end < start - 1e-4
    np.testing.assert_allclose([start, mean[0]], [0.260125, 0.26])
    assert shared_flow(s, np.log(policy), 2000.0, lambda p: 1.0) @ mean > start


def test_groups_of_two_and_three_never_lose_pass_at_one(rng):
    s = rng.uniform(size=(20_000, 3, 2)) ** 2
    log_pi = log_softmax(rng.normal(size=(20_000, 2)), axis=-1)
    pi, mean = np.exp(log_pi), s.mean(axis=1)

    def change(size):
        velocity = theory.several_questions.grpo_velocity(s, log_pi, size)
        drift = np.sum(pi * velocity, axis=-1, keepdims=True)
        return np.sum(mean * pi * (velocity - drift), axis=-1)

    for size in (2, 3):
        np.testing.assert_array_less(-1e-16, change(size))
    for size in (4, 8, np.inf):
        assert np.sum(change(size) < -1e-9) > 10


def test_grpo_climbs_its_potential():
    # A plain derivative of mean_q 2 arcsin sqrt(p_q), for infinite groups.
    s, _ = theory.several_questions.grpo_instance()
    for mass in (0.1, 0.5, 0.9):
        log_pi = np.log([mass, 1 - mass])
        velocity = theory.several_questions.grpo_velocity(s, log_pi)
        step = 1e-5 * np.array([1.0, -1.0])
        up, down = (
            np.mean(2 * np.arcsin(np.sqrt(s @ np.exp(log_softmax(log_pi + h)))))
            for h in (step, -step)
        )
        np.testing.assert_allclose(
            velocity[0] - velocity[1], (up - down) / 2e-5, rtol=1e-5
        )


def binomial_factor(size):
    """h of GRPO, as a sum over the number of correct answers."""
    if size == np.inf:
        return grpo
    q = np.arange(size + 1) / size
    spread = np.sqrt(q * (1 - q))
    return lambda p: binom.pmf(size * q, size, p) @ spread / (p * (1 - p))


def test_grpo_velocities_agree_with_the_mean_over_questions(rng):
    s, log_pi = random_case(rng)
    pi = np.exp(log_pi)
    wanted = np.mean([grpo(pi @ q) * pi * (q - pi @ q) for q in s], axis=0)
    np.testing.assert_allclose(
        theory.several_questions.grpo_velocity(s, log_pi), wanted, rtol=1e-12
    )
    h = binomial_factor(5)
    wanted = np.mean([h(pi @ q) * pi * (q - pi @ q) for q in s], axis=0)
    np.testing.assert_allclose(
        theory.several_questions.grpo_velocity(s, log_pi, 5), wanted, rtol=1e-11
    )
    s[1] = 0.0  # never solved: no spread, no gradient
    wanted = np.mean(
        [
            grpo(pi @ s[0]) * pi * (s[0] - pi @ s[0]),
            0 * pi,
            grpo(pi @ s[2]) * pi * (s[2] - pi @ s[2]),
        ],
        axis=0,
    )
    np.testing.assert_allclose(
        theory.several_questions.grpo_velocity(s, log_pi), wanted, rtol=1e-12
    )


def test_patterns_without_mass_change_nothing_and_bad_shapes_are_refused(rng):
    s, log_pi = random_case(rng)
    masked = np.insert(s, 2, 1.0, axis=1), np.insert(log_pi, 2, -np.inf)
    for function in (
        theory.several_questions.question_accuracies,
        theory.several_questions.trained_accuracies,
    ):
        np.testing.assert_allclose(function(*masked), function(s, log_pi))
    velocity = theory.several_questions.grpo_velocity(*masked)
    np.testing.assert_allclose(
        np.delete(velocity, 2), theory.several_questions.grpo_velocity(s, log_pi)
    )
    for wrong in (s[0], s[:, :3], s + 1):
        with pytest.raises(ValueError, match="questions"):
            theory.several_questions.question_accuracies(wrong, log_pi)

"""Self-sharpening: the closed form against the stepped flow, signs against symbols."""

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp
from scipy.special import log_softmax

import theory


def random_case(rng, K=4, A=3):
    return rng.dirichlet(np.ones(A), size=K), log_softmax(rng.normal(size=K))


def entropy(P):
    return -np.sum(P * np.log(P), axis=-1)


def flow(P, log_pi, times, natural):
    """Log-probabilities `[T, K]` by stepping the logits, written out once more."""

    def field(t, theta):
        log_p = log_softmax(theta)
        p = np.exp(log_p)
        paid = log_p - entropy(P)
        return paid if natural else p * (paid - p @ paid)

    run = solve_ivp(field, (0, times[-1]), log_pi, t_eval=times, rtol=1e-11, atol=1e-12)
    return log_softmax(run.y.T, axis=-1)


def test_the_closed_form_is_the_natural_gradient_flow(rng):
    times = np.array([0.0, 0.3, 1.1, 2.4])
    for _ in range(4):
        P, log_pi = random_case(rng)
        np.testing.assert_allclose(
            theory.self_sharpening.sharpened_policy(P, log_pi, times),
            flow(P, log_pi, times, natural=True),
            atol=1e-8,
        )


def test_equal_entropies_mean_sampling_at_a_lower_temperature(rng):
    row = np.array([0.2, 0.5, 0.3])
    P = np.stack([rng.permutation(row) for _ in range(4)])
    log_pi = log_softmax(rng.normal(size=4))
    np.testing.assert_allclose(
        theory.self_sharpening.sharpened_policy(P, log_pi, np.log(3.0)),
        log_softmax(3.0 * log_pi),
        rtol=1e-12,
    )


def test_the_winner_is_neither_the_likeliest_nor_the_most_certain():
    P = np.array([[0.5, 0.5], [0.85, 0.15], [0.99, 0.01]])
    log_pi = np.log([0.5, 0.4, 0.1])
    assert theory.self_sharpening.sharpening_winner(P, log_pi) == 1
    end = np.exp(theory.self_sharpening.sharpened_policy(P, log_pi, [6.0, 800.0]))
    np.testing.assert_allclose(end, [[0, 1, 0]] * 2, atol=1e-8)
    np.testing.assert_allclose(
        theory.self_sharpening.sharpening_limit_accuracy(P, log_pi), 0.85
    )


def tied(rng, tie, K=3):
    """A case with unequal entropies whose scores satisfy `tie` to the last bit."""
    for _ in range(2000):
        P = rng.dirichlet([1, 1], size=K)
        log_pi = entropy(P) + tie
        log_pi -= np.log(np.exp(log_pi).sum())
        score = np.sort(theory.self_sharpening.sharpening_score(P, log_pi))[::-1]
        gaps = np.sort(-np.array(tie)) - np.min(-np.array(tie)) > 0
        if np.all((score < score[0]) == gaps) and len(set(score)) == len(set(tie)):
            yield P, log_pi


def test_tied_winners_share_in_proportion_to_exp_of_their_entropies(rng):
    cases = tied(rng, [0.0, 0.0, -1.0])
    for P, log_pi in (next(cases) for _ in range(3)):
        share = np.exp(entropy(P)[:2]) / np.exp(entropy(P)[:2]).sum()
        end = np.exp(theory.self_sharpening.sharpened_policy(P, log_pi, 9.0))
        np.testing.assert_allclose(end, [*share, 0], atol=1e-12)
        np.testing.assert_allclose(
            theory.self_sharpening.sharpening_limit_accuracy(P, log_pi),
            share @ P[:2, 0],
            rtol=1e-12,
        )
        assert (
            theory.self_sharpening.sharpening_winner(P, log_pi)
            == theory.intrinsic_time.UNRESOLVED
        )
        assert theory.self_sharpening.late_trend(P, log_pi) == 0


def test_the_slope_of_accuracy_is_the_printed_bracket():
    y, n = sp.symbols("y", positive=True), 3
    mu, d, h = (sp.symbols(f"{name}:{n}", real=True) for name in ("mu", "d", "h"))
    u = [sp.exp(-y * mu[k] + h[k]) for k in range(n)]
    accuracy = sum(u[k] * d[k] for k in range(n)) / (1 + sum(u))
    bracket = sum(mu[k] * u[k] * d[k] for k in range(n)) + sum(
        u[j] * u[k] * (mu[k] - mu[j]) * (d[k] - d[j])
        for k in range(n)
        for j in range(k)
    )
    slope = y * sp.diff(accuracy, y)  # d/dt = y d/dy with y = e^t
    assert sp.simplify(slope * (1 + sum(u)) ** 2 + y * bracket) == 0


def test_the_trend_is_the_sign_of_the_slope_at_any_time(rng):
    P = rng.dirichlet(np.ones(3), size=(5000, 4))
    log_pi = log_softmax(rng.normal(size=(5000, 4)), axis=-1)
    time = rng.uniform(0, 1.5, size=5000)
    accuracy = [
        np.sum(
            np.exp(theory.self_sharpening.sharpened_policy(P, log_pi, t)) * P[..., 0],
            axis=-1,
        )
        for t in (time - 1e-5, time + 1e-5)
    ]
    slope = (accuracy[1] - accuracy[0]) / 2e-5
    clear = np.abs(slope) > 1e-7
    trend = theory.self_sharpening.accuracy_trend(P, log_pi, time)
    np.testing.assert_array_equal(trend[clear], np.sign(slope)[clear])
    assert clear.mean() > 0.9 and set(trend[clear]) == {-1, 1}


def test_the_final_trend_is_decided_by_the_runner_up(rng):
    P = rng.dirichlet(np.ones(3), size=(4000, 4))
    log_pi = log_softmax(rng.normal(size=(4000, 4)), axis=-1)
    trend = theory.self_sharpening.late_trend(P, log_pi)
    assert set(trend) == {-1, 1}
    # Independent of the module: winner and runner-up by sorting.
    order = np.argsort(log_pi - entropy(P), axis=-1)
    s = np.take_along_axis(P[..., 0], order, axis=-1)
    np.testing.assert_array_equal(trend, np.sign(s[:, -1] - s[:, -2]))
    for time in (1.0, 2.0, 4.0):
        final = theory.self_sharpening.trend_is_final(P, log_pi, time)
        for later in (0.0, 0.1, 0.5, 3.0, 900.0):
            now = theory.self_sharpening.accuracy_trend(P, log_pi, time + later)
            assert np.all(now[final] == trend[final])
            assert np.all(
                theory.self_sharpening.trend_is_final(P, log_pi, time + later)[final]
            )
    assert final.mean() > 0.85
    # Some models first move the other way.
    assert np.any(theory.self_sharpening.accuracy_trend(P, log_pi, 0.0) != trend)


def test_tied_runners_up_are_weighed_by_exp_of_their_entropies(rng):
    cases, decided = tied(rng, [0.0, -1.0, -1.0]), 0
    for P, log_pi in (next(cases) for _ in range(100)):
        weights = np.exp(entropy(P)[1:])
        d = P[1:, 0] - P[0, 0]
        assert theory.self_sharpening.late_trend(P, log_pi) == -np.sign(weights @ d)
        decided += np.sign(d.sum()) != np.sign(weights @ d)
        if theory.self_sharpening.trend_is_final(P, log_pi, 2.0):
            path = np.exp(
                theory.self_sharpening.sharpened_policy(P, log_pi, [2.0, 2.1, 2.2])
            )
            trend = np.sign(np.diff(path[:, 1:] @ d / path[:, 0]))
            assert np.all(trend == theory.self_sharpening.late_trend(P, log_pi))
    assert decided > 0  # the entropies mattered


def test_policy_gradient_keeps_the_order_that_is_predicted(rng):
    times, reversed_pairs = np.array([0.0, 1.0, 5.0, 25.0, 100.0]), 0
    for trial in range(12):
        P, log_pi = random_case(rng)
        if trial % 2:
            P[1] = P[0][::-1]
        path = flow(P, log_pi, times, natural=False)
        kept = theory.self_sharpening.keeps_order(P, log_pi)
        ahead = np.all(path[:, :, None] >= path[:, None, :] - 1e-9, axis=0)
        assert np.all(ahead[kept])
        assert not trial % 2 or kept[0, 1] | kept[1, 0]
        start = log_pi[:, None] > log_pi[None, :]
        reversed_pairs += np.sum(start & ~ahead)
    assert reversed_pairs > 0  # without the condition on H the order may turn


def test_the_ratio_may_shrink_though_the_order_is_kept():
    P, policy = theory.self_sharpening.shrinking_ratio()
    path = flow(P, np.log(policy), np.array([0.0, 0.5, 1.0]), natural=False)
    lead = path[:, 0] - path[:, 1]
    assert np.all(np.diff(lead) < -1e-3) and np.all(lead > 0)
    assert theory.self_sharpening.keeps_order(P, np.log(policy))[0, 1]


def test_with_equal_entropies_every_lead_of_the_mode_grows_and_it_wins(rng):
    row = np.array([0.15, 0.6, 0.25])
    for _ in range(4):
        P = np.stack([rng.permutation(row) for _ in range(4)])
        log_pi = log_softmax(rng.normal(size=4))
        assert theory.self_sharpening.flat_with_a_mode(P, log_pi)
        mode = log_pi.argmax()
        path = flow(P, log_pi, np.linspace(0, 60, 30), natural=False)
        leads = path[:, [mode]] - np.delete(path, mode, axis=1)
        assert np.all(np.diff(leads, axis=0) > 0)
        assert leads[-1].min() > leads[0].min() + 1


def winners(P, log_pi):
    """Who has all the mass in the end, by natural and by policy gradient."""
    ends = (
        flow(P, log_pi, np.array([0.0, time]), natural)[-1]
        for natural, time in ((True, 9.0), (False, 400.0))
    )
    return [int(end.argmax()) if end.max() > np.log(0.99) else None for end in ends]


def test_two_flows_have_one_winner_for_two_patterns_but_not_for_three(rng):
    P, policy = theory.self_sharpening.different_winners()
    assert theory.self_sharpening.sharpening_winner(P, np.log(policy)) == 0
    assert winners(P, np.log(policy)) == [0, 1]
    for _ in range(4):
        P, log_pi = random_case(rng, K=2)
        assert (
            winners(P, log_pi)
            == [theory.self_sharpening.sharpening_winner(P, log_pi)] * 2
        )


def test_patterns_without_mass_change_nothing(rng):
    P, log_pi = random_case(rng)
    masked = np.insert(P, 1, [1, 0, 0], axis=0), np.insert(log_pi, 1, -np.inf)
    np.testing.assert_allclose(
        np.delete(theory.self_sharpening.sharpened_policy(*masked, 0.7), 1),
        theory.self_sharpening.sharpened_policy(P, log_pi, 0.7),
    )
    for function in (
        theory.self_sharpening.late_trend,
        theory.self_sharpening.sharpening_limit_accuracy,
    ):
        np.testing.assert_allclose(function(*masked), function(P, log_pi))
    for function in (
        theory.self_sharpening.accuracy_trend,
        theory.self_sharpening.trend_is_final,
    ):
        assert function(*masked, 0.7) == function(P, log_pi, 0.7)
    assert not theory.self_sharpening.keeps_order(*masked)[1].any()


@pytest.mark.parametrize("time", [0.0, 3.0])
def test_a_single_pattern_has_no_trend(time):
    P, log_pi = np.array([[0.6, 0.4], [0.3, 0.7]]), np.array([0.0, -np.inf])
    assert theory.self_sharpening.late_trend(P, log_pi) == 0
    assert theory.self_sharpening.accuracy_trend(P, log_pi, time) == 0
    assert not theory.self_sharpening.trend_is_final(P, log_pi, time)

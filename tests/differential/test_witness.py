"""The witness itself, against closed forms of the theory."""

import numpy as np
import pytest

import theory
from tests.differential import events, witness
from tests.differential.equations import Law, Pay, Question, Rule

RATES = np.array([0.9, 0.6, 0.1])
BASE = np.log([0.05, 0.70, 0.25])
KERNEL = np.array([[0.9, 0.05, 0.05], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])


def law(rates=RATES, base=BASE, rule=None, **weights):
    kernel = KERNEL if len(rates) == 3 else np.stack([rates, 1 - rates], axis=-1)
    pay = Pay(weights or {"verifiable": 1.0})
    return Law(Question(rates, base, base, kernel), pay, rule or Rule())


def never(log_t, log_pi):
    return False


def test_two_patterns_follow_sinh_x_plus_x():
    x0, lead = 7.0, 0.37
    two = law(np.array([0.8, 0.8 - lead]), -np.log1p(np.exp([x0, -x0])))
    path = witness.follow(two, 12.0, never, stiff=False)
    x = path.log_pi[:, 0] - path.log_pi[:, 1]
    passed = x + np.sinh(x) + x0 + np.sinh(x0)
    np.testing.assert_allclose(np.log(passed[1:] / lead), path.log_t[1:], atol=1e-8)


def test_hand_overs_are_those_of_the_hull(rng):
    for _ in range(20):
        rates, logits = rng.uniform(size=4), 2 * rng.normal(size=4)
        base = logits - np.log(np.exp(logits).sum())
        one = law(rates, base)
        path = witness.follow(one, 40.0, never, stiff=False)
        leaders = [np.argmax(log_pi) for log_pi in path.log_pi]
        changes = [k for i, k in enumerate(leaders) if i == 0 or k != leaders[i - 1]]
        hull = theory.hull.dominance_hull(rates, base)
        assert changes == [k for k in hull.vertices if k >= 0]


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_the_natural_gradient_is_the_replicator(beta):
    one = law(rule=Rule(natural=True, beta=beta))
    path = witness.follow(one, np.log(7.0), never, stiff=beta > 0)
    for t in (0.1, 1.0, 6.0):
        counted = t if beta == 0 else -np.expm1(-beta * t) / beta
        right = BASE + RATES * counted
        right = right - np.log(np.exp(right).sum())
        np.testing.assert_allclose(path.policy(np.log(t)), right, atol=1e-8)


@pytest.mark.parametrize("natural", [False, True])
def test_a_penalty_ends_at_its_optimum(natural):
    one = law(rule=Rule(natural=natural, beta=0.1))
    path = witness.follow(one, 60.0, never, stiff=True)
    right = BASE + RATES / 0.1
    right = right - np.log(np.exp(right).sum())
    assert path.over
    np.testing.assert_allclose(path.log_pi[-1], right, atol=1e-7)


def test_rest_inside_the_simplex_has_no_advantage():
    one = law(rule=Rule(natural=True), verifiable=1.0, sequence=-0.3)
    path = witness.follow(one, 60.0, never, stiff=True)
    entropies = -np.sum(KERNEL * np.log(KERNEL), axis=-1)
    # rho_k = s_k - 0.3 (log pi_k - H_k) is the same for all.
    right = KERNEL[:, 0] / 0.3 + entropies
    right = right - np.log(np.exp(right).sum())
    np.testing.assert_allclose(path.log_pi[-1], right, atol=1e-7)


def test_a_flip_of_the_majority_is_followed():
    kernel = np.array([[0.45, 0.55, 0.0], [0.42, 0.20, 0.38]])
    base = np.log([0.05, 0.95])
    one = Law(
        Question(kernel[:, 0], base, base, kernel), Pay({"majority": 1.0}), Rule()
    )
    path = witness.follow(one, 12.0, never, stiff=False)
    # P_pi(0) = P_pi(1) where 0.42 + 0.03 x = 0.20 + 0.35 x.
    x = 0.22 / 0.32
    modes = one.mode(path.log_pi)
    assert modes[0] == 0 and modes[-1] == 1 and (np.diff(modes) >= 0).all()
    before = path.log_pi[np.argmax(modes) - 1, 0]
    after = path.log_pi[np.argmax(modes), 0]
    assert before <= np.log(x) + 1e-9 and after >= np.log(x) - 1e-9
    assert path.log_pi[-1, 0] > -1e-3


def test_a_change_that_is_undone_within_a_step_is_seen():
    """One value of log pi_3 is passed between two looks; the margin is 1e-6."""
    path = witness.follow(law(), 9.0, never, stiff=False)
    i = int(np.argmax(np.abs(np.diff(path.log_pi[:-9, 2]))))
    target = np.array([0.3, 0.7]) @ path.log_pi[i : i + 2, 2]

    def value(log_pi):
        return 1e-6 - np.abs(log_pi[..., 2] - target)

    assert (value(path.log_pi) < -1e-4).all()
    low, high = witness.first_rises(path, value, 1e-7)
    assert path.log_t[i] < low <= high < path.log_t[i + 1]
    np.testing.assert_allclose(path.policy(low)[2], target, atol=2e-6)


def test_leaders_that_come_and_go():
    rates, base = np.array([0.4, 0.5, 0.8]), np.log([0.4, 0.39, 0.21])
    path = witness.follow(law(rates, base), 20.0, never, stiff=False)
    for pattern, right in ((1, 0.638832), (2, 7.13357)):
        found = witness.first_rises(path, events.leads(path.law, pattern), 1e-7)
        np.testing.assert_allclose(np.exp(found), right, rtol=1e-5)


def test_the_reported_moments():
    path = witness.follow(law(), 9.0, never, stiff=False)
    for value, right in (
        (events.t0(path.law), 42.683163),
        (events.crossing(path.law), 91.857068),
    ):
        found = witness.first_rises(path, value, 1e-9)
        np.testing.assert_allclose(np.exp(found), right, rtol=1e-7)
    optimal = events.log_optimal(path.law)
    lowest = witness.largest(path, lambda log_pi: -optimal(log_pi), 9.0)
    np.testing.assert_allclose(np.exp(-lowest), 0.0433989190, rtol=1e-7)

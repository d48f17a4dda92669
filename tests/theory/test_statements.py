import ast
from pathlib import Path

import numpy as np
import pytest

import theory
from tests.oracles import hitting_times


def test_theory_never_imports_the_simulator():
    for path in Path(theory.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not any(n.split(".")[0] in ("simulator", "jax") for n in names)


def test_every_statement_has_a_proof_and_claims():
    assert list(theory.STATEMENTS) == ["A1", "A2", "A3", "A4"]
    for statement in theory.STATEMENTS.values():
        assert statement.proof and statement.claims and statement.source


def test_optimum_beats_neighbours_by_beta_times_kl(rng):
    rewards, reference = rng.uniform(size=5), np.log(rng.dirichlet(np.ones(5)))
    best = theory.optimal_policy(rewards, reference, 0.3)
    top = theory.objective(rewards, best, reference, 0.3)
    for _ in range(5):
        other = np.log(rng.dirichlet(np.ones(5)))
        lost = top - theory.objective(rewards, other, reference, 0.3)
        np.testing.assert_allclose(lost, 0.3 * theory.kl_divergence(other, best))


@pytest.mark.parametrize("seed", range(4))
def test_transition_times_agree_with_dop853(seed):
    rng = np.random.default_rng(seed)
    rates = np.array([0.9, 0.6, 0.3, 0.1]) + 0.08 * rng.uniform(size=4)
    logits = np.array([-2.0, 2.0, 0.5, 0.0]) + 0.3 * rng.normal(size=4)
    log_policy = logits - np.log(np.exp(logits).sum())
    t0, cross = hitting_times(
        rates,
        logits,
        [lambda pi: pi @ rates - rates[1], lambda pi: pi[0] - pi[1:].max()],
        1e6,
    )
    for event, wanted in (("t0", t0), ("crossing", cross)):
        law = theory.transition_bounds(rates, log_policy, event=event)
        np.testing.assert_allclose(law.exact, wanted, rtol=1e-8)
        assert law.lower <= wanted <= law.upper


def test_the_reported_case_and_the_counterexample():
    rates, policy = theory.reported_case()
    assert theory.in_regime_2(rates, np.log(policy))
    np.testing.assert_allclose(theory.gamma(rates, np.log(policy)), 6)
    for event, wanted in (("t0", 42.683163), ("crossing", 91.857068)):
        law = theory.transition_bounds(rates, np.log(policy), event=event)
        np.testing.assert_allclose(law.exact, wanted, rtol=2e-8)
    rates, policy = theory.counterexample([1e-2, 1e-3, 1e-4])
    exact = theory.transition_bounds(rates, np.log(policy)).exact
    np.testing.assert_allclose(exact, [285, 3025, 30422], rtol=2e-3)


def test_regime_1_bounds_hold_the_exact_time(rng):
    rates = np.array([0.9, 0.5, 0.2])
    log_policy = np.log([0.7, 0.2, 0.1])
    assert theory.in_regime_1(rates, log_policy)
    for eps in (1e-1, 1e-3):
        (time,) = hitting_times(
            rates, log_policy, [lambda pi, e=eps: e - pi @ (0.9 - rates)], 1e5
        )
        np.testing.assert_allclose(
            theory.gap_time(rates, log_policy, eps), time, rtol=1e-7
        )
        assert theory.gap_time_lower(rates, log_policy, eps) < time
        assert time < theory.gap_time_upper(rates, log_policy, eps)


@pytest.mark.parametrize("c", [0.0, 0.3])
def test_degradation_probabilities_against_draws(c):
    rng = np.random.default_rng(11)
    K, draws = 200, 20_000
    s = theory.sample(rng, (draws, K), c)
    R = theory.confidence(s)
    rise = ((R - R.mean(1, keepdims=True)) * (s - s.mean(1, keepdims=True))).sum(1) > 0
    worst = R.argmax(1) == s.argmin(1)
    for measured, predicted, bias in (
        (rise, theory.initial_rise_probability(K, c, theory.UNCONDITIONED), 0.01),
        (worst, theory.winner_is_worst_probability(K, c, theory.UNCONDITIONED), 0.0),
    ):
        error = np.sqrt(0.25 / draws)
        assert abs(measured.mean() - predicted) < 4 * error + bias
    if c == 0:
        inside = s.mean(1) > 0.5
        limit = 0.5 + np.arcsin(0.52721) / np.pi
        assert abs(rise[inside].mean() - limit) < 4 * np.sqrt(0.25 / inside.sum())

"""The search breaks what is false, and its formulas are those of `theory`."""

import dataclasses
import json

import numpy as np
import pytest

import theory
from experiments import cli
from experiments.search import adversary
from experiments.search.adversary import search
from experiments.search.precise import Precise
from experiments.search.recheck import recheck
from experiments.search.targets import TARGETS, Quantities, two_sided

RESTARTS, STEPS = 4, 30


def found(target, steps=STEPS):
    return search(target, np.random.default_rng(1), RESTARTS, steps)


def verdict(target, instance):
    rates, log_policy, gap, _ = instance
    return recheck(target, rates, log_policy, gap).verdict


def planted(claim, margin):
    return dataclasses.replace(TARGETS[claim], margin=margin)


PLANTED = {
    "I in place of 2 I": planted("B4.law", lambda q: two_sided(q, factor=1)),
    "1 in place of 2": planted(
        "B3.lower", lambda q: [q.log(q.level * (1 / q.gap + q.integrals["time"]))]
    ),
    "gamma alone": TARGETS["A3.gamma-alone"],
    "1 in place of 1 + 1/n": planted(
        "B3.upper", lambda q: [q.log(q.integrals["squared"]) - q.log(q.closed)]
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_false_claims_are_refuted(name):
    target = PLANTED[name]
    assert verdict(target, found(target).tightest) == "refuted"


@pytest.mark.parametrize("claim", ["A2.upper", "A3.law", "B3.rate", "B4.crossing"])
def test_true_claims_stand_and_both_arithmetics_agree(claim):
    target = TARGETS[claim]
    result = found(target)
    assert result.evaluations > RESTARTS * STEPS
    for rates, log_policy, gap, margin in (result.tightest, result.loosest):
        precise = recheck(target, rates, log_policy, gap)
        assert precise.verdict in ("holds", "attained")
        assert precise.error < 1e-40
        np.testing.assert_allclose(margin, float(precise.margin), rtol=1e-7, atol=1e-9)
    assert result.tightest.margin < result.loosest.margin


def test_steps_lead_somewhere():
    first, last = (found(TARGETS["A3.degree"], steps) for steps in (1, STEPS))
    assert last.tightest.margin < 0.2 * first.tightest.margin
    assert last.loosest.margin > 1.2 * first.loosest.margin


@pytest.fixture(scope="module")
def instance():
    """A function of the base policy: quantities made up, and the problem."""
    rates = np.array([0.8, 0.55, 0.3, 0.2])
    names = ("time", "product", "undecided", "squared", "off")
    integrals = dict(zip(names, (90.0, 70.0, 12.0, 31.0, 4.0), strict=True))

    def quantities(policy):
        log_policy = np.log(policy)
        return Quantities(
            n=3,
            leader=int(np.argmax(policy)),
            rival=1,
            rates=rates,
            probs=policy,
            level=0.01,
            integrals=integrals,
            log=np.log,
            positive=lambda x: max(x, 0.0),
        ), (rates, log_policy)

    return quantities


LEADING, DELAYED = np.array([[0.9, 0.06, 0.03, 0.01], [0.1, 0.6, 0.2, 0.1]])
BEST_LEADS = np.array([0.4, 0.3, 0.1, 0.2])  # and the rival is above average


def test_formulas_are_those_of_theory(instance):
    q, problem = instance(LEADING)
    time = q.integrals["time"]
    wanted = {
        "A2.upper": theory.monotone_regime.gap_time_upper(*problem, 0.01) / time,
        "A2.lower": time / theory.monotone_regime.gap_time_lower(*problem, 0.01),
        "B3.lower": 0.01 / theory.tail.gap_lower(*problem, time),
    }
    # gap <= bound, written for the inverse gaps less that of the base model.
    bound = theory.tail.gap_upper(*problem, q.integrals["squared"])
    start = theory.support.gap(*problem)
    wanted["B3.upper"] = (1 / 0.01 - 1 / start) / (1 / bound - 1 / start)
    rate = theory.tail_bounds.gap_rate_bounds(*problem, time, q.integrals["off"], 0.0)
    late = (1 / 0.01 - 1 / start) - (1 / rate.upper - 1 / start)
    wanted["B3.rate"] = 1 + late * theory.tail.tail_limit(*problem) / time
    for claim, ratio in wanted.items():
        (margin,) = TARGETS[claim].margin(q)
        np.testing.assert_allclose(margin, np.log(ratio), rtol=1e-12, err_msg=claim)


def test_formulas_of_delays_are_those_of_theory(instance):
    q, problem = instance(DELAYED)
    (margin,) = TARGETS["A3.degree"].margin(q)
    bound = theory.entanglement.degree_bound(*problem).product
    np.testing.assert_allclose(margin, np.log(bound / q.integrals["product"]))
    for policy in (DELAYED, BEST_LEADS):
        q, problem = instance(policy)
        np.testing.assert_allclose(q.gamma, theory.entanglement.gamma(*problem))
    lower, upper = two_sided(q)
    np.testing.assert_allclose([lower, upper], np.log([90 / 82, 94 / 90]))


def test_integrals_of_50_digits_are_those_of_theory():
    rates, policy = np.array([0.8, 0.55, 0.3]), np.array([0.02, 0.68, 0.3])
    flow = Precise(rates, np.log(policy))
    path = theory.intrinsic_time.intrinsic_path(rates, np.log(policy))
    clock = theory.clock.time_of(path, theory.intrinsic_time.crossing_event(path))
    measured = flow.integrals(flow.crossing())
    wanted = clock.time, clock.product, clock.reciprocal
    for name, value in zip(("time", "product", "undecided"), wanted, strict=True):
        np.testing.assert_allclose(float(measured[name]), value, rtol=1e-11)


def test_the_contract_as_json(capsys):
    words = "falsify B3.lower --restarts 4 --steps 3 --json -"
    assert cli.main(words.split()) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert report["id"] == "B3.lower" and report["verdict"] == "holds"
    for end in ("tightest", "loosest"):
        assert float(report[end]["margin_50_digits"]) > 0
        np.testing.assert_allclose(sum(report[end]["policy"]), 1)


def test_a_refuted_proof_and_a_missing_counterexample_fail(monkeypatch, capsys):
    monkeypatch.setitem(TARGETS, "B4.law", PLANTED["I in place of 2 I"])
    assert cli.main("falsify B4.law --restarts 4 --steps 20".split()) == 1
    assert "not as claimed: B4.law" in capsys.readouterr().err
    true = dataclasses.replace(TARGETS["B3.lower"], claim="A3.gamma-alone")
    monkeypatch.setitem(TARGETS, "A3.gamma-alone", true)
    assert cli.main("falsify A3.gamma-alone --restarts 4 --steps 2".split()) == 1
    assert "A3.gamma-alone" in capsys.readouterr().err


def test_a_search_that_settles_nothing_says_so(monkeypatch, capsys):
    target = dataclasses.replace(TARGETS["B3.lower"], hypotheses=never)
    starts = adversary._starts(np.random.default_rng(1), TARGETS["B3.lower"], 8)
    monkeypatch.setattr(adversary, "_starts", lambda rng, target, number: starts)
    monkeypatch.setitem(TARGETS, "B3.lower", target)
    assert cli.main("falsify B3.lower --restarts 4 --steps 2".split()) == 0
    assert "unsettled" in capsys.readouterr().out


def test_slopes_are_finite_where_patterns_tie_for_the_lead():
    # The first three logits are equal: the first piece of the path has no length.
    odds, logits = [8.0, 1.1, -1.1, -1.1, 0.0], [7.0, 7.0, 7.0, 5.0, 0.0]
    x = np.tile([*odds, *logits, 2.5], (2 * RESTARTS, 1))
    inside = np.tile([True, True, True, True, False], (2 * RESTARTS, 1))
    for kind in ("time", "undecided"):
        number = adversary.KINDS.index(kind)
        log, slope, _ = adversary._measure(x, inside, number, 0)
        assert np.isfinite(log).all() and np.isfinite(slope).all()
        # Along one coordinate, against the difference quotient.
        h = 1e-6 * np.eye(x.shape[1])[0]
        ahead, behind = (
            adversary._measure(y, inside, number, 0)[0] for y in (x + h, x - h)
        )
        np.testing.assert_allclose(
            slope[:, 0], (ahead - behind) / 2e-6, rtol=1e-3, atol=1e-7
        )


def never(rates, log_policy):
    return np.zeros(len(rates), bool)

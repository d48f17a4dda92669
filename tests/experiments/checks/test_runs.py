"""A check runs the signal and the update that it names."""

import numpy as np
import pytest

import simulator as sim
from experiments.checks import runs
from experiments.checks.per_lane_rules import Menu

RATES = np.array([[0.9, 0.6, 0.1]] * 2)
LOG_POLICY = np.log([[0.05, 0.7, 0.25]] * 2)


@pytest.mark.parametrize("method", ["exact", "flow"])
def test_nothing_said_is_verifiable_reward_and_the_policy_gradient(monkeypatch, method):
    asked = []
    solve = getattr(sim, method)

    def look(problem, signal, update, **options):
        asked.append((signal, update))
        return solve(problem, signal, update, **options)

    monkeypatch.setattr(sim, method, look)
    found = runs.run(RATES, LOG_POLICY, level=[1e-2, 1e-3], method=method)
    ((signal, update),) = asked
    assert type(signal) is sim.Verifiable
    if method == "flow":
        rules = {type(update.rules[choice]) for choice in np.asarray(update.choice)}
        assert rules == {sim.PolicyGradient}
    else:
        assert type(update) is sim.PolicyGradient
    assert found.reached.all()


def test_a_rule_of_a_menu_runs_as_it_does_alone():
    problem = sim.Problem(RATES, logits=LOG_POLICY)
    options = {"until": sim.Gap(1e-2)}
    both = sim.flow(problem, sim.Verifiable(), Menu(runs.FLOW_RULES, [0, 1]), **options)
    for lane, rule in enumerate(runs.FLOW_RULES):
        alone = sim.flow(problem, sim.Verifiable(), rule, **options)
        np.testing.assert_allclose(both.log_time[lane], alone.log_time[lane], 1e-12)
    assert abs(both.log_time[0] - both.log_time[1]) > 0.1


@pytest.mark.parametrize(
    "rule, said", [(sim.NaturalGradient(), "another path"), (sim.GRPO(1), "at least 2")]
)
def test_a_menu_refuses_rules_that_do_not_fit(rule, said):
    problem = sim.Problem(RATES, logits=LOG_POLICY)
    with pytest.raises(ValueError, match=said):
        sim.exact(problem, sim.Verifiable(), Menu([sim.GRPO(8), rule], [0, 1]))

"""Populations and phases name, in one line, the argument that they cannot take."""

import jax
import numpy as np
import pytest

import simulator as sim
from simulator import rollouts as ro

ONE = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.70, 0.25])
TWO = sim.Problem([[0.9, 0.6, 0.1], [0.2, 0.5, 0.7]], np.full((2, 3), 1 / 3))
SHARED = sim.Population(TWO, ro.Shared())
RLVR = sim.Verifiable()
PAIR = np.full((2, 2), 0.5)


def follow(signal=RLVR, update=None, population=SHARED, **options):
    return sim.solve_population(population, signal, update, **options)


def choices(signal, questions=2):
    problem = sim.Problem(np.full((questions, 2), 0.5), np.full((questions, 2), 0.5))
    return follow(signal, population=sim.Population(problem))


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: sim.Population(ONE), "one question"),
        (lambda: sim.Population(None), "problem"),
        (
            lambda: sim.Population(sim.Problem(np.ones((0, 2, 2)), np.ones((0, 2, 2)))),
            "empty",
        ),
        (lambda: SHARED.at(3), "`solution` is 3"),
        (
            lambda: SHARED.at(sim.solve(TWO, RLVR, max_log_time=1.0)),
            "give one of `solve_population`",
        ),
        (lambda: sim.Population(TWO, RLVR), "policy"),
        (lambda: sim.Population(TWO, parameters=[0.0]), "has shape .1,.*6"),
        (lambda: sim.Population(TWO, ro.Shared(), parameters=[np.nan] * 3), "NaN"),
        (lambda: sim.Population(TWO, ro.Clusters([0, 1, 1])), "3 questions.*are 2"),
        (lambda: sim.Population(TWO, ro.Clusters([0, -1])), "negative"),
        (lambda: ro.Clusters([0, 0.5]), "whole number"),
        (lambda: sim.Population(TWO, ro.Features(np.ones((3, 4)))), "3 questions"),
        (lambda: sim.Population(TWO, ro.Features([[np.inf], [1.0]])), "infinity"),
        (
            lambda: sim.Population(
                TWO, ro.TrainedFeatures(np.eye(2), np.ones((3, 4)), np.ones((5, 2)))
            ),
            "shapes.*need",
        ),
        (lambda: sim.Population(TWO, ro.LatentDepth([1.0])), "1 questions.*2"),
        (lambda: sim.Population(TWO, ro.Weighted(None, [1, 1])), "policy"),
        (lambda: sim.Population(TWO, ro.Weighted(ro.Shared(), [1])), "1 questions"),
        (lambda: follow(None), "signal"),
        (lambda: follow(sim.SelfCertainty()), "answer kernel"),
        (lambda: follow(sim.FixedConfidence(np.ones((5, 3)))), r"confidence.*\(2,\)"),
        (lambda: follow(update=sim.PolicyGradient([0.1] * 3)), "beta.*per question"),
        (lambda: follow(update=sim.NaturalGradient()), "PerQuestion"),
        (lambda: follow(until=sim.T0()), "`T0` has no meaning for several questions"),
        (
            lambda: follow(events=[sim.LowestOptimalProbability()]),
            "no meaning for several questions.*of_question",
        ),
        (lambda: follow(events=sim.T0()), "list of events"),
        (lambda: follow(until=sim.Accuracy([0.4, 0.5])), "same for all.*one number"),
        (
            lambda: follow(until=sim.of_question(sim.Accuracy([0.4, 0.5]), 0)),
            "same for all",
        ),
        (lambda: sim.of_question(sim.T0(), [0, 1]), "one whole number"),
        (lambda: sim.of_question(sim.of_question(sim.T0(), 0), 1), "of one problem"),
        (
            lambda: sim.solve(ONE, RLVR, until=sim.of_question(sim.Accuracy(0.6), 0)),
            "looks at a population",
        ),
        (
            lambda: sim.solve(TWO, RLVR, until=sim.of_question(sim.Accuracy(0.6), 0)),
            "looks at a population",
        ),
        (lambda: follow(until=sim.of_question(sim.T0(), 2)), "`question` is 2"),
        (lambda: sim.of_question(RLVR, 0), "event"),
        (lambda: sim.of_question(sim.T0(), 0.5), "question"),
        (lambda: follow(max_log_time=np.nan), "max_log_time"),
        (lambda: follow(save_log_times=[1.0, 0.0]), "save_log_times"),
        (lambda: choices(sim.Chain([[1, 1, 1]])), "3 columns.*2 levels"),
        (lambda: sim.Chain([[1, 2]]), "0 and 1"),
        (lambda: sim.Chain(np.ones((2, 1, 2))), "0 and 1"),
        (lambda: choices(sim.Chain([[1, 1]], np.ones((2, 1)))), "1 tasks"),
        (lambda: ro.LatentDepth([1, 2], -0.5).check(TWO), "0 or positive"),
        (lambda: jax.jit(ro.Clusters)(np.array([0, 1])), "cluster.*outside of jit"),
        (lambda: choices(sim.Chain([[1, 1]], [0.5, 0.5])), "1 tasks"),
        (lambda: choices(sim.Chain([[1, 1]], clock=sim.PolicyGradient())), "clock"),
        (lambda: choices(sim.SuccessTable(np.ones((2, 3)))), r"need \(2, 2\)"),
        (lambda: choices(sim.TrainedAnswers(), 4), "answer_layer"),
        (lambda: choices(sim.CountBonus(None, 1.0)), "signal"),
        (
            lambda: follow(sim.CountBonus(RLVR, 1.0), sim.GRPO(8)),
            "`GRPO` runs by .*use `PolicyGradient`",
        ),
        (lambda: sim.answer_layer(TWO, [0.1, 0.2, 0.3]), "one per problem"),
        (lambda: sim.answer_layer(ONE, np.inf), "weights"),
        (lambda: sim.filtered(sim.Problem([0.0, 0.0], [0.5, 0.5])), "never|ever"),
        (lambda: sim.filtered(None), "problem"),
        (lambda: sim.train_in_phases(None, []), "start"),
        (lambda: sim.train_in_phases(ONE, [RLVR]), "phases"),
        (lambda: sim.train_in_phases(ONE, [sim.Phase(RLVR)]), "no end"),
        (
            lambda: sim.train_in_phases(ONE, [sim.Phase(RLVR, duration=-1.0)]),
            "duration",
        ),
        (
            lambda: sim.train_in_phases(
                ONE, [sim.Phase(RLVR, duration=1.0, policy=ro.Shared())]
            ),
            "policy",
        ),
        (
            lambda: sim.train_in_phases(
                ONE, [sim.Phase(RLVR, duration=-np.inf, until=sim.T0())]
            ),
            "duration",
        ),
        (
            lambda: sim.train_in_phases(
                ONE, [sim.Phase(RLVR, duration=np.nan, until=sim.T0())]
            ),
            "duration",
        ),
        (
            lambda: sim.train_in_phases(ONE, [sim.Phase(3, duration=1.0)]),
            "`signal` is 3",
        ),
        (
            lambda: sim.train_in_phases(ONE, [sim.Phase(sim.Verifiable, duration=1.0)]),
            "class Verifiable",
        ),
        (
            lambda: sim.train_in_phases(
                ONE, [sim.Phase(RLVR, duration=1.0)], until=sim.T0()
            ),
            "belongs to a phase",
        ),
    ],
)
def test_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()

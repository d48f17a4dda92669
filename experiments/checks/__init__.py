"""Confront each claim of `theory` with `simulator`, on random problems.

A check returns a margin per problem: positive where the claim holds with room to spare,
0 at the limit, negative where it fails. What the number measures is said in `measures`.
Lanes that the simulator or the prediction could not settle are counted as unresolved.

Limits are checked as rates: how fast what is left falls over tens of decades of time.
"""

from experiments.checks import (
    degradation,
    degradation_law,
    degradation_odds,
    delay,
    entanglement,
    feedback_classes,
    gradient_gap,
    group_clocks,
    hull,
    integrability,
    lock_in,
    majority_vote,
    monotone_regime,
    optimum,
    replicator,
    self_sharpening,
    several_questions,
    tail,
)
from experiments.checks.degradation import initial_rise
from experiments.checks.result import Check, CheckResult, Job, by_claim

CHECKS: dict[str, Check] = {
    "A1": optimum.check,
    "A2": monotone_regime.check,
    "A3": entanglement.check,
    "A4": degradation.check,
    "B1": integrability.check,
    "B2": hull.check,
    "B3": tail.check,
    "B4": delay.check,
    "B5": degradation_law.check,
    "B6": group_clocks.check,
    "B7": replicator.check,
    "C1": feedback_classes.check,
    "C2": self_sharpening.check,
    "C3": majority_vote.check,
    "C4": degradation_odds.check,
    "C5": several_questions.check,
    "C6": lock_in.check,
    "C7": gradient_gap.check,
}

__all__ = ["CHECKS", "Check", "CheckResult", "Job", "by_claim", "initial_rise"]

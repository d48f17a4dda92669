"""Training as it is done: groups of sampled rollouts, estimators, optimizers.

`train(problem, recipe)` runs any number of questions, seeds and recipes at once;
`expected_step` enumerates all groups and gives the exact mean of one step.
"""

from simulator.rollouts.estimators import (
    GRPO,
    RLOO,
    AbstractEstimator,
    Delight,
    GroupMean,
    PassAtNAdvantage,
    PassAtNReward,
    Reinforce,
)
from simulator.rollouts.expectation import all_counts, expected_step
from simulator.rollouts.feedback import (
    AbstractFeedback,
    AnswerEntropy,
    MajorityVote,
    Mixture,
    SelfCertainty,
    SelfConsistency,
    SequenceLogProbability,
    Verifier,
)
from simulator.rollouts.groups import Group, Results, results
from simulator.rollouts.judges import AbstractJudge, OwnGroup, Teacher
from simulator.rollouts.penalties import (
    AbstractPenalty,
    EntropyBonus,
    KLLoss1,
    KLLoss3,
    KLReward,
)
from simulator.rollouts.policies import AbstractPolicy, Linear, PerQuestion, Shared
from simulator.rollouts.recipe import Optimizer, Recipe
from simulator.rollouts.surrogates import (
    AbstractSurrogate,
    Clipped,
    NaturalGradient,
    NormalisedGradient,
    PolicyGradient,
)
from simulator.rollouts.train import Run, seed_keys, train

__all__ = [
    "AbstractEstimator",
    "AbstractFeedback",
    "AbstractJudge",
    "AbstractPenalty",
    "AbstractPolicy",
    "AbstractSurrogate",
    "AnswerEntropy",
    "Clipped",
    "Delight",
    "EntropyBonus",
    "GRPO",
    "Group",
    "GroupMean",
    "KLLoss1",
    "KLLoss3",
    "KLReward",
    "Linear",
    "MajorityVote",
    "Mixture",
    "NaturalGradient",
    "NormalisedGradient",
    "Optimizer",
    "OwnGroup",
    "PassAtNAdvantage",
    "PassAtNReward",
    "PerQuestion",
    "PolicyGradient",
    "RLOO",
    "Recipe",
    "Reinforce",
    "Results",
    "Run",
    "SelfCertainty",
    "SelfConsistency",
    "SequenceLogProbability",
    "Shared",
    "Teacher",
    "Verifier",
    "all_counts",
    "expected_step",
    "results",
    "seed_keys",
    "train",
]

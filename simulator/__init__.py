"""Dynamics of RL post-training as selection among reasoning patterns.

`Problem -> signal, update -> engine -> Solution -> observables`.
"""

from simulator.dynamics import Dynamics
from simulator.ensembles import block_shape, map_lanes
from simulator.events import (
    T0,
    AbstractEvent,
    Accuracy,
    BelowBase,
    Crossing,
    Gap,
    Leads,
    LowestOptimalProbability,
    OptimalProbability,
    PeakAccuracy,
    Point,
    SuboptimalMass,
)
from simulator.exact import closed_form, exact
from simulator.flow import flow
from simulator.observables import (
    accuracy,
    best_patterns,
    best_value,
    entropy,
    kl,
    log_gap,
    log_optimal_probability,
    pass_at_n,
    probs,
)
from simulator.plateaus import Plateau, plateaus
from simulator.problem import Problem, two_answer_kernel
from simulator.signals import (
    AbstractFixedSignal,
    AbstractSignal,
    AnswerEntropy,
    Demonstrations,
    FixedConfidence,
    MajorityVote,
    Mixture,
    NoisyVerifier,
    SelfCertainty,
    SelfConsistency,
    SequenceLogProbability,
    TokenEntropy,
    Verifiable,
)
from simulator.solution import (
    OUTCOME_NAMES,
    Outcome,
    Solution,
    outcome_codes,
    outcome_names,
)
from simulator.solve import solve
from simulator.training import Training, train
from simulator.updates import (
    GRPO,
    AbstractClock,
    AbstractUpdate,
    GroupMean,
    NaturalGradient,
    PassAtN,
    PolicyGradient,
    RejectionSampling,
)

__all__ = [
    "GRPO",
    "OUTCOME_NAMES",
    "AbstractClock",
    "T0",
    "AbstractEvent",
    "AbstractFixedSignal",
    "AbstractSignal",
    "AbstractUpdate",
    "Accuracy",
    "AnswerEntropy",
    "BelowBase",
    "Crossing",
    "Demonstrations",
    "Dynamics",
    "FixedConfidence",
    "Gap",
    "GroupMean",
    "Leads",
    "LowestOptimalProbability",
    "MajorityVote",
    "Mixture",
    "NaturalGradient",
    "NoisyVerifier",
    "OptimalProbability",
    "Outcome",
    "PassAtN",
    "PeakAccuracy",
    "Plateau",
    "Point",
    "PolicyGradient",
    "Problem",
    "RejectionSampling",
    "SelfCertainty",
    "SelfConsistency",
    "SequenceLogProbability",
    "Solution",
    "SuboptimalMass",
    "TokenEntropy",
    "Training",
    "Verifiable",
    "accuracy",
    "best_patterns",
    "best_value",
    "block_shape",
    "closed_form",
    "entropy",
    "exact",
    "flow",
    "kl",
    "log_gap",
    "log_optimal_probability",
    "map_lanes",
    "outcome_codes",
    "outcome_names",
    "pass_at_n",
    "plateaus",
    "probs",
    "solve",
    "train",
    "two_answer_kernel",
]

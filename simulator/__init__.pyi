from .dynamics import Dynamics as Dynamics, Point as Point
from .engines.ensembles import block_shape as block_shape, map_lanes as map_lanes
from .events import (
    T0 as T0,
    Accuracy as Accuracy,
    BelowBase as BelowBase,
    Crossing as Crossing,
    Gap as Gap,
    Leads as Leads,
    LowestOptimalProbability as LowestOptimalProbability,
    OptimalProbability as OptimalProbability,
    PeakAccuracy as PeakAccuracy,
    SuboptimalMass as SuboptimalMass,
)
from .leaders import Plateau as Plateau, plateaus as plateaus
from .mixture import Mixture as Mixture
from .observables import (
    accuracy as accuracy,
    best_patterns as best_patterns,
    best_value as best_value,
    entropy as entropy,
    kl as kl,
    log_accuracy as log_accuracy,
    log_gap as log_gap,
    log_optimal_probability as log_optimal_probability,
    log_probabilities as log_probabilities,
    pass_at_n as pass_at_n,
    probs as probs,
)
from .problem import Problem as Problem, two_answer_kernel as two_answer_kernel
from .recording import (
    AbstractEvent as AbstractEvent,
    AbstractExtreme as AbstractExtreme,
    AbstractFirst as AbstractFirst,
    AbstractLast as AbstractLast,
)
from .signals import (
    AbstractFixedSignal as AbstractFixedSignal,
    AbstractSignal as AbstractSignal,
    AnswerEntropy as AnswerEntropy,
    Demonstrations as Demonstrations,
    FixedConfidence as FixedConfidence,
    MajorityVote as MajorityVote,
    NoisyVerifier as NoisyVerifier,
    SelfCertainty as SelfCertainty,
    SelfConsistency as SelfConsistency,
    SequenceLogProbability as SequenceLogProbability,
    TokenEntropy as TokenEntropy,
    Verifiable as Verifiable,
)
from .solution import (
    OUTCOME_NAMES as OUTCOME_NAMES,
    Outcome as Outcome,
    Solution as Solution,
    outcome_codes as outcome_codes,
    outcome_names as outcome_names,
)
from .solving import (
    closed_form as closed_form,
    exact as exact,
    flow as flow,
    solve as solve,
)
from .training import Training as Training, train as train
from .updates import (
    GRPO as GRPO,
    AbstractClock as AbstractClock,
    AbstractUpdate as AbstractUpdate,
    GroupMean as GroupMean,
    NaturalGradient as NaturalGradient,
    PassAtN as PassAtN,
    PolicyGradient as PolicyGradient,
    RejectionSampling as RejectionSampling,
)

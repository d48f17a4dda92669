from .estimators import (
    GRPO as GRPO,
    RLOO as RLOO,
    AbstractEstimator as AbstractEstimator,
    Delight as Delight,
    GroupMean as GroupMean,
    PassAtNAdvantage as PassAtNAdvantage,
    PassAtNReward as PassAtNReward,
    Reinforce as Reinforce,
)
from .expectation import all_counts as all_counts, expected_step as expected_step
from .feedback import (
    AbstractFeedback as AbstractFeedback,
    AnswerEntropy as AnswerEntropy,
    MajorityVote as MajorityVote,
    Mixture as Mixture,
    SelfCertainty as SelfCertainty,
    SelfConsistency as SelfConsistency,
    SequenceLogProbability as SequenceLogProbability,
    Verifier as Verifier,
)
from .groups import Group as Group, Results as Results, results as results
from .judges import (
    AbstractJudge as AbstractJudge,
    OwnGroup as OwnGroup,
    Teacher as Teacher,
)
from .optimizers import Optimizer as Optimizer
from .penalties import (
    AbstractPenalty as AbstractPenalty,
    EntropyBonus as EntropyBonus,
    KLLoss1 as KLLoss1,
    KLLoss3 as KLLoss3,
    KLReward as KLReward,
)
from .policies import (
    AbstractPolicy as AbstractPolicy,
    Linear as Linear,
    PerQuestion as PerQuestion,
    Shared as Shared,
)
from .recipe import Recipe as Recipe
from .step import Tally as Tally
from .surrogates import (
    AbstractSurrogate as AbstractSurrogate,
    Clipped as Clipped,
    NaturalGradient as NaturalGradient,
    NormalisedGradient as NormalisedGradient,
    PolicyGradient as PolicyGradient,
)
from .train import Run as Run, seed_keys as seed_keys, train as train

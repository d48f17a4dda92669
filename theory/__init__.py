"""Independent predictions: the statements, their hypotheses, their closed forms.

Nothing here integrates an equation of motion, and nothing is shared with the package
that does: the two can be confronted. Arrays have any leading batch axes `...` and the
`K` patterns on the last axis; `log_policy` holds normalised log-probabilities, -inf for
a pattern outside the support.
"""

from theory.answers import answer_probabilities, row_entropy
from theory.clock import Clock, time_of
from theory.degradation import (
    EVERY_ABOVE_HALF,
    MEAN_ABOVE_HALF,
    READINGS,
    UNCONDITIONED,
    central_density,
    confidence,
    covariance_moments,
    initial_rise_probability,
    limit_accuracy,
    sample,
    winner_is_worst_probability,
)
from theory.degradation import STATEMENT as _A4
from theory.entanglement import (
    COUNTEREXAMPLE,
    NO_RIVAL,
    DegreeBound,
    TransitionBounds,
    counterexample,
    degree_bound,
    gamma,
    has_one_edge,
    has_t0,
    in_regime_2,
    reported_case,
    reported_form,
    rival,
    transition_bounds,
)
from theory.entanglement import STATEMENT as _A3
from theory.feedback_classes import (
    FEEDBACK,
    Feedback,
    answer_entropy,
    detached_velocity,
    expected_feedback,
    majority,
    majority_vote,
    self_certainty,
    self_consistency,
    sequence_log_probability,
    through_velocity,
    token_entropy,
    trap_margin,
)
from theory.feedback_classes import STATEMENT as _C1
from theory.hull import PADDING, Hull, dominance_hull
from theory.intrinsic_time import (
    UNRESOLVED,
    Event,
    Path,
    crossing_event,
    event_at_slope,
    find_event,
    intrinsic_path,
    log_probs_at,
)
from theory.monotone_regime import STATEMENT as _A2
from theory.monotone_regime import (
    gap_time,
    gap_time_lower,
    gap_time_upper,
    in_regime_1,
    mass_time_lower,
    mass_time_upper,
)
from theory.optimum import STATEMENT as _A1
from theory.optimum import (
    kl_divergence,
    limit_distance_bound,
    limit_policy,
    objective,
    optimal_policy,
    total_variation,
)
from theory.self_sharpening import STATEMENT as _C2
from theory.self_sharpening import (
    accuracy_trend,
    different_winners,
    flat_with_a_mode,
    keeps_order,
    late_trend,
    sharpened_policy,
    sharpening_limit_accuracy,
    sharpening_score,
    sharpening_winner,
    shrinking_ratio,
    trend_is_final,
)
from theory.statement import Claim, Statement
from theory.support import accuracy_excess, gap
from theory.tail import STATEMENT as _B3
from theory.tail import (
    gap_lower,
    gap_upper,
    gap_upper_survivors,
    has_losers,
    in_monotone_region,
    loser_exponent,
    loser_mass,
    tail_expansion,
    tail_limit,
    tail_variables,
)
from theory.tail_bounds import (
    Bracket,
    TailBounds,
    in_tail,
    survivors,
    tail_bounds,
    tail_bracket,
    unevenness,
)

STATEMENTS: dict[str, Statement] = {
    s.id: s for s in (_A1, _A2, _A3, _A4, _B3, _C1, _C2)
}

__all__ = [
    "COUNTEREXAMPLE",
    "EVERY_ABOVE_HALF",
    "FEEDBACK",
    "MEAN_ABOVE_HALF",
    "NO_RIVAL",
    "PADDING",
    "READINGS",
    "STATEMENTS",
    "UNCONDITIONED",
    "UNRESOLVED",
    "Bracket",
    "Claim",
    "Clock",
    "DegreeBound",
    "Event",
    "Feedback",
    "Hull",
    "Path",
    "Statement",
    "TailBounds",
    "TransitionBounds",
    "accuracy_excess",
    "accuracy_trend",
    "answer_entropy",
    "answer_probabilities",
    "central_density",
    "confidence",
    "counterexample",
    "covariance_moments",
    "crossing_event",
    "degree_bound",
    "detached_velocity",
    "different_winners",
    "dominance_hull",
    "event_at_slope",
    "expected_feedback",
    "find_event",
    "flat_with_a_mode",
    "gamma",
    "gap",
    "gap_lower",
    "gap_time",
    "gap_time_lower",
    "gap_time_upper",
    "gap_upper",
    "gap_upper_survivors",
    "has_losers",
    "has_one_edge",
    "has_t0",
    "in_monotone_region",
    "in_regime_1",
    "in_regime_2",
    "in_tail",
    "initial_rise_probability",
    "intrinsic_path",
    "keeps_order",
    "kl_divergence",
    "late_trend",
    "limit_accuracy",
    "limit_distance_bound",
    "limit_policy",
    "log_probs_at",
    "loser_exponent",
    "loser_mass",
    "majority",
    "majority_vote",
    "mass_time_lower",
    "mass_time_upper",
    "objective",
    "optimal_policy",
    "reported_case",
    "reported_form",
    "rival",
    "row_entropy",
    "sample",
    "self_certainty",
    "self_consistency",
    "sequence_log_probability",
    "sharpened_policy",
    "sharpening_limit_accuracy",
    "sharpening_score",
    "sharpening_winner",
    "shrinking_ratio",
    "survivors",
    "tail_bounds",
    "tail_bracket",
    "tail_expansion",
    "tail_limit",
    "tail_variables",
    "through_velocity",
    "time_of",
    "token_entropy",
    "total_variation",
    "transition_bounds",
    "trap_margin",
    "trend_is_final",
    "unevenness",
    "winner_is_worst_probability",
]

"""Independent predictions: the statements, their hypotheses, their closed forms.

Nothing here integrates an equation of motion, and nothing is shared with the package
that does: the two can be confronted. Arrays have any leading batch axes `...` and the
`K` patterns on the last axis; `log_policy` holds normalised log-probabilities, -inf for
a pattern outside the support.
"""

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
from theory.statement import Claim, Statement
from theory.support import accuracy_excess, gap

STATEMENTS: dict[str, Statement] = {s.id: s for s in (_A1, _A2, _A3, _A4)}

__all__ = [
    "COUNTEREXAMPLE",
    "EVERY_ABOVE_HALF",
    "MEAN_ABOVE_HALF",
    "NO_RIVAL",
    "PADDING",
    "READINGS",
    "STATEMENTS",
    "UNCONDITIONED",
    "UNRESOLVED",
    "Claim",
    "Clock",
    "DegreeBound",
    "Event",
    "Hull",
    "Path",
    "Statement",
    "TransitionBounds",
    "accuracy_excess",
    "central_density",
    "confidence",
    "counterexample",
    "covariance_moments",
    "crossing_event",
    "degree_bound",
    "dominance_hull",
    "event_at_slope",
    "find_event",
    "gamma",
    "gap",
    "gap_time",
    "gap_time_lower",
    "gap_time_upper",
    "has_one_edge",
    "has_t0",
    "in_regime_1",
    "in_regime_2",
    "initial_rise_probability",
    "intrinsic_path",
    "kl_divergence",
    "limit_accuracy",
    "limit_distance_bound",
    "limit_policy",
    "log_probs_at",
    "mass_time_lower",
    "mass_time_upper",
    "objective",
    "optimal_policy",
    "reported_case",
    "reported_form",
    "rival",
    "sample",
    "time_of",
    "total_variation",
    "transition_bounds",
    "winner_is_worst_probability",
]

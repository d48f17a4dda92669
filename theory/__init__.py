"""Independent predictions: the statements, their hypotheses, their closed forms.

One module per statement or tool. A statement is a module with a `STATEMENT`; list the
module below and it is in `STATEMENTS`, and `verify` checks it by the module of the same
name in `experiments/checks`.

Nothing here integrates the equation of motion (`theory.lock_in` integrates a limit of
it), and nothing is shared with the package that does: the two can be confronted. Arrays
have any leading batch axes `...` and the `K` patterns on the last axis; `log_policy`
holds normalised log-probabilities, -inf for a pattern outside the support. NumPy and
SciPy only.
"""

from types import ModuleType

from theory import (
    answers,
    clock,
    collapse,
    degradation,
    degradation_law,
    degradation_odds,
    delay,
    dip,
    entanglement,
    feedback_classes,
    gradient_gap,
    group_clocks,
    hull,
    integrability,
    intrinsic_time,
    lock_in,
    majority_vote,
    monotone_regime,
    optimum,
    replicator,
    rise_then_worst,
    self_sharpening,
    several_questions,
    statement,
    support,
    survivors,
    symbols,
    tail,
    tail_bounds,
    unit_interval,
)
from theory.statement import Statement


def _by_id(modules: list[ModuleType]) -> dict[str, ModuleType]:
    """The modules that hold a statement, in the order of ids.

    Raises `ValueError` for two statements of one id.
    """
    found: dict[str, ModuleType] = {}
    for module in modules:
        if not hasattr(module, "STATEMENT"):
            continue
        id = module.STATEMENT.id
        if id in found:
            raise ValueError(
                f"{found[id].__name__} and {module.__name__} both hold {id}; give each "
                "statement an id of its own."
            )
        found[id] = module
    return dict(sorted(found.items()))


MODULES: dict[str, ModuleType] = _by_id(
    [value for value in globals().copy().values() if isinstance(value, ModuleType)]
)
STATEMENTS: dict[str, Statement] = {id: m.STATEMENT for id, m in MODULES.items()}

__all__ = [
    "MODULES",
    "STATEMENTS",
    "answers",
    "clock",
    "collapse",
    "degradation",
    "degradation_law",
    "degradation_odds",
    "delay",
    "dip",
    "entanglement",
    "feedback_classes",
    "gradient_gap",
    "group_clocks",
    "hull",
    "integrability",
    "intrinsic_time",
    "lock_in",
    "majority_vote",
    "monotone_regime",
    "optimum",
    "replicator",
    "rise_then_worst",
    "self_sharpening",
    "several_questions",
    "statement",
    "support",
    "survivors",
    "symbols",
    "tail",
    "tail_bounds",
    "unit_interval",
]

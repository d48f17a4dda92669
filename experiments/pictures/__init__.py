"""The pictures: one module each, `compute(rng, quick, progress)` and `draw(data)`.

`compute` returns named arrays; they are saved, and `draw` sees nothing else. One
picture is made of the report of `verify` instead: it has `collect(reports)`.
What a picture says in numbers, its `summary(data)`, `reproduce` prints.
"""

COMPUTED = (
    "optimum",
    "monotone_regime",
    "entanglement",
    "transition_time",
    "phase_diagram",
    "degradation",
    "hull",
    "tail",
    "delay",
    "degradation_law",
    "group_clocks",
    "fluctuations",
    "collapse",
    "extinction",
    "random_rewards",
    "several_questions",
    "verifier_noise",
    "majority_vote",
)
FROM_REPORT = "tightness"
NAMES = (*COMPUTED, FROM_REPORT)

"""The pictures: one module each, `compute(rng, quick, progress)` and `draw(data)`.

`compute` returns named arrays; they are saved, and `draw` sees nothing else. One
picture is made of the report of `verify` instead: it has `collect(reports)`.
What a picture says in numbers, its `summary(data)`, `reproduce` prints.
"""

COMPUTED = (
    "optimum",
    "regime_1",
    "entanglement",
    "transition_time",
    "phase_diagram",
    "rlif",
    "hull",
    "universal_tail",
    "delay_law",
    "degradation_law",
    "clocks",
    "fluctuations",
    "step_size",
    "extinction",
    "random_rewards",
    "pass_at_n_crossing",
    "verifier_noise",
    "votes",
)
FROM_REPORT = "tightness"
NAMES = (*COMPUTED, FROM_REPORT)

"""The theorem plots: one module each, `compute(rng, quick, progress)` and `draw(data)`.

`compute` returns named arrays; they are saved, and `draw` sees nothing else.
"""

NAMES = (
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
)

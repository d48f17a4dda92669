"""C4: chances over random success rates, against shares of many draws."""

import numpy as np

import theory
from experiments.checks.degradation import (
    NORMAL,
    STANDARD_ERRORS,
    draw_cell,
    number_of_draws,
    share_margin,
)
from experiments.checks.result import CheckResult, Job, scored

CELLS = ((30, 0.0), (30, 0.5), (100, 0.3), (300, -0.5), (1000, 0.0), (1000, 0.3))
# Given the mean, at c = 0, the share is off its limit by 0.44/K (measured, K = 10, 30).
GIVEN = 0.5
# A tilt that vanishes, slower than 1/sqrt(K): 2 K^(-1/4), up to 1.
TOGETHER = (100, 1000)


def _density(c):
    return lambda s: 1 + c * (2 * s - 1)


def _distribution(c):
    return lambda s: (1 - c) * s + c * s**2


def _result(name, measures, margins, cells, number) -> CheckResult:
    return scored(
        name,
        measures,
        margins,
        allowance=0.0,
        note=f"cells of {number:,} draws",
        K=np.array([K for K, _ in cells]),
        c=np.array([c for _, c in cells]),
    )


def check(job: Job) -> list[CheckResult]:
    """Seven claims in one set of cells."""
    if not job.first:
        return []
    number = number_of_draws(job)
    draws = {cell: draw_cell(job, *cell, number) for cell in CELLS}
    within = f"1 - |share - predicted| / ({STANDARD_ERRORS:g} standard errors"
    bound, clt, exact, limit, jointly, mean = [], [], [], [], [], []
    for (K, c), found in draws.items():
        rise, worst = found["rise"].mean(), found["worst"].mean()
        moments = theory.degradation_odds.family_moments(c)
        least = float(theory.degradation_odds.sign_probability_bound(K, moments))
        sign = rise if c >= 0 else 1 - rise
        spread = STANDARD_ERRORS * np.sqrt(max(least * (1 - least), 1e-12) / number)
        bound.append(sign - least + spread)
        predicted = float(
            theory.degradation.initial_rise_probability(
                K, c, theory.degradation.UNCONDITIONED
            )
        )
        clt.append(share_margin(rise, predicted, number, NORMAL / np.sqrt(K)))
        chance = theory.degradation_odds.worst_wins_probability(
            K, _density(c), _distribution(c)
        )
        exact.append(share_margin(worst, chance, number))
        end = float(theory.degradation_odds.worst_wins_limit(1 - c, 1 + c))
        limit.append(share_margin(worst, end, number, 2 * abs(c) / K))
        both = (found["rise"] & found["worst"]).mean()
        expected = float(theory.rise_then_worst.rise_and_worst_probability(K, c))
        jointly.append(share_margin(both, expected, number, 0.02))
        if c == 0:
            above = found["mean"] > 0.5
            given = found["rise"][above].mean()
            chance = float(
                theory.degradation.initial_rise_probability(
                    K, 0.0, theory.degradation.MEAN_ABOVE_HALF
                )
            )
            mean.append(share_margin(given, chance, above.sum(), GIVEN / K))
    flat = [cell for cell in CELLS if cell[1] == 0]
    return [
        _result(
            "C4.sign-bound",
            f"share with the sign - bound + {STANDARD_ERRORS:g} standard errors",
            bound,
            CELLS,
            number,
        ),
        _result(
            "C4.sign-clt", within + " + 0.1/sqrt(K)), per cell", clt, CELLS, number
        ),
        _result("C4.worst-wins", within + "), per cell", exact, CELLS, number),
        _result(
            "C4.worst-wins-limit", within + " + 2c/K), per cell", limit, CELLS, number
        ),
        _together(job, number),
        _result("C4.jointly", within + " + 0.02), per cell", jointly, CELLS, number),
        _result(
            "C4.mean-above-half", within + " + 0.5/K), per cell", mean, flat, number
        ),
    ]


def _together(job: Job, number: int) -> CheckResult:
    """Along `c = 2 K^(-1/4)/sqrt(10)` both chances come closer to their limits."""
    gaps = []
    for K in TOGETHER:
        c = 2 / np.sqrt(10) * K**-0.25
        found = draw_cell(job, K, c, number)
        rise, worst = found["rise"].mean(), found["worst"].mean()
        gaps.append((1 - rise, 0.5 - worst))
    far, near = gaps
    noise = STANDARD_ERRORS * 0.5 / np.sqrt(number)
    return _result(
        "C4.together",
        "how much closer both chances are to (1, 1/2) at K = 1000 than at 100, plus "
        f"{STANDARD_ERRORS:g} standard errors",
        [a - b + noise for a, b in zip(far, near, strict=True)],
        [(K, 2 / np.sqrt(10) * K**-0.25) for K in TOGETHER],
        number,
    )

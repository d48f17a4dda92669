"""A4 and C4: rewarding certainty from a uniform base, over laws of success rates."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import simulator as sim
import theory
from experiments.checks.result import CheckResult, Job, scored
from experiments.checks.runs import blocks

CELLS = ((100, 0.0), (100, 0.3), (1000, 0.0), (1000, 0.1), (1000, 0.3))
STANDARD_ERRORS = 5.0
# Normal curves are off by 0.1/sqrt(K) at most (measured with 4e5 draws, K = 10 to 300).
NORMAL = 0.1
DRAWS = 20_000  # per cell, however many problems are asked for
BULK = 2_000  # draws at once
FEWEST = 1000  # draws per cell, however few problems are asked for


@jax.jit
def _falls(rates):
    def one(s):
        uniform = jnp.full(s.shape, -np.log(s.shape[0]))
        kernel = jnp.stack([s, 1 - s], axis=-1)
        problem = sim.Problem(s, logits=uniform, answer_kernel=kernel)
        rule = sim.Dynamics(problem, sim.SelfCertainty(), sim.PolicyGradient())
        return sim.PeakAccuracy().value(rule.point(uniform))

    return jax.vmap(one)(rates)


def initial_rise(rates: np.ndarray) -> np.ndarray:
    """Whether dACC/dt(0) > 0 under self-certainty from a uniform base, `[draws]`."""
    return np.asarray(_falls(jnp.asarray(rates))) < 0


def draw_cell(job: Job, K: int, c: float, draws: int) -> dict[str, np.ndarray]:
    """Draws of the tilted law in bulks: rises, worst wins, mean rate: `[draws]`."""
    found: dict[str, list[np.ndarray]] = {"rise": [], "worst": [], "mean": []}
    for start in range(0, draws, BULK):
        rates = theory.degradation.sample(job.rng, (BULK, K), c)
        found["rise"].append(initial_rise(rates))
        winner = theory.degradation.confidence(rates).argmax(-1)
        found["worst"].append(winner == rates.argmin(-1))
        found["mean"].append(rates.mean(axis=-1))
        if job.progress is not None:
            job.progress(min(start + BULK, draws), draws)
    return {key: np.concatenate(value)[:draws] for key, value in found.items()}


def number_of_draws(job: Job) -> int:
    """Per cell: all are drawn in the first chunk."""
    return min(max(job.total, FEWEST), DRAWS)


def _cell(draws, K, c, reading) -> dict[str, Any]:
    """Shares of draws for which claims (1) and (2) hold, and what theory predicts."""
    inside = np.ones(len(draws["rise"]), bool)
    if reading == theory.degradation.MEAN_ABOVE_HALF:
        inside = draws["mean"] > 0.5
    return {
        "reading": reading,
        "K": K,
        "c": c,
        "draws": int(inside.sum()),
        "rise": float(draws["rise"][inside].mean()),
        "rise_predicted": float(
            theory.degradation.initial_rise_probability(K, c, reading)
        ),
        "worst": float(draws["worst"][inside].mean()),
        "worst_predicted": float(
            theory.degradation.winner_is_worst_probability(K, c, reading)
        ),
    }


def share_margin(measured, expected, draws, bias=0.0):
    """`1 - |share - predicted| / (5 standard errors + bias)`."""
    error = np.sqrt(max(expected * (1 - expected), 1e-12) / draws)
    return 1 - abs(measured - expected) / (STANDARD_ERRORS * error + bias)


def check(job: Job) -> list[CheckResult]:
    """A4: both claims for tilted densities, under each reading of Assumption 5.5."""
    above = job.rng.uniform(0.5, 1, size=(job.number, 50))
    winner = theory.degradation.confidence(above).argmax(-1)
    rises = [initial_rise(above[lanes]) for lanes in blocks(len(above), BULK)]
    up = np.concatenate(rises)[: len(above)]
    worst = winner == above.argmin(-1)
    certain = up & (winner == above.argmax(-1))
    each = scored(
        "A4.every-above-half",
        "1 where dACC/dt(0) > 0 and the winner is the best pattern, else -1",
        np.where(certain, 1.0, -1.0),
        success_rates=above,
    )
    if not job.first:
        return [each]
    cells = []
    for K, c in CELLS:
        draws = draw_cell(job, K, c, number_of_draws(job))
        for reading in (
            theory.degradation.UNCONDITIONED,
            theory.degradation.MEAN_ABOVE_HALF,
        ):
            cells.append(_cell(draws, K, c, reading))
    last = {"rise": up, "worst": worst, "mean": above.mean(axis=-1)}
    cells.append(_cell(last, 50, 0.0, theory.degradation.EVERY_ABOVE_HALF))

    note = f"cells of up to {number_of_draws(job):,} draws"

    def over_cells(name, measured, bias, measures):
        known = [cell for cell in cells if np.isfinite(cell[f"{measured}_predicted"])]
        margins = [
            share_margin(
                cell[measured], cell[f"{measured}_predicted"], cell["draws"], bias(cell)
            )
            for cell in known
        ]
        lanes: dict[str, Any] = {
            key: np.array([cell[key] for cell in known]) for key in known[0]
        }
        return scored(name, measures, margins, allowance=0.0, note=note, **lanes)

    clt = over_cells(
        "A4.rise-clt",
        "rise",
        lambda cell: NORMAL / np.sqrt(cell["K"]),
        "1 - |share - predicted| / (5 standard errors + 0.1/sqrt(K)), per cell",
    )
    exact = over_cells(
        "A4.winner-exact",
        "worst",
        lambda cell: 0.0,
        "1 - |share - predicted| / (5 standard errors), per cell",
    )
    refuted = scored(
        "A4.both",
        "distance of (P(1), P(2)) from (1, 1/2) at a fixed law, K = 1000, less 0.1",
        [
            abs(cell["rise"] - 1) + abs(cell["worst"] - 0.5) - 0.1
            for cell in cells
            if cell["K"] == 1000 and cell["reading"] == theory.degradation.UNCONDITIONED
        ],
        note=note,
    )
    large = [cell for cell in cells if cell["K"] == max(K for K, _ in CELLS)]
    inputs: dict[str, Any] = {
        key: np.array([cell[key] for cell in large]) for key in large[0]
    }
    reported = [
        scored(
            f"A4.{name}",
            measures,
            [margin(cell) for cell in large],
            note="depends on the reading of Assumption 5.5 and on the law",
            **inputs,
        )
        for name, measures, margin in (
            ("rise", "P(1) - 0.95, K = 1000", lambda cell: cell["rise"] - 0.95),
            (
                "winner",
                "0.05 - |P(2) - 1/2|, K = 1000",
                lambda cell: 0.05 - abs(cell["worst"] - 0.5),
            ),
        )
    ]
    return [*reported, clt, exact, each, dataclasses.replace(refuted, cells=cells)]

"""A2: monotone rise, and two-sided bounds of the hitting time."""

from typing import Any

import numpy as np

import theory
from experiments.checks.random_problems import groups
from experiments.checks.result import CheckResult, Job, scored
from experiments.checks.runs import MOMENTS, levels, run


def _log_best(log_probs, rates, log_policy):
    """`log pi_*` of a unique best pattern."""
    best = np.argmax(np.where(log_policy > -np.inf, rates, -np.inf), axis=-1)
    return np.take_along_axis(log_probs, best[:, None], axis=-1)[:, 0]


def check(job: Job) -> list[CheckResult]:
    """Each run ends at a gap; that gap, and the mass left there, are targets."""
    results = []
    for rates, log_policy in groups(
        job.rng, job.number, theory.monotone_regime.in_regime_1
    ):
        gap = levels(job.rng, rates, log_policy)
        runs = run(rates, log_policy, level=gap, events=MOMENTS, progress=job.progress)
        ok, time = runs.reached & np.isfinite(runs.time), runs.time
        lowest = _log_best(runs.at_moments[:, 2], rates, log_policy)
        first = _log_best(log_policy, rates, log_policy)
        last = _log_best(runs.log_probs, rates, log_policy)
        others = theory.support.is_suboptimal(rates, log_policy)
        mass = np.sum(np.exp(runs.log_probs), axis=-1, where=others)
        with np.errstate(divide="ignore", invalid="ignore"):
            upper = 1 - time / theory.monotone_regime.gap_time_upper(
                rates, log_policy, gap
            )
            lower = (
                1 - theory.monotone_regime.gap_time_lower(rates, log_policy, gap) / time
            )
            mass_upper = 1 - time / theory.monotone_regime.mass_time_upper(
                rates, log_policy, mass
            )
            mass_lower = (
                1
                - theory.monotone_regime.mass_time_lower(rates, log_policy, mass) / time
            )
        inputs: dict[str, Any] = {
            "success_rates": rates,
            "log_policy": log_policy,
            "gap": gap,
        }
        results += [
            scored(
                "A2.monotone",
                "log of (lowest pi_* on the way / pi_*(0)), or of the rise if smaller",
                np.minimum(lowest - first, last - first),
                ok,
                **inputs,
            ),
            scored("A2.upper", "1 - T / bound", upper, ok, **inputs),
            scored("A2.lower", "1 - bound / T", lower, ok, **inputs),
            scored(
                "A2.mass",
                "smaller of both, for the target 1 - pi_* <= eps",
                np.minimum(mass_upper, mass_lower),
                ok,
                **inputs,
            ),
        ]
    return results

"""B4: how long an event takes, from two sides, and the dip on the way."""

from typing import Any, Literal

import numpy as np

import theory
from experiments.checks import dip
from experiments.checks.random_problems import SIZES, SMALL, groups, moving
from experiments.checks.result import EXACT, CheckResult, Job, scored
from experiments.checks.runs import LONGEST, MOMENTS, integral, past_transition, run

METERED = 10_000
SLOW = 500


def _both(rates, log_policy):
    """T0 and the crossing both lie ahead."""
    return theory.entanglement.has_t0(rates, log_policy) & theory.delay.has_crossing(
        rates, log_policy
    )


def check(job: Job) -> list[CheckResult]:
    """The law on a part of the problems, its elementary bounds on more."""
    results = []
    for rates, log_policy in groups(job.rng, job.number, moving, SIZES):
        results += dip.results(job, rates, log_policy)
    results += dip.deep(job)
    for rates, log_policy in groups(
        job.rng, job.at_most(METERED), theory.delay.has_crossing, SMALL
    ):
        results.append(_lost(job, rates, log_policy))
    for rates, log_policy in groups(job.rng, job.at_most(SLOW), _both, SMALL):
        results += _law(rates, log_policy)
    return results


def _lost(job, rates, log_policy) -> CheckResult:
    """`I = int (1 - max pi) dt` up to the crossing, against its elementary bound."""
    level = past_transition(rates, log_policy)
    runs = run(rates, log_policy, level=level, events=MOMENTS, progress=job.progress)
    best = rates.max(axis=-1, keepdims=True, where=log_policy > -np.inf, initial=-1.0)
    short = np.where(log_policy > -np.inf, best - rates, 0.0)
    at_crossing = np.sum(np.exp(runs.at_moments[:, 1]) * short, axis=-1)
    lost, known = integral("undecided", np.ones(4)[:1], rates, log_policy, at_crossing)
    path = theory.intrinsic_time.intrinsic_path(rates, log_policy)
    bound = theory.delay.lost_time_bound(
        path, theory.intrinsic_time.crossing_event(path)
    )
    happens = runs.reached & np.isfinite(runs.log_moments[:, 1])
    return scored(
        "B4.lost",
        "1 - I / bound, I measured along the run up to the crossing",
        1 - lost / bound,
        happens & known & np.isfinite(bound),
        note="integrals along the run",
        success_rates=rates,
        log_policy=log_policy,
    )


def _law(rates, log_policy) -> list[CheckResult]:
    """Time of three events against `L + I`, `L + 2 I` and their elementary versions."""
    level = past_transition(rates, log_policy)
    runs = run(rates, log_policy, level=level, events=MOMENTS)
    inputs: dict[str, Any] = {"success_rates": rates, "log_policy": log_policy}
    results = []
    times: dict[Literal["t0", "crossing"], np.ndarray] = {
        "t0": runs.log_moments[:, 0],
        "crossing": runs.log_moments[:, 1],
    }
    for event, log_time in times.items():
        law = theory.entanglement.transition_bounds(rates, log_policy, event=event)
        with np.errstate(over="ignore"):
            time = np.exp(log_time)
        results.append(
            scored(
                f"B4.{event}",
                "smaller distance of the time to L + I and to L + 2 I, relative",
                np.minimum(1 - law.lower / time, 1 - time / law.upper),
                runs.reached & (time < LONGEST) & np.isfinite(law.upper),
                note="a part: slow quadrature",
                **inputs,
            )
        )
    inside = log_policy > -np.inf
    best = rates.max(axis=-1, keepdims=True, where=inside, initial=-1.0)
    short = np.where(inside, best - rates, 0.0)

    def rising(log_probs):
        return level - np.sum(np.exp(log_probs) * short, axis=-1)

    path = theory.intrinsic_time.intrinsic_path(rates, log_policy)
    bounds = theory.delay.delay_bounds(
        path, theory.intrinsic_time.find_event(path, rising)
    )
    margin = np.minimum(1 - bounds.lower / runs.time, 1 - runs.time / bounds.upper)
    results.append(
        scored(
            "B4.law",
            "the same for a gap after both, the bounds being elementary",
            margin,
            runs.reached & (runs.time < LONGEST) & np.isfinite(bounds.upper),
            allowance=EXACT,
            note="a part: slow quadrature",
            **inputs,
        )
    )
    return results

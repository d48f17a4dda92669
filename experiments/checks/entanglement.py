"""A3: the law of the transition time, its consequences, the counterexample."""

from typing import Any

import numpy as np

import theory
from experiments.checks.random_problems import SMALL, groups, padded
from experiments.checks.result import CheckResult, Job, scored
from experiments.checks.runs import LONGEST, MOMENTS, integral, past_transition, run

SLOW = 1000  # problems for predictions that cost milliseconds
METERED = 10_000  # problems with integrals along the run
TREND_STEPS = 20


def _moments(rates, log_policy, progress=None):
    """`log T0`, `log T_cross`, and which runs got past both."""
    level = past_transition(rates, log_policy)
    runs = run(rates, log_policy, level=level, events=MOMENTS, progress=progress)
    return runs.log_moments[:, 0], runs.log_moments[:, 1], runs.reached


def check(job: Job) -> list[CheckResult]:
    """The law on a part of the problems, its explicit consequences on more."""
    results = []
    parts = groups(
        job.rng, job.at_most(METERED), theory.entanglement.is_overtaking, SMALL
    )
    slow = groups(job.rng, job.at_most(SLOW), theory.entanglement.in_regime_2)
    for rates, log_policy in slow:
        log_t0, _, reached = _moments(rates, log_policy)
        t0 = np.exp(log_t0)
        law = theory.entanglement.transition_bounds(rates, log_policy, event="t0")
        margin = np.minimum(1 - law.lower / t0, 1 - t0 / law.upper)
        inputs: dict[str, Any] = {"success_rates": rates, "log_policy": log_policy}
        results.append(
            scored(
                "A3.law",
                "smaller distance of T0 to its two bounds, relative",
                margin,
                reached & np.isfinite(law.exact) & (t0 < LONGEST),
                note="a part: slow quadrature, beyond 1e90 unresolved",
                **inputs,
            )
        )
    for rates, log_policy in parts:
        results += _degree(job, rates, log_policy)
    if job.first:
        results += [_trend(job), _gamma_alone()]
    return results


def _degree(job, rates, log_policy) -> list[CheckResult]:
    """L along the run up to the crossing, and T0 after it, against their bounds."""
    level = past_transition(rates, log_policy)
    runs = run(rates, log_policy, level=level, events=MOMENTS, progress=job.progress)
    best = rates.max(axis=-1, keepdims=True, where=log_policy > -np.inf, initial=-1.0)
    short = np.where(log_policy > -np.inf, best - rates, 0.0)
    at_crossing = np.sum(np.exp(runs.at_moments[:, 1]) * short, axis=-1)
    product, known = integral("product", np.ones(1), rates, log_policy, at_crossing)
    with np.errstate(over="ignore", invalid="ignore"):
        t0, crossing, _ = np.exp(runs.log_moments).T
        after = t0 - crossing
    longest = theory.entanglement.t0_after_crossing(rates, log_policy)
    # A difference of long times is rounding.
    told = theory.entanglement.has_t0(rates, log_policy) & (crossing < 1e6 * longest)
    inputs = {"success_rates": rates, "log_policy": log_policy}
    return [
        scored(
            "A3.degree",
            "1 - L/bound, L measured along the run; 1 - (T0 - T_cross)/bound",
            1 - product / theory.entanglement.degree_bound(rates, log_policy).product,
            runs.reached & known,
            note="integrals along the run",
            **inputs,
        ),
        scored(
            "A3.degree",
            "",
            1 - np.where(told, after, 0.0) / longest,
            runs.reached,
            where=told,
            **inputs,
        ),
    ]


def _trend(job: Job) -> CheckResult:
    """The best pattern gets rarer, all else in proportion: gamma and T0 grow."""
    families = job.at_most(200)
    top = np.sort(job.rng.uniform(size=(families, 1, 3)), axis=-1)[..., ::-1]
    share = job.rng.uniform(0.6, 0.95, size=(families, 1))
    rare = np.geomspace(0.02, 1e-5, TREND_STEPS)
    columns = (rare, (1 - rare) * share, (1 - rare) * (1 - share))
    policy = np.stack(np.broadcast_arrays(*columns), axis=-1).reshape(-1, 3)
    rates = np.repeat(top[:, 0], TREND_STEPS, axis=0)
    rates, log_policy = padded(rates, np.log(policy))
    log_t0, _, reached = _moments(rates, log_policy)
    inside = (
        theory.entanglement.has_t0(rates, log_policy) & reached & np.isfinite(log_t0)
    )
    inside, log_t0 = (a.reshape(families, TREND_STEPS) for a in (inside, log_t0))
    with np.errstate(invalid="ignore"):
        growth = np.diff(log_t0, axis=1) / np.diff(-np.log(rare))
    first = np.arange(len(rates)).reshape(families, -1)[:, :-1].ravel()
    return scored(
        "A3.trend",
        "local degree d log T0 / d log(1/pi_0(*))",
        growth.ravel(),
        where=(inside[:, 1:] & inside[:, :-1]).ravel(),
        success_rates=rates[first],
        log_policy=log_policy[first],
    )


def _gamma_alone() -> CheckResult:
    """The same gamma = 6, and T0 ten times longer each time: no bound in gamma."""
    rates, policy = theory.entanglement.counterexample(np.array([1e-2, 1e-3, 1e-4]))
    t0 = np.exp(_moments(*padded(rates, np.log(policy)))[0])
    return scored(
        "A3.gamma-alone",
        "growth of T0 at equal gamma / 5, less 1 (the claim is refuted by growth)",
        t0[1:] / t0[:-1] / 5 - 1,
        note="T0 = " + ", ".join(f"{t:.0f}" for t in t0) + " at gamma = 6",
        success_rates=rates[1:],
        policy=policy[1:],
    )

"""B1: the closed form against a numerical flow that uses none of it."""

from typing import Any

import numpy as np

import theory
from experiments.checks.random_problems import SIZES, SMALL, groups, moving
from experiments.checks.result import EXACT, NUMERICAL, CheckResult, Job, scored
from experiments.checks.runs import levels, run

FLOW = 10_000  # problems solved by the numerical flow as well
SLOW = 500  # of them, for predictions that cost milliseconds


def _linear(runs, tolerance, note, rates, log_policy) -> CheckResult:
    left = theory.integrability.elapsed(rates, log_policy, runs.log_probs)
    inside = log_policy > -np.inf
    spread = np.ptp(np.where(inside, rates, rates[:, :1]), axis=-1)
    # The law is in differences of rates, which near ties are known to fewer digits.
    allowed = tolerance + 1e-15 / spread
    return scored(
        "B1.linear",
        "1 - (misfit of the linear law) / (allowance), tau > 0",
        np.where(left.tau > 0, 1 - left.misfit / allowed, -1.0),
        runs.reached,
        note=note,
        success_rates=rates,
        log_policy=log_policy,
    )


def _two(runs, tolerance, rates, log_policy) -> CheckResult:
    """Two patterns are moved to the front: the law wants no padding."""
    two = (log_policy > -np.inf).sum(axis=-1) == 2
    order = np.argsort(-log_policy, axis=-1)[:, :2]
    s, first, last = (
        np.take_along_axis(a, order, axis=-1)
        for a in (rates, log_policy, runs.log_probs)
    )
    even = np.log([0.5, 0.5])
    safe = np.where(two[:, None], first, even)
    expected = theory.integrability.two_pattern_time(
        s, safe, np.where(two[:, None], last, even)
    )
    return scored(
        "B1.two",
        "1 - (relative error of the time) / (allowed to the engine)",
        1 - np.abs(expected / runs.time - 1) / tolerance,
        runs.reached & np.isfinite(runs.time) & np.isfinite(expected),
        where=two & (s[:, 0] != s[:, 1]),
        success_rates=s,
        log_policy=safe,
    )


def check(job: Job) -> list[CheckResult]:
    """All problems by the closed form, a part by the flow, a few by root finding."""
    results = []
    for rates, log_policy in groups(job.rng, job.number, moving, SIZES):
        level = levels(job.rng, rates, log_policy)
        runs = run(rates, log_policy, level=level, progress=job.progress)
        results += [
            _linear(runs, EXACT, "exact and flow", rates, log_policy),
            _two(runs, EXACT, rates, log_policy),
        ]
    for rates, log_policy in groups(job.rng, job.at_most(FLOW), moving, SMALL):
        level = levels(job.rng, rates, log_policy)
        options: dict[str, Any] = {"level": level, "progress": job.progress}
        exact = run(rates, log_policy, **options)
        flow = run(rates, log_policy, method="flow", **options)
        results += [
            _linear(flow, 10 * NUMERICAL, "", rates, log_policy),
            _two(flow, NUMERICAL, rates, log_policy),
            scored(
                "B1.clock",
                "1 - |log(time by quadrature / time by flow)| / allowance",
                1 - np.abs(exact.log_time - flow.log_time) / NUMERICAL,
                exact.reached & flow.reached,
                note="flow; theory's own quadrature on a part",
                success_rates=rates,
                log_policy=log_policy,
            ),
        ]
    for rates, log_policy in groups(job.rng, job.at_most(SLOW), moving, SMALL):
        results += _by_root(job, rates, log_policy)
    return results


def _by_root(job, rates, log_policy) -> list[CheckResult]:
    """State and time from `theory` at the gap where a numerical flow ended."""
    level = levels(job.rng, rates, log_policy)
    runs = run(rates, log_policy, level=level, method="flow")
    inside = log_policy > -np.inf
    best = np.where(inside, rates, -np.inf).max(axis=-1, keepdims=True)
    short = np.where(inside, best - rates, 0.0)

    def rising(log_probs):
        with np.errstate(divide="ignore"):
            return np.log(level) - np.log(np.sum(np.exp(log_probs) * short, axis=-1))

    path = theory.intrinsic_time.intrinsic_path(rates, log_policy)
    event = theory.intrinsic_time.find_event(path, rising)
    state, time = (
        theory.intrinsic_time.log_probs_at(path, event),
        theory.clock.time_of(path, event).time,
    )
    with np.errstate(invalid="ignore"):
        error = np.where(inside, np.abs(state - runs.log_probs), 0.0).max(axis=-1)
    known = event.piece != theory.intrinsic_time.UNRESOLVED
    inputs = {"success_rates": rates, "log_policy": log_policy, "gap": level}
    return [
        scored(
            "B1.root",
            "1 - (largest difference of a log-probability) / 1e-6",
            1 - error / 1e-6,
            runs.reached & known,
            note="flow; a part: each root is a slow bisection",
            **inputs,
        ),
        scored(
            "B1.clock",
            "",
            1 - np.abs(time / runs.time - 1) / NUMERICAL,
            runs.reached & np.isfinite(time) & np.isfinite(runs.time),
            **inputs,
        ),
    ]

"""B3, late: limits are checked as rates, over tens of decades of time.

Runs end at gaps of 1e-60 and 1e-120; a start whose leading terms do not lead at
1e-60 (K = 64, near ties) is unresolved. The residual of a limit has to fall at
least half as fast as claimed, or to be below rounding.
"""

import numpy as np

import theory
from experiments.checks.result import CheckResult, Job, scored
from experiments.checks.runs import FLOOR, decay, run

GAPS = (1e-60, 1e-120)


def counts(rewards, log_policy):
    """Suboptimal patterns n, survivors m, and whether best patterns are lost."""
    n = np.sum(theory.support.is_suboptimal(rewards, log_policy), axis=-1)
    m = np.sum(theory.survivors.survivors(rewards, log_policy), axis=-1)
    return n, m, theory.survivors.has_losers(rewards, log_policy)


def gap_exponent(n, m, losers):
    """The power of 1/t with which t gap comes to its limit, at least."""
    below = np.where(n > 1, np.minimum(1.0, 2 * m / (n + m)), 1.0)
    return np.where(losers, np.minimum(below, n / (n + m)), below)


def is_late(rewards, log_policy, log_probs):
    """Whether a state is where leading terms lead: `delta_k tau >= 10 (c_k + c_*)`.

    In the notation of `theory.intrinsic_time`; tau is read off the two states.
    """
    inside = log_policy > -np.inf
    best = theory.support.is_best(rewards, log_policy)
    largest = np.where(best, rewards, -np.inf).max(axis=-1, keepdims=True)
    delta = np.where(inside & ~best, largest - rewards, np.inf)
    start = np.where(inside, theory.integrability.inverse_weights(log_policy), 0.0)
    first = np.max(start, where=best, initial=0.0, axis=-1)
    needed = np.max((start + first[:, None]) / delta, axis=-1)
    with np.errstate(over="ignore", invalid="ignore"):
        return (
            theory.integrability.elapsed(rewards, log_policy, log_probs).tau
            >= 10 * needed
        )


def results(job: Job, rates, log_policy) -> list[CheckResult]:
    """Limit, survivors and expansion."""
    runs = [
        run(rates, log_policy, level=np.full(len(rates), g), progress=job.progress)
        for g in GAPS
    ]
    ok = np.all([r.reached for r in runs], axis=0)
    ok &= is_late(rates, log_policy, runs[0].log_probs)
    n, m, losers = counts(rates, log_policy)
    limit = theory.tail.tail_limit(rates, log_policy)
    scaled = [
        np.exp(np.where(ok, r.log_time, 0.0) + np.log(g))
        for r, g in zip(runs, GAPS, strict=True)
    ]
    residuals = [np.abs(value / limit - 1) for value in scaled]
    times = [r.log_time for r in runs]
    margin, judged = decay(
        times[0],
        residuals[0],
        times[1],
        residuals[1],
        gap_exponent(n, m, losers),
    )
    inputs = {"success_rates": rates, "log_policy": log_policy}
    parts = [
        scored(
            "B3.limit",
            "measured exponent of the residual / claimed one - 1/2, over 60 decades",
            margin,
            ok & judged,
            **inputs,
        ),
        _survivors(runs, ok, n, m, losers, **inputs),
    ]
    alone = (n >= 2) & (m == 1) & ~losers
    return [*parts, _expansion(scaled, times, limit, ok, alone, n, **inputs)]


def _survivors(runs, ok, n, m, losers, success_rates, log_policy) -> CheckResult:
    """The losers' log-probabilities less their leading term."""
    residuals = []
    for r in runs:
        time = np.exp(np.where(ok, r.log_time, 0.0))
        expected = theory.survivors.loser_mass(success_rates, log_policy, time)
        with np.errstate(invalid="ignore"):
            error = np.abs(r.log_probs - expected)
        residuals.append(np.where(np.isnan(expected), 0.0, error).max(axis=-1))
    exponent = np.minimum(m, n) / (n + m)
    margin, judged = decay(
        runs[0].log_time, residuals[0], runs[1].log_time, residuals[1], exponent
    )
    return scored(
        "B3.survivors",
        "as B3.limit, for the losers' log-probabilities less their leading term",
        margin,
        ok & judged,
        where=losers,
        success_rates=success_rates,
        log_policy=log_policy,
    )


def _expansion(
    scaled, times, limit, ok, alone, n, success_rates, log_policy
) -> CheckResult:
    """The expansion's error is of higher order: t^(-3/K) instead of t^(-2/K)."""
    errors = []
    for value, log_t in zip(scaled, times, strict=True):
        time = np.exp(np.where(ok, log_t, 0.0))
        expected = theory.tail.tail_expansion(success_rates, log_policy, time)
        errors.append(np.abs(value - expected) / limit)
    K = n + 1
    with np.errstate(invalid="ignore"):
        margin, judged = decay(
            times[0], errors[0], times[1], errors[1], np.minimum(3 / K, 1.0)
        )
    # Above the floor of `decay` four fifths of the exponent are asked for, not half:
    # the terms that the expansion has fall at two thirds of it.
    visible = errors[1] > FLOOR
    return scored(
        "B3.expansion",
        "measured exponent of t gap less its expansion / (3/K), less 0.8; below the "
        "floor 1.5 - residual/floor",
        margin + np.where(visible, 0.5 - 0.8, 0.5),
        ok & judged,
        where=alone,
        success_rates=success_rates,
        log_policy=log_policy,
    )

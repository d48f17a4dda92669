"""B7: the natural gradient moves log-ratios in straight lines."""

import numpy as np

import simulator as sim
import theory
from experiments.checks.result import EXACT, NUMERICAL, CheckResult, Job, scored
from experiments.checks.running import levels, past_transition, run
from experiments.families import SMALL, groups, moving

FLOW = 5000


def _error(log_probs, expected, log_policy):
    """Largest error of a log-probability over `1 + |log-probability|`."""
    with np.errstate(invalid="ignore"):
        error = np.abs(log_probs - expected) / (1 + np.abs(expected))
    return np.where(log_policy > -np.inf, error, 0.0).max(axis=-1)


def check(job: Job) -> list[CheckResult]:
    """States, crossing, dip and optimum in one run; with KL in another."""
    results = []
    for rates, log_policy in groups(job.rng, job.number, moving):
        results += _plain(job, rates, log_policy)
    for rates, log_policy in groups(job.rng, job.at_most(FLOW), moving, SMALL):
        results += _by_flow(job, rates, log_policy)
    for rates, log_policy in groups(job.rng, job.number, moving):
        results.append(_penalised(job, rates, log_policy))
    return results


def _run(job, rates, log_policy, level, **options):
    return run(
        rates,
        log_policy,
        # One beta for each lane, as in the other runs: they share a program.
        update=sim.NaturalGradient(beta=np.zeros(len(rates))),
        level=level,
        progress=job.progress,
        **options,
    )


def _end(runs, rates, log_policy, level, allowed) -> list[CheckResult]:
    """Where a run ended, after its own time."""
    ok = runs.reached & (runs.time > 0)
    time = np.where(ok, runs.time, 1.0)
    expected = theory.replicator_policy(rates, log_policy, time)
    optimum = theory.optimal_policy(rates, log_policy, 1 / time)
    bound = theory.limit_distance_bound(rates, log_policy, 1 / time)
    best = theory.is_best(rates, log_policy)
    off = np.sum(np.where(best, 0.0, np.exp(runs.log_probs)), axis=-1)
    inputs = {"success_rates": rates, "log_policy": log_policy, "gap": level}
    return [
        scored(
            "B7.closed-form",
            "1 - (relative error of a log-probability) / (allowed to the engine)",
            1 - _error(runs.log_probs, expected, log_policy) / allowed,
            ok,
            note="exact and flow",
            **inputs,
        ),
        scored(
            "B7.optimum",
            "smaller of 1 - error/allowed and 1 - (mass off the best) / bound",
            np.minimum(
                1 - _error(runs.log_probs, optimum, log_policy) / allowed,
                1 - off / bound,
            ),
            ok,
            note="exact and flow",
            **inputs,
        ),
    ]


def _by_flow(job, rates, log_policy) -> list[CheckResult]:
    level = levels(job.rng, rates, log_policy)
    runs = _run(job, rates, log_policy, level, method="flow")
    return _end(runs, rates, log_policy, level, 10 * NUMERICAL)


def _plain(job, rates, log_policy) -> list[CheckResult]:
    level = np.minimum(
        levels(job.rng, rates, log_policy), past_transition(rates, log_policy)
    )
    events = sim.Crossing(), sim.LowestOptimalProbability()
    runs = _run(job, rates, log_policy, level, events=events)
    ok = runs.reached & (runs.time > 0)
    inside = log_policy > -np.inf
    best = theory.is_best(rates, log_policy)
    crossing = theory.replicator_crossing_time(rates, log_policy)
    measured = np.exp(runs.log_moments[:, 0])
    already = runs.log_moments[:, 0] == -np.inf
    # A lead is known to rounding of log pi, and the time to that over the difference.
    best_rate = np.where(best, rates, -1).max(axis=-1, keepdims=True)
    delta = np.where(inside & ~best, best_rate - rates, np.inf).min(axis=-1)
    size = np.where(inside, np.abs(log_policy), 0.0).max(axis=-1)
    rounding = 4 * np.finfo(float).eps * (1 + size) / delta
    late = np.where(already, crossing, np.abs(measured - crossing))

    def log_mass(log_probs):
        with np.errstate(divide="ignore"):
            return np.log(np.sum(np.where(best, np.exp(log_probs), 0.0), axis=-1))

    dip = log_mass(runs.at_moments[:, 1]) - log_mass(log_policy)
    inputs = {"success_rates": rates, "log_policy": log_policy, "gap": level}
    return [
        *_end(runs, rates, log_policy, level, EXACT),
        scored(
            "B7.crossing",
            "1 - |error of the time| / (allowed to the engine and to rounding)",
            1 - late / (EXACT * (1 + crossing) + rounding),
            ok,
            **inputs,
        ),
        scored("B7.no-dip", "log of (lowest pi_* / pi_*(0))", dip, ok, **inputs),
    ]


def _penalised(job, rates, log_policy) -> CheckResult:
    """Another reference than the start; the run ends at a gap, at rest or in time."""
    noise = 2 * job.rng.normal(size=rates.shape)
    reference = np.where(log_policy > -np.inf, noise, -np.inf)
    reference = np.exp(reference - reference.max(axis=-1, keepdims=True))
    reference = reference / reference.sum(axis=-1, keepdims=True)
    beta = 10.0 ** job.rng.uniform(-2, 1, size=len(rates))
    with np.errstate(divide="ignore"):
        log_reference = np.log(reference)
    runs = run(
        rates,
        log_policy,
        update=sim.NaturalGradient(beta=beta),
        reference=reference,
        level=0.1 * theory.gap(rates, log_policy),
        progress=job.progress,
        max_log_time=7.0,
    )
    ok = np.isfinite(runs.log_time)
    time = np.where(ok, runs.time, 1.0)
    expected = theory.replicator_kl_policy(rates, log_reference, log_policy, beta, time)
    return scored(
        "B7.kl",
        "1 - (relative error of a log-probability) / 1e-9",
        1 - _error(runs.log_probs, expected, log_policy) / EXACT,
        ok,
        success_rates=rates,
        log_policy=log_policy,
        reference=reference,
        beta=beta,
    )

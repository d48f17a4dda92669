"""B7: the natural gradient moves log-ratios in straight lines."""

import numpy as np

import simulator as sim
import theory
from experiments.checks.random_problems import SMALL, groups, moving
from experiments.checks.result import EXACT, NUMERICAL, CheckResult, Job, scored
from experiments.checks.runs import levels, run, separation
from experiments.checks.velocity import velocities

FLOW = 5000


def _error(log_probs, expected, log_policy):
    """Largest error of a log-probability over `1 + |log-probability|`."""
    with np.errstate(invalid="ignore"):
        error = np.abs(log_probs - expected) / (1 + np.abs(expected))
    return np.where(log_policy > -np.inf, error, 0.0).max(axis=-1)


def check(job: Job) -> list[CheckResult]:
    """A random state and the crossing; a part by the flow; with KL in another run."""
    results = []
    for rates, log_policy in groups(job.rng, job.number, moving):
        results += _plain(job, rates, log_policy)
        results.append(_crossing(job, rates, log_policy))
    for rates, log_policy in groups(job.rng, job.at_most(FLOW), moving, SMALL):
        results += _by_flow(job, rates, log_policy)
    for rates, log_policy in groups(job.rng, job.number, moving):
        results.append(_penalised(job, rates, log_policy))
    return results


def _run(job, rates, log_policy, level, **options):
    return run(
        rates,
        log_policy,
        # One beta for each lane, and a reference, as with KL: they share a program.
        update=sim.NaturalGradient(beta=np.zeros(len(rates))),
        reference=np.exp(log_policy),
        level=level,
        progress=job.progress,
        **options,
    )


def _end(runs, rates, log_policy, level, allowed) -> list[CheckResult]:
    """Where a run ended, after its own time."""
    ok = runs.reached & (runs.time > 0)
    time = np.where(ok, runs.time, 1.0)
    expected = theory.replicator.replicator_policy(rates, log_policy, time)
    optimum = theory.optimum.optimal_policy(rates, log_policy, 1 / time)
    bound = theory.optimum.limit_distance_bound(rates, log_policy, 1 / time)
    best = theory.support.is_best(rates, log_policy)
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
    level = levels(job.rng, rates, log_policy)
    runs = _run(job, rates, log_policy, level)
    best = theory.support.is_best(rates, log_policy)

    def log_mass(log_probs):
        with np.errstate(divide="ignore"):
            return np.log(np.sum(np.exp(log_probs), axis=-1, where=best))

    errors = [_growth_error(rates, at, best) for at in (log_policy, runs.log_probs)]
    return [
        *_end(runs, rates, log_policy, level, EXACT),
        scored(
            "B7.no-dip",
            "smaller of log (pi_* at a random state / pi_*(0)) and 1 - (error of the "
            "simulator's d log pi_*/dt, at both) / 1e-9",
            np.minimum(
                log_mass(runs.log_probs) - log_mass(log_policy),
                1 - np.maximum(*errors) / EXACT,
            ),
            runs.reached,
            success_rates=rates,
            log_policy=log_policy,
            gap=level,
        ),
    ]


def _growth_error(rates, log_probs, best):
    """How far `d log pi_*/dt` is from the gap, by the simulator's velocity there."""
    problem = sim.Problem(rates, logits=log_probs)
    update = sim.NaturalGradient(beta=np.zeros(len(rates)))
    velocity = np.asarray(velocities(problem, sim.Verifiable(), update, log_probs))
    policy = np.exp(log_probs)
    velocity = np.where(policy > 0, velocity, 0.0)
    own = np.where(best, policy, 0.0)
    growth = np.sum(own * velocity, axis=-1) / np.sum(own, axis=-1)
    growth = growth - np.sum(policy * velocity, axis=-1)
    return np.abs(growth - theory.support.gap(rates, log_probs))


def _crossing(job, rates, log_policy) -> CheckResult:
    """A run to the gap that the policy is predicted to have at the crossing."""
    crossing = theory.replicator.replicator_crossing_time(rates, log_policy)
    then = theory.replicator.replicator_policy(rates, log_policy, crossing)
    ahead = crossing == 0
    gap = theory.support.gap(rates, then)
    runs = _run(job, rates, log_policy, np.where(ahead, 0.9, 1.0) * gap)
    inside = log_policy > -np.inf
    best = theory.support.is_best(rates, log_policy)
    lead = np.where(best, runs.log_probs, -np.inf).max(axis=-1)
    lead = lead - np.where(best, -np.inf, runs.log_probs).max(axis=-1)
    # A lead and the gap are known to rounding, the time to that over what they change.
    delta = separation(rates, log_policy)
    excess = np.where(inside, theory.support.accuracy_excess(rates, then), 0.0)
    slope = np.sum(np.exp(then) * excess**2, axis=-1)
    size = 1 + np.where(inside, np.abs(log_policy), 0.0).max(axis=-1)
    rounding = 4 * np.finfo(float).eps * (size / delta + gap / slope)
    late = np.abs(runs.time - crossing) / (EXACT * (1 + crossing) + rounding)
    off = np.maximum(np.abs(lead) - rounding * delta, 0.0) / (EXACT * size)
    behind = np.maximum(-lead, 0.0) / (EXACT * size)
    return scored(
        "B7.crossing",
        "1 - (error of the time at which the best and the likeliest other pattern are "
        "equal, or of their log-ratio then) / allowance",
        1 - np.where(ahead, behind, np.maximum(late, off)),
        runs.reached,
        success_rates=rates,
        log_policy=log_policy,
    )


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
        level=0.1 * theory.support.gap(rates, log_policy),
        progress=job.progress,
        max_log_time=7.0,
    )
    ok = np.isfinite(runs.log_time)
    time = np.where(ok, runs.time, 1.0)
    expected = theory.replicator.replicator_kl_policy(
        rates, log_reference, log_policy, beta, time
    )
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

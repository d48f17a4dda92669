"""B3: bounds that hold from every start and at every time; `tail_late`: the limit."""

import numpy as np

import theory
from experiments.checks import tail_late
from experiments.checks.random_problems import SIZES, SMALL, groups, moving
from experiments.checks.result import EXACT, CheckResult, Job, scored
from experiments.checks.runs import MOMENTS, integral, levels, run

METERED = 10_000  # problems along which integrals are measured
LATE = 10_000  # problems followed over 120 decades
SLOW = 1000  # problems for predictions that cost a millisecond
RISES = 8  # states at which ratios are compared


def _likeliest_best(rates, log_policy):
    """`[B, K]`, one True per lane."""
    chosen = np.argmax(theory.survivors.survivors(rates, log_policy), axis=-1)
    return np.arange(rates.shape[1]) == chosen[:, None]


def check(job: Job) -> list[CheckResult]:
    """All claims of the statement."""
    results = []
    for rates, log_policy in groups(job.rng, job.number, moving, SIZES):
        results += _on_the_way(job, rates, log_policy)
    for rates, log_policy in groups(job.rng, job.at_most(LATE), moving, SIZES):
        results += tail_late.results(job, rates, log_policy)
    for rates, log_policy in groups(job.rng, job.at_most(METERED), moving, SMALL):
        results += _metered(job, rates, log_policy)
    for rates, log_policy in groups(
        job.rng, job.at_most(METERED), theory.tail_bounds.in_tail, SMALL
    ):
        results.append(_rate(job, rates, log_policy))
    for rates, log_policy in groups(
        job.rng, job.at_most(SLOW), theory.tail_bounds.in_tail, SMALL
    ):
        results.append(_bounds(job, rates, log_policy))
    return results


def _on_the_way(job, rates, log_policy) -> list[CheckResult]:
    """One random state and the lowest pi_* on the way there."""
    level = levels(job.rng, rates, log_policy)
    runs = run(rates, log_policy, level=level, events=MOMENTS, progress=job.progress)
    best = _likeliest_best(rates, log_policy)
    with np.errstate(invalid="ignore"):
        start = np.where(best, log_policy, 0.0).sum(axis=-1)
        on_the_way = [
            np.where(best, runs.at_moments[:, 2], 0.0).sum(axis=-1) - start,
            np.where(best, runs.log_probs, 0.0).sum(axis=-1) - start,
        ]
    rise = np.minimum(*on_the_way)
    monotone = theory.tail.in_monotone_region(rates, log_policy)
    top = log_policy == log_policy.max(axis=-1, keepdims=True)
    leads = np.any(top & theory.support.is_best(rates, log_policy), axis=-1)
    with np.errstate(invalid="ignore"):
        lower = theory.tail.gap_lower(rates, log_policy, runs.time)
    inputs = {"success_rates": rates, "log_policy": log_policy, "gap": level}
    return [
        scored(
            "B3.lower",
            "1 - (lower bound of the gap) / gap",
            1 - lower / level,
            runs.reached & np.isfinite(runs.time),
            **inputs,
        ),
        scored(
            "B3.monotone",
            "log of (lowest pi_* on the way / pi_*(0)), from the monotone region",
            rise,
            runs.reached,
            where=monotone,
            **inputs,
        ),
        scored(
            "B3.leader",
            "the same, where a best pattern is the most likely",
            rise,
            runs.reached,
            where=leads,
            **inputs,
        ),
    ]


def _metered(job, rates, log_policy) -> list[CheckResult]:
    """Upper bounds, with `int P^2` measured along the run; ratios along the way."""
    level = levels(job.rng, rates, log_policy)
    best = theory.support.is_best(rates, log_policy)
    kept = theory.survivors.survivors(rates, log_policy)
    inputs = {"success_rates": rates, "log_policy": log_policy, "gap": level}
    results = []
    for name, mask, bound in (
        ("B3.upper", best, theory.tail.gap_upper),
        ("B3.survivors-upper", kept, theory.tail.gap_upper_survivors),
    ):
        square, known = integral("squared", mask, rates, log_policy, level)
        results.append(
            scored(
                name,
                "1 - gap / (upper bound)",
                1 - level / bound(rates, log_policy, np.where(known, square, 0.0)),
                known,
                note="integrals along the run",
                **inputs,
            )
        )
    return [*results, _ratios(job, rates, log_policy)]


def _ratios(job, rates, log_policy) -> CheckResult:
    """`pi_k/pi_*` in order of time: largest rise after a fall."""
    start = theory.support.gap(rates, log_policy)
    best = _likeliest_best(rates, log_policy)
    inside = log_policy > -np.inf
    ok = np.ones(len(rates), bool)
    previous = np.where(inside, log_policy, 0.0)
    fallen, rise = np.zeros(rates.shape, bool), np.zeros(len(rates))
    for shrink in np.geomspace(0.9, 1e-5, RISES):
        runs = run(rates, log_policy, level=shrink * start, progress=job.progress)
        ok &= runs.reached
        state = np.where(inside, runs.log_probs, 0.0)
        change = state - previous
        change -= np.sum(np.where(best, change, 0.0), axis=-1, keepdims=True)
        rise = np.maximum(rise, np.where(fallen & inside, change, 0.0).max(axis=-1))
        fallen |= change < -EXACT
        previous = state
    return scored(
        "B3.ratios",
        f"minus the largest rise of log pi_k/pi_* after a fall, {RISES} states",
        -rise,
        ok,
        success_rates=rates,
        log_policy=log_policy,
    )


def _rate(job, rates, log_policy) -> CheckResult:
    """The time off the survivors, and the uneven time, measured along the run."""
    level = levels(job.rng, rates, log_policy, (0.3, 6.0))
    kept = theory.survivors.survivors(rates, log_policy)
    runs = run(rates, log_policy, level=level, progress=job.progress)
    off, known = integral("off", kept, rates, log_policy, level)
    uneven, known_too = integral("uneven", kept, rates, log_policy, level)
    ok = runs.reached & known & known_too & np.isfinite(runs.time)
    safe = (np.where(ok, a, 1.0) for a in (runs.time, off, uneven))
    bounds = theory.tail_bounds.gap_rate_bounds(rates, log_policy, *safe)
    return scored(
        "B3.rate",
        "smaller of 1 - lower/gap and 1 - gap/upper",
        np.minimum(1 - bounds.lower / level, 1 - level / bounds.upper),
        ok,
        note="integrals along the run",
        success_rates=rates,
        log_policy=log_policy,
        gap=level,
    )


def _bounds(job, rates, log_policy) -> CheckResult:
    level = levels(job.rng, rates, log_policy, (0.3, 8.0))
    runs = run(rates, log_policy, level=level)
    ok = runs.reached & (runs.time > 0) & np.isfinite(runs.time)
    time = np.where(ok, runs.time, 1.0)
    bounds = theory.tail_bounds.tail_bounds(rates, log_policy, time)
    value = time * level
    return scored(
        "B3.bounds",
        "smaller of 1 - lower/(t gap) and 1 - (t gap)/upper",
        np.minimum(1 - bounds.lower / value, 1 - value / bounds.upper),
        ok,
        note="a part: slow predictions",
        success_rates=rates,
        log_policy=log_policy,
        gap=level,
    )

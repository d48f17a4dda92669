"""B5: where accuracy goes when a fixed confidence is paid."""

import numpy as np

import simulator as sim
import theory
from experiments.checks.random_problems import SIZES, SMALL, groups, kernels, moving
from experiments.checks.result import CheckResult, Job, scored
from experiments.checks.runs import decay, levels, run, short_steps, slope_at_start
from experiments.checks.tail_late import counts, gap_exponent, is_late

LATE = 20_000  # problems followed over 120 decades
SLOW = 1000
ANSWERS = 3
GAPS = (1e-60, 1e-120)  # where limits are looked at


def _drawn(job: Job, number, sizes):
    """Success rates, confidences, log-policies; ties in a fifth of the lanes."""
    for rates, log_policy in groups(job.rng, number, None, sizes):
        kernel = kernels(job.rng, rates, ANSWERS)
        confidence = theory.feedback_classes.self_certainty(kernel, log_policy)
        # Rows with the same entries are equally certain, whatever the order of a sum.
        confidence = np.round(confidence, 12)
        inside = log_policy > -np.inf
        top = np.where(inside, confidence, -1.0).max(axis=-1)
        low = np.where(inside, confidence, np.inf).min(axis=-1)
        tied = (top == low) & (job.rng.uniform(size=len(rates)) < 0.9)
        # Some patterns are made less certain, so that something moves.
        less = job.rng.uniform(size=rates.shape) < 0.5
        less[:, 0] = False
        confidence -= np.where(tied[:, None] & less, 0.3, 0.0)
        yield kernel[..., 0], confidence, log_policy


def _run(rates, confidence, log_policy, level, job):
    return run(
        rates,
        log_policy,
        sim.FixedConfidence(confidence),
        level=level,
        progress=job.progress,
    )


def _excess(log_probs, merit, kept, log_t=0.0):
    """`t (ACC - s_bar)`: `[B]`.

    Survivors keep equal shares, and their merits add up to 0: what rounding makes of
    that would drown the rest.
    """
    weight = np.exp(log_probs + np.asarray(log_t)[..., None])
    mean = np.mean(weight, axis=-1, where=kept, keepdims=True)
    equal = kept & (np.abs(weight - mean) <= 1e-12 * mean)
    return np.sum(np.where(equal, 0.0, weight) * merit, axis=-1)


def check(job: Job) -> list[CheckResult]:
    """Limits as rates over 60 decades; bounds on a part; the first move; the end."""
    results = []
    for rates, confidence, log_policy in _drawn(job, job.number, SIZES):
        moves = moving(confidence, log_policy)
        results += _early(job, moves, rates, confidence, log_policy)
    for rates, confidence, log_policy in _drawn(job, job.at_most(LATE), SIZES):
        moves = moving(confidence, log_policy)
        results += _late(job, moves, rates, confidence, log_policy)
    for rates, confidence, log_policy in _drawn(job, job.at_most(SLOW), SMALL):
        results.append(_bounds(job, rates, confidence, log_policy))
    return results


def _merit(rates, confidence, log_policy):
    end = theory.degradation.limit_accuracy(rates, confidence, log_policy)
    return np.where(log_policy > -np.inf, rates - end[:, None], 0.0)


def _late(job, moves, rates, confidence, log_policy) -> list[CheckResult]:
    merit = _merit(rates, confidence, log_policy)
    n, m, losers = counts(confidence, log_policy)
    kept = theory.survivors.survivors(confidence, log_policy)
    law = theory.degradation_law.degradation_coefficient(rates, confidence, log_policy)
    size = np.sum(np.abs(merit), axis=-1) + 1e-300
    first, second, tied, times, ok, late_at = [], [], [], [], moves, True
    for gap in GAPS:
        level = np.full(len(rates), gap)
        runs = _run(rates, confidence, log_policy, level, job)
        ok = ok & runs.reached
        late_at = late_at & is_late(confidence, log_policy, runs.log_probs)
        log_t = np.where(runs.reached & moves, runs.log_time, 0.0)
        scaled = _excess(runs.log_probs, merit, kept, log_t)
        time = np.exp(log_t)
        expansion = theory.degradation_law.degradation_expansion(
            rates, confidence, log_policy, time
        )
        first.append(np.abs(scaled - law) / (np.abs(law) + size))
        second.append(np.abs(scaled - expansion) / (np.abs(law) + size))
        slow = theory.degradation_law.loser_excess(rates, confidence, log_policy, time)
        excess = _excess(runs.log_probs, merit, kept)
        tied.append(np.abs(excess / np.where(slow == 0, 1.0, slow) - 1))
        times.append(log_t)
    K = n + m
    unique = (m == 1) & ~losers & moves
    # By order of the next term: t^(-1/K), one more for the expansion.
    exponents = {"law": 1 / K, "expansion": np.minimum(2 / K, 1.0)}
    inputs = {
        "success_rates": rates,
        "confidence": confidence,
        "log_policy": log_policy,
    }
    results = []
    for name, (early, late) in {"law": first, "expansion": second}.items():
        e = exponents[name]
        margin, judged = decay(times[0], early, times[1], late, e)
        results.append(
            scored(
                f"B5.{name}",
                "measured exponent of the residual / claimed one - 1/2, 60 decades",
                margin,
                ok & judged & late_at,
                where=unique,
                **inputs,
            )
        )
    several = theory.degradation_law.has_tied_law(rates, confidence, log_policy)
    with np.errstate(invalid="ignore"):
        early, late = (np.where(losers, a, b) for a, b in zip(tied, first, strict=True))
    exponent = 0.5 * np.minimum(m, n) / K
    exponent = np.where(losers, exponent, gap_exponent(n, m, losers) * 0.5)
    margin, judged = decay(times[0], early, times[1], late, exponent)
    results.append(
        scored(
            "B5.ties",
            "as B5.law; where winners are lost, for the ratio to the leading term",
            margin,
            ok & judged & late_at,
            where=several,
            **inputs,
        )
    )
    return results


def _early(job, moves, rates, confidence, log_policy) -> list[CheckResult]:
    """The first slope by a difference quotient, and the end."""
    gap = np.where(moves, theory.support.gap(confidence, log_policy), 1.0)
    base = np.where(log_policy > -np.inf, rates, 0.0)
    times, changes, ok = [], [], moves
    shares = short_steps(confidence, log_policy)
    for share in shares:
        runs = _run(rates, confidence, log_policy, gap * (1 - share), job)
        change = np.exp(runs.log_probs) - np.exp(log_policy)
        times.append(np.where(runs.reached & moves, runs.time, share))
        changes.append(np.sum(change * base, axis=-1))
        ok = ok & runs.reached
    slope, allowed = slope_at_start(np.stack(times), np.stack(changes), shares)
    expected = theory.degradation_law.initial_slope(rates, confidence, log_policy)
    inputs = {
        "success_rates": rates,
        "confidence": confidence,
        "log_policy": log_policy,
    }
    late = _run(rates, confidence, log_policy, np.full(len(rates), 1e-9), job)
    start = np.sum(np.exp(log_policy) * base, axis=-1)
    end = np.sum(np.exp(late.log_probs) * base, axis=-1)
    falls = (
        theory.degradation_law.rises_then_ends_below(rates, confidence, log_policy)
        & moves
    )
    # A winner among near ties may not have won when the gap is 1e-9.
    limit = theory.degradation.limit_accuracy(rates, confidence, log_policy)
    done = np.abs(end - limit) < 0.5 * np.abs(start - limit)
    return [
        scored(
            "B5.early",
            "1 - |measured slope of accuracy - theory's| / allowance",
            1 - np.abs(slope - expected) / allowed,
            ok,
            where=moves,
            **inputs,
        ),
        scored(
            "B5.rise-and-fall",
            "smaller of the measured slope of accuracy at the start, and start - end",
            np.minimum(slope, start - end),
            ok & (np.abs(slope) > allowed) & late.reached & (done | (end < start)),
            where=falls,
            **inputs,
        ),
    ]


def _bounds(job, rates, confidence, log_policy) -> CheckResult:
    known = theory.tail_bounds.in_tail(confidence, log_policy)
    gap = np.where(known, levels(job.rng, confidence, log_policy, (0.3, 8.0)), 1.0)
    runs = _run(rates, confidence, log_policy, gap, job)
    ok = runs.reached & (runs.time > 0) & np.isfinite(runs.time)
    time = np.where(ok, runs.time, 1.0)
    bounds = theory.degradation_law.degradation_bounds(
        rates, confidence, log_policy, time
    )
    kept = theory.survivors.survivors(confidence, log_policy)
    merit = _merit(rates, confidence, log_policy)
    value = _excess(runs.log_probs, merit, kept, np.log(time))
    size = np.abs(bounds.lower) + np.abs(bounds.upper) + 1e-300
    _, m, losers = counts(confidence, log_policy)
    return scored(
        "B5.bounds",
        "distance of t (ACC - s_w) to the nearer bound, over the bounds' size",
        np.minimum(value - bounds.lower, bounds.upper - value) / size,
        ok,
        where=known & (m == 1) & ~losers,
        note="a part: slow predictions",
        success_rates=rates,
        confidence=confidence,
        log_policy=log_policy,
    )

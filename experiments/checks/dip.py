"""B4: when the best pattern loses mass, how deep it falls, and how often."""

from typing import Any

import numpy as np

import theory
from experiments.checks.random_problems import SMALL, groups, log_normalised, padded
from experiments.checks.result import CheckResult, Job, scored
from experiments.checks.runs import (
    MOMENTS,
    past_transition,
    run,
    short_steps,
    slope_at_start,
)

CEILINGS = 10_000  # problems for the largest product, a search per piece
DIPS = 2000  # problems watched at many states
STATES = 12


def _best(rates, log_policy):
    chosen = np.argmax(theory.survivors.survivors(rates, log_policy), axis=-1)
    return np.arange(rates.shape[1]) == chosen[:, None]


def _log_best(log_probs, best):
    return np.where(best, log_probs, 0.0).sum(axis=-1)


def results(job: Job, rates, log_policy) -> list[CheckResult]:
    """The criterion at the start, by difference quotients of simulated states."""
    gap = theory.support.gap(rates, log_policy)
    best = _best(rates, log_policy)
    start = _log_best(log_policy, best)
    times, changes, ok = [], [], np.ones(len(rates), bool)
    shares = short_steps(rates, log_policy)
    for share in shares:
        runs = run(rates, log_policy, level=gap * (1 - share), progress=job.progress)
        times.append(runs.time)
        changes.append(_log_best(runs.log_probs, best) - start)
        ok = ok & runs.reached
    slope, allowed = slope_at_start(np.stack(times), np.stack(changes), shares)
    return [
        scored(
            "B4.dip",
            "1 - |measured slope of log pi_* + theory's margin| / allowance",
            1 - np.abs(slope + theory.dip.dip_margin(rates, log_policy)) / allowed,
            ok,
            success_rates=rates,
            log_policy=log_policy,
        )
    ]


def _alone(rates, log_policy):
    """The best pattern is unique and not the most likely one."""
    unique = theory.support.is_best(rates, log_policy).sum(axis=-1) == 1
    return unique & theory.delay.has_crossing(rates, log_policy)


def deep(job: Job) -> list[CheckResult]:
    """Ceiling, number of dips, and how the depth comes to its leading term."""
    found = []
    number = job.at_most(CEILINGS)
    for rates, log_policy in groups(job.rng, number, _alone, SMALL):
        level = past_transition(rates, log_policy)
        runs = run(rates, log_policy, level=level, events=MOMENTS)
        lowest = _log_best(runs.at_moments[:, 2], _best(rates, log_policy))
        ceiling = theory.dip.dip_ceiling(rates, log_policy)
        above, known = _above_floor(rates, runs, ceiling, lowest)
        inputs: dict[str, Any] = {"success_rates": rates, "log_policy": log_policy}
        found += [
            scored(
                "B4.dip-ceiling",
                "log of (ceiling / lowest pi_*)",
                ceiling - lowest,
                runs.reached,
                **inputs,
            ),
            scored(
                "B4.dip-depth",
                "log of (lowest pi_* / floor), the floor by the leader's mass there; "
                "share of 1 - floor/ceiling that is gone as pi_0(*) falls from 1e-3 "
                "to 1e-5, less 1/2",
                above,
                runs.reached,
                where=known,
                **inputs,
            ),
        ]
    for rates, log_policy in groups(job.rng, job.at_most(DIPS), _alone, SMALL):
        found.append(_dips(rates, log_policy))
    return [*found, *(_depths(job) if job.first else ())]


def _dips(rates, log_policy) -> CheckResult:
    """Local minima of pi_* among states in order of time."""
    best = _best(rates, log_policy)
    first, last = (
        theory.support.gap(rates, log_policy),
        past_transition(rates, log_policy),
    )
    last = np.minimum(last, 0.5 * first)
    states, ok = [_log_best(log_policy, best)], np.ones(len(rates), bool)
    for share in np.linspace(0, 1, STATES + 1)[1:]:
        runs = run(rates, log_policy, level=first * (last / first) ** share)
        states.append(_log_best(runs.log_probs, best))
        ok = ok & runs.reached
    path = np.stack(states, axis=-1)
    rising = np.diff(path, axis=-1) > 0
    minima = np.sum(~rising[:, :-1] & rising[:, 1:], axis=-1)
    edges = theory.hull.dominance_hull(rates, log_policy).edges
    return scored(
        "B4.dips",
        f"hull edges less local minima of pi_* among {STATES} states",
        edges - minima,
        ok,
        success_rates=rates,
        log_policy=log_policy,
    )


def _above_floor(rates, runs, ceiling, lowest):
    """`log (pi_*/floor)` at the lowest pi_*, and where theory has a floor there."""
    share = theory.dip.dip_share(rates, runs.at_moments[:, 2])
    known = share > 0
    return lowest - ceiling - np.log(np.where(known, share, 1.0)), known


def _depths(job: Job) -> list[CheckResult]:
    """Three patterns, the best one rarer and rarer: the bounds on its depth close."""
    number = job.at_most(1000)
    three = np.sort(job.rng.uniform(0.05, 0.95, size=(number, 3)), axis=-1)[:, ::-1]
    spaced = (np.diff(three, axis=-1) < -0.05).all(axis=-1)
    share = job.rng.uniform(0.2, 0.8, size=number)
    found, missing, ok = [], [], spaced
    for rare in (1e-3, 1e-5):
        policy = [np.full(number, rare), (1 - rare) * share, (1 - rare) * (1 - share)]
        log_policy = log_normalised(np.log(np.stack(policy, axis=-1)))
        rates, log_policy = padded(three, log_policy)
        form = theory.dip.has_deep_edge(rates, log_policy)
        runs = run(
            rates,
            log_policy,
            level=past_transition(rates, log_policy),
            events=MOMENTS,
        )
        lowest = runs.at_moments[:, 2, 0]
        low, high = theory.dip.dip_three_bounds(rates, log_policy)
        low = np.where(form, low, 0.0)
        above, deep = _above_floor(rates, runs, low, lowest)
        missing.append(1 - theory.dip.dip_share(rates, runs.at_moments[:, 2]))
        ok = ok & runs.reached & form
        inputs: dict[str, Any] = {"success_rates": rates, "log_policy": log_policy}
        found.append(
            scored(
                "B4.dip-three",
                "smaller log of lowest pi_* over its floor, of its ceiling over it",
                np.minimum(
                    np.where(deep, above, 1.0), np.where(form, high, 0.0) - lowest
                ),
                runs.reached,
                where=spaced & form,
                **inputs,
            )
        )
    gone = 0.5 - missing[1] / np.maximum(missing[0], 1e-300)
    return [*found, scored("B4.dip-depth", "", gone, where=ok, **inputs)]

"""B2: who is the most likely pattern, and when it hands over."""

import numpy as np

import simulator as sim
import theory
from experiments.checks.per_lane_rules import Menu
from experiments.checks.random_problems import SIZES, SMALL, groups, moving
from experiments.checks.result import EXACT, NUMERICAL, CheckResult, Job, scored
from experiments.checks.runs import (
    LONGEST,
    MOMENTS,
    lane_values,
    levels,
    past_transition,
    run,
)

FLOW = 5000  # problems solved by the numerical flow as well
CLOCKS = (
    sim.PolicyGradient(),
    sim.GRPO(8),
    sim.GRPO(np.inf),
    sim.PassAtN(4),
    sim.RejectionSampling(),
)
NEAR = 1e-9  # of a slope: hand-overs closer than that are one
TIMED = 200  # hand-overs whose times are predicted, which is slow
APART = 1e-5  # rewards that are computed twice, and keep ten digits of their difference


def _slope(rates, log_policy, log_probs):
    """`tau / g` read off two states, and how far rounding may have moved it."""
    tau = theory.integrability.elapsed(rates, log_policy, log_probs).tau
    inside = log_policy > -np.inf
    log_mean = np.mean(log_policy, axis=-1, where=inside)
    slope = tau / np.exp(log_mean)
    spread = np.where(inside, rates, -np.inf).max(axis=-1)
    spread = spread - np.where(inside, rates, np.inf).min(axis=-1)
    drift = np.mean(log_probs, axis=-1, where=inside) - log_mean
    log_u = np.maximum(-log_policy, drift[:, None] - log_probs)
    return slope, np.exp(np.where(inside, log_u, -np.inf).max(axis=-1)) / spread


def _vertices(engine, tolerance, runs, rates, log_policy) -> CheckResult:
    """How far the vertex that should lead is behind the leader, in log-probability."""
    hull = theory.hull.dominance_hull(rates, log_policy)
    slope, scale = _slope(rates, log_policy, runs.log_probs)
    shortfall = np.full(len(rates), -np.inf)
    # A hand-over may be narrower than the slope is known.
    for moved in (-1, 0, 1):
        at = slope + moved * tolerance * (slope + scale)
        piece = np.sum(hull.slopes <= at[:, None], axis=-1)
        leader = lane_values(runs.log_probs, lane_values(hull.vertices, piece))
        shortfall = np.maximum(shortfall, leader - runs.log_probs.max(axis=-1))
    return scored(
        "B2.vertices",
        "log of (vertex that should lead / most likely pattern)",
        shortfall,
        runs.reached,
        note=engine,
        success_rates=rates,
        log_policy=log_policy,
    )


def check(job: Job) -> list[CheckResult]:
    """At a random state, at the last hand-over, and at both ends."""
    results = []
    for rates, log_policy in groups(job.rng, job.number, moving, SIZES):
        level = levels(job.rng, rates, log_policy, (0.01, 4.0))
        runs = run(rates, log_policy, level=level, progress=job.progress)
        results.append(_vertices("exact and flow", 1e-9, runs, rates, log_policy))
        # All best patterns together hold half the mass only when the gap is this small.
        level = 0.5 * past_transition(rates, log_policy) / rates.shape[1]
        late = run(
            rates, log_policy, level=level, events=MOMENTS, progress=job.progress
        )
        results.append(_hand_over(late, rates, log_policy))
        results += _leaders(job, rates, log_policy)
        results.append(_ends(late, rates, log_policy, job.progress))
    for rates, log_policy in groups(job.rng, job.at_most(FLOW), moving, SMALL):
        level = levels(job.rng, rates, log_policy, (0.01, 4.0))
        runs = run(rates, log_policy, level=level, method="flow")
        results.append(_vertices("", 10 * NUMERICAL, runs, rates, log_policy))
    return results


def _leaders(job: Job, rates, log_policy) -> list[CheckResult]:
    """Who leads at all, and from when on: one pattern of every problem.

    In every clock, with a noisy verifier that may pay for wrong answers.
    """
    number = len(rates)
    noise = job.rng.uniform(0, 0.9, size=(2, number))
    signal = sim.NoisyVerifier(*noise)
    rewards = noise[0][:, None] * (1 - rates) + (1 - noise[1])[:, None] * rates
    hull = theory.hull.dominance_hull(rewards, log_policy)
    pattern = _some_pattern(job.rng, hull, log_policy)
    clock = job.rng.integers(len(CLOCKS), size=number)
    runs = run(
        rates,
        log_policy,
        signal,
        Menu(CLOCKS, clock),
        until=sim.Leads(pattern),
        progress=job.progress,
    )
    mine = hull.vertices == pattern[:, None]
    vertex, place = mine.any(axis=-1), mine.argmax(axis=-1)
    enters = np.concatenate([np.zeros((number, 1)), hull.slopes], axis=-1)
    following = np.minimum(place + 1, enters.shape[1] - 1)
    leaves = np.where(place < hull.edges, lane_values(enters, following), np.inf)
    enters = lane_values(enters, place)
    never = np.isposinf(runs.log_time)
    then = np.where(never[:, None], log_policy, runs.log_probs)
    at, scale = _slope(rewards, log_policy, then)
    before = lane_values(hull.vertices, np.maximum(place - 1, 0))
    rise = lane_values(rewards, pattern) - lane_values(rewards, before)
    # Rewards are computed twice, and differ by rounding.
    rounding = enters * 4 * np.finfo(float).eps / np.where(rise > 0, rise, 1.0)
    late = np.abs(at - enters) / (NEAR * (enters + scale) + rounding)
    lead = lane_values(then, pattern) - then.max(axis=-1)
    short = leaves - enters <= NEAR * (enters + scale)
    takes_over = vertex & (enters > 0) & ~short
    # Times of patterns that are paid nearly the same are known to fewer digits.
    order = np.sort(np.where(log_policy > -np.inf, rewards, np.inf), axis=-1)
    with np.errstate(invalid="ignore"):
        apart = np.nanmin(np.diff(order), axis=-1) > APART
    timed = takes_over & runs.reached & (clock == 0) & apart
    timed = np.flatnonzero(timed)[:TIMED]
    if job.first:
        error = _time_error(rewards, log_policy, runs, timed, place)
        late[timed] = np.maximum(late[timed], error / EXACT)
    inputs = {"success_rates": rewards, "log_policy": log_policy, "pattern": pattern}
    return [
        scored(
            "B2.vertices",
            "",
            # Who leads for less than can be told may be missed, or seen.
            np.where(vertex == runs.reached, np.where(never, 0.0, lead), -1.0),
            (runs.reached | never) & ~(vertex & short),
            **inputs,
        ),
        scored(
            "B2.hand-over",
            "",
            1 - late,
            runs.reached,
            where=takes_over,
            **inputs,
        ),
    ]


def _time_error(rewards, log_policy, runs, lanes, place) -> np.ndarray:
    """Of the log of the time at which a vertex takes over, in the plain clock."""
    path = theory.intrinsic_time.intrinsic_path(rewards[lanes], log_policy[lanes])
    end = np.full(len(lanes), np.inf)
    known = theory.clock.time_of(
        path, theory.intrinsic_time.Event(place[lanes] - 1, end)
    ).time
    sure = known < LONGEST
    with np.errstate(divide="ignore"):
        error = np.abs(runs.log_time[lanes] - np.log(np.where(sure, known, 1.0)))
    return np.where(sure, error, 0.0)


def _some_pattern(rng, hull, log_policy):
    """Any pattern of the support, or, for every other problem, a vertex."""
    any_one = rng.uniform(size=log_policy.shape)
    any_one = np.where(log_policy > -np.inf, any_one, -1.0).argmax(axis=-1)
    vertex = rng.integers(hull.edges + 1)
    vertex = lane_values(hull.vertices, vertex)
    return np.where(rng.uniform(size=len(vertex)) < 0.5, vertex, any_one)


def _hand_over(runs, rates, log_policy) -> CheckResult:
    """At the crossing, on the way of runs that go beyond it."""
    hull = theory.hull.dominance_hull(rates, log_policy)
    several = hull.edges > 0
    slope, scale = _slope(rates, log_policy, runs.at_moments[:, 1])
    last = lane_values(hull.slopes, np.maximum(hull.edges - 1, 0))
    return scored(
        "B2.hand-over",
        "1 - |slope at the last hand-over - edge| / (1e-9 of both and of 1/pi)",
        1 - np.abs(slope - last) / (1e-9 * (last + scale)),
        runs.reached & np.isfinite(runs.log_moments[:, 1]),
        where=several,
        success_rates=rates,
        log_policy=log_policy,
    )


def _ends(late, rates, log_policy, progress) -> CheckResult:
    """A moment after the start, and after the transition."""
    top = log_policy.max(axis=-1, keepdims=True)
    first = np.argmax(np.where(log_policy == top, rates, -1.0), axis=-1)
    best = theory.support.is_best(rates, log_policy)
    last = np.argmax(np.where(best, log_policy, -np.inf), axis=-1)
    start = theory.support.gap(rates, log_policy) * (1 - 1e-4)
    early = run(rates, log_policy, level=start, progress=progress)
    hull = theory.hull.dominance_hull(rates, log_policy)
    slope, scale = _slope(rates, log_policy, early.log_probs)
    before = np.where(hull.edges > 0, hull.slopes[:, 0], np.inf)
    still = slope + 1e-9 * (slope + scale) < before
    lead = lane_values(early.log_probs, first) - early.log_probs.max(axis=-1)
    end = lane_values(late.log_probs, last) - late.log_probs.max(axis=-1)
    return scored(
        "B2.ends",
        "log of (pattern that should lead / leader), a moment after the start and late",
        np.minimum(np.where(still, lead, 0.0), end),
        early.reached & late.reached,
        success_rates=rates,
        log_policy=log_policy,
    )

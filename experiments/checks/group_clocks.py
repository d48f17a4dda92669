"""B6: group-normalised rules walk the plain path in another clock."""

import jax
import numpy as np

import simulator as sim
import theory
from experiments.checks.per_lane_rules import Menu
from experiments.checks.random_problems import SMALL, groups, moving
from experiments.checks.result import NUMERICAL, CheckResult, Job, scored
from experiments.checks.runs import FLOOR, GROUP, decay, flow_rule, levels, run
from experiments.checks.tail_late import GAPS, counts, gap_exponent, is_late
from experiments.checks.velocity import velocities

ATTEMPTS = 4
FLOW = 5000
METERED = 10_000
# Clock, and its `h ~ A gap^a` at a perfect best pattern: A and a.
TAILS = {
    "tail-infinite": (sim.GRPO(np.inf), 1.0, -0.5),
    "tail-finite": (sim.GRPO(GROUP), np.sqrt(GROUP - 1), 0.0),
    "tail-pass": (sim.PassAtN(ATTEMPTS), ATTEMPTS, ATTEMPTS - 1),
    "tail-redraw": (sim.GRPO(GROUP, redraw=True), np.sqrt(GROUP - 1) / GROUP, -1.0),
}
RULES = [rule for rule, *_ in TAILS.values()]  # GRPO(GROUP) among them


def _perfect(rng, number):
    """Problems whose best patterns are always right."""
    for rates, log_policy in groups(rng, number, moving):
        best = theory.support.is_best(rates, log_policy)
        # Others stay below 0.95, except for near ties.
        yield np.where(best, 1.0, 0.95 * rates), log_policy


@jax.jit
def _factors(rates, log_policy):
    """`log h` of GRPO at every policy, `[B]`."""
    rule = sim.GRPO(GROUP)
    return jax.vmap(rule.log_clock)(rates, log_policy)


def check(job: Job) -> list[CheckResult]:
    """The factor h at every start, times along the path, tails over tens of decades."""
    results = []
    for rates, log_policy in groups(job.rng, job.number, moving):
        results += _pointwise(job, rates, log_policy)
    for rates, log_policy in groups(job.rng, job.at_most(METERED), moving):
        results.append(_delays(job, rates, log_policy))
    for rates, log_policy in groups(job.rng, job.at_most(FLOW), moving, SMALL):
        results.append(_path(job, rates, log_policy))
    for rates, log_policy in _perfect(job.rng, job.at_most(METERED)):
        results += [_tail(job, name, rates, log_policy) for name in TAILS]
    if job.first:
        results.append(_rare())
    return results


def _chance(rates, log_policy):
    """`p`, kept off 0 and 1 as the formulas want it."""
    p = np.sum(np.exp(log_policy) * np.where(log_policy > -np.inf, rates, 0), axis=-1)
    return np.clip(p, 1e-12, 1 - 1e-12), (p > 1e-9) & (p < 1 - 1e-9)


def _pointwise(job, rates, log_policy) -> list[CheckResult]:
    p, proper = _chance(rates, log_policy)
    inputs = {"success_rates": rates, "log_policy": log_policy}
    h = theory.group_clocks.grpo(p, GROUP)
    measured = np.exp(np.asarray(_factors(rates, log_policy)))
    false_yes = job.rng.uniform(0, 0.9, size=len(p))
    false_no = job.rng.uniform(0, 0.9, size=len(p))
    velocity = np.asarray(
        velocities(
            sim.Problem(rates, logits=log_policy),
            sim.NoisyVerifier(false_yes, false_no),
            sim.GRPO(GROUP),
            log_policy,
        )
    )
    J = 1 - false_yes - false_no
    noisy_h = J * theory.group_clocks.grpo(np.clip(false_yes + J * p, 1e-12, 1), GROUP)
    inside = log_policy > -np.inf
    plain = np.exp(log_policy) * np.where(inside, rates - p[:, None], 0.0)
    error = np.abs(velocity - noisy_h[:, None] * plain).max(axis=-1)
    return [
        scored(
            "B6.path",
            "1 - |h of the simulator / sum over groups - 1| / 1e-9",
            1 - np.abs(measured / h - 1) / 1e-9,
            where=proper,
            note="also, by flow: GRPO's states are the plain path's",
            **inputs,
        ),
        scored(
            "B6.noise",
            "1 - |velocity - J h(f+ + J p) pi (s - p)| / 1e-9",
            1 - error / 1e-9,
            where=proper,
            **inputs,
            false_yes=false_yes,
            false_no=false_no,
        ),
    ]


def _clock(rule, number):
    """A rule for each lane, such that all rules share one program."""
    return Menu.of_one(RULES, rule, number)


def _delays(job, rates, log_policy) -> CheckResult:
    """Time of the plain gradient over that of GRPO, to the same state."""
    level = levels(job.rng, rates, log_policy)
    plain = run(rates, log_policy, level=level, progress=job.progress)
    group = run(
        rates,
        log_policy,
        update=_clock(sim.GRPO(GROUP), len(rates)),
        level=level,
        progress=job.progress,
    )
    ratio = np.exp(plain.log_time - group.log_time)
    p, proper = _chance(rates, log_policy)
    later, _ = _chance(rates, plain.log_probs)
    # p only rises: p (1 - p) is smallest at an end, and largest there or at 1/2.
    ends = [np.where(proper, x, 0.5) for x in (p, later)]
    least, most = zip(
        *(
            theory.group_clocks.grpo_bounds(x, GROUP)
            for x in (*ends, np.clip(0.5, *ends))
        ),
        strict=True,
    )
    lower, upper = np.min(least, axis=0), np.max(most, axis=0)
    return scored(
        "B6.grpo-bounds",
        "smaller distance of T_plain/T_GRPO to its two bounds, relative",
        np.minimum(ratio / lower, upper / ratio) - 1,
        plain.reached & group.reached,
        where=proper & (later < 1 - 1e-9),
        success_rates=rates,
        log_policy=log_policy,
        gap=level,
    )


def _path(job, rates, log_policy) -> CheckResult:
    level = levels(job.rng, rates, log_policy, (0.1, 4.0))
    plain = run(rates, log_policy, level=level)
    group = run(
        rates,
        log_policy,
        update=flow_rule(sim.GRPO(GROUP), len(rates)),
        level=level,
        method="flow",
        progress=job.progress,
    )
    with np.errstate(invalid="ignore"):
        error = np.abs(plain.log_probs - group.log_probs)
    error = np.where(log_policy > -np.inf, error, 0.0).max(axis=-1)
    return scored(
        "B6.path",
        "",
        1 - error / (10 * NUMERICAL),
        plain.reached & group.reached,
        success_rates=rates,
        log_policy=log_policy,
        gap=level,
    )


def _tail(job, name, rates, log_policy) -> CheckResult:
    """The residual of the limit falls, or is below rounding."""
    rule, scale, power = TAILS[name]
    limit = theory.group_clocks.clock_tail(rates, log_policy, scale, power)
    exponential = power == -1  # a rate takes two gaps, and two rates three
    gaps = (*GAPS, GAPS[-1] ** 2) if exponential else GAPS
    runs = [
        run(
            rates,
            log_policy,
            update=_clock(rule, len(rates)),
            level=np.full(len(rates), gap),
            progress=job.progress,
        )
        for gap in gaps
    ]
    # In whatever clock, the states are those of the plain path.
    ok = np.all([r.reached for r in runs], axis=0)
    ok &= is_late(rates, log_policy, runs[0].log_probs)
    if exponential:
        residuals, floor = _of_rates(runs, gaps, limit)
    else:
        scaled = [
            np.exp(r.log_time + (1 + power) * np.log(gap))
            for r, gap in zip(runs, gaps, strict=True)
        ]
        residuals, floor = [np.abs(x / limit - 1) for x in scaled], FLOOR
    # In the plain clock log t is -log gap; the residual's exponent is B3's there.
    n, m, losers = counts(rates, log_policy)
    # In this clock it may be that of the clock's own correction, gap^(1/2).
    exponent = np.minimum(gap_exponent(n, m, losers), 0.5)
    times = [-np.log(gap) for gap in GAPS]
    margin, judged = decay(
        times[0], residuals[0], times[1], residuals[1], exponent, floor
    )
    return scored(
        f"B6.{name}",
        "measured exponent of the residual / claimed one - 1/2, over the gaps",
        margin,
        ok & judged & (floor < 1e-2),
        success_rates=rates,
        log_policy=log_policy,
    )


def _of_rates(runs, gaps, limit):
    """Residuals of the rate of log(1/gap) from gap to gap, and what is rounding there.

    The rate is its limit times 1 + O(gap^exponent), the exponent being that of the
    plain clock. The delay before counts for nothing, except for the digits it takes.
    """
    times = np.stack([r.time for r in runs])
    steps = -np.diff(np.log(gaps))[:, None]
    with np.errstate(invalid="ignore"):  # beyond 1e308
        between = np.maximum(np.diff(times, axis=0), 1e-12 * times[-1])
        residuals = np.abs(steps / between / limit - 1)
        floor = FLOOR + 1e-10 * np.max(times[1:] / between, axis=0)
    return residuals, np.where(np.isfinite(floor), floor, np.inf)


def _rare() -> CheckResult:
    """h/sqrt(G - 1) - 1 falls in proportion to p."""
    p = np.geomspace(1e-2, 1e-6, 5)
    rates, policy = np.tile([1.0, 0.0], (5, 1)), np.stack([p, 1 - p], axis=-1)
    h = np.exp(np.asarray(_factors(rates, np.log(policy))))
    # The limit as `theory` has it: its h at the rarest p.
    limit = theory.group_clocks.grpo(1e-12, GROUP)
    residual = np.abs(h / limit - 1)
    measured = np.log10(residual[:-1] / residual[1:])
    return scored(
        "B6.grpo-rare",
        "measured exponent of |h/sqrt(G-1) - 1| in p, less 1/2",
        np.minimum(measured - 0.5, 1 - np.abs(limit / np.sqrt(GROUP - 1) - 1) / 1e-9),
        success_rates=rates[1:],
        policy=policy[1:],
    )

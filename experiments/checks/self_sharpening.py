"""C2: paid for its own log-probability: velocities everywhere, and a part by flow."""

import numpy as np

import simulator as sim
import theory
from experiments.checks.followed import ANSWERS, SAVED, follow
from experiments.checks.random_problems import (
    SMALL,
    groups,
    kernels,
    log_normalised,
    padded,
)
from experiments.checks.result import CheckResult, Job, scored
from experiments.checks.runs import lane_values, run
from experiments.checks.velocity import velocities

FLOW = 4000  # problems for the numerical flow
EARLY = np.array([0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])  # natural gradient, e^3 = 20
LATE = np.geomspace(0.1, 1e4, SAVED)  # policy gradient
STRETCH = 0.5  # of time, over which a velocity is integrated
NODES, WEIGHTS = np.polynomial.legendre.leggauss(4)


def check(job: Job) -> list[CheckResult]:
    """Natural and plain gradient on the same problems, and two instances."""
    results = []
    for rates, log_policy in groups(job.rng, job.number, spread=1.5):
        kernel = kernels(job.rng, rates, ANSWERS)
        results.append(along_the_path(job, kernel, log_policy))
        results += at_the_start(kernel, log_policy)
    number = job.at_most(FLOW)
    for rates, log_policy in groups(job.rng, number, None, SMALL, spread=1.5):
        kernel = kernels(job.rng, rates, ANSWERS)
        results += _natural(job, kernel, log_policy)
        results += _plain(job, kernel, log_policy)
    if job.first:
        results += _instances()
    return results


def _problem(kernel, log_policy) -> sim.Problem:
    return sim.Problem(kernel[..., 0], logits=log_policy, answer_kernel=kernel)


def _velocity(problem, update, at):
    """The simulator's, 0 outside the support: `[B, K]`."""
    found = velocities(problem, sim.SequenceLogProbability(), update, at)
    return np.where(at > -np.inf, np.asarray(found), 0.0)


def along_the_path(job, kernel, log_policy) -> CheckResult:
    """The integral of the velocity along the predicted path is the path's change.

    Differences to the likeliest pattern, over a stretch that begins anywhere.
    """
    problem = _problem(kernel, log_policy)
    start = job.rng.uniform(0, EARLY[-1] - STRETCH, size=len(kernel))
    leader = np.argmax(log_policy, axis=-1)[:, None]

    def relative(values):
        finite = np.where(log_policy > -np.inf, values, 0.0)
        return finite - np.take_along_axis(finite, leader, axis=-1)

    def path(share):
        return theory.self_sharpening.sharpened_policy(
            kernel, log_policy, start + STRETCH * share
        )

    moved = np.zeros(log_policy.shape)
    for node, weight in zip((1 + NODES) / 2, WEIGHTS / 2, strict=True):
        speed = _velocity(problem, sim.NaturalGradient(), path(node))
        moved += STRETCH * weight * relative(speed)
    change = relative(path(1.0)) - relative(path(0.0))
    inside = log_policy > -np.inf
    error = np.where(inside, np.abs(moved - change) / (1 + np.abs(change)), 0.0)
    return scored(
        "C2.path",
        "1 - (relative error of a log-probability, or of its change by the simulator's "
        "velocity on the predicted path) / (1e-6; 1e-9 for velocities)",
        1 - error.max(axis=-1) / 1e-9,
        note="velocities along the path; a part by flow",
        kernel=kernel,
        log_policy=log_policy,
    )


def at_the_start(kernel, log_policy) -> list[CheckResult]:
    """Margins of the velocities in the proofs of order and mode, over the largest."""
    inputs = {"kernel": kernel, "log_policy": log_policy}
    problem, plain = _problem(kernel, log_policy), sim.PolicyGradient()
    speed = _velocity(problem, plain, log_policy)
    size = np.abs(speed).max(axis=-1) + 1e-300
    mode, second = np.argsort(-log_policy, axis=-1, kind="stable")[:, :2].T
    rise = _lead(speed, mode, log_policy > -np.inf)
    # Where two patterns are equally likely, the one of less entropy moves ahead.
    tied, lanes = log_policy.copy(), np.arange(len(kernel))
    tied[lanes, second] = tied[lanes, mode]
    tied = log_normalised(tied)
    entropy = -theory.feedback_classes.token_entropy(kernel, log_policy)
    less = lane_values(entropy, second) - lane_values(entropy, mode)
    at_tie = _velocity(problem, plain, tied)
    ahead = (lane_values(at_tie, mode) - lane_values(at_tie, second)) * np.sign(less)
    return [
        scored(
            "C2.order",
            f"smallest log pi_i/pi_j over ordered pairs and {SAVED} times, or its "
            "speed at 0 over the largest speed",
            ahead / (np.abs(at_tie).max(axis=-1) + 1e-300),
            where=np.abs(less) > 1e-9,
            allowance=1e-6,
            note="velocities at ties; a part by flow",
            **inputs,
        ),
        scored(
            "C2.mode",
            f"smallest rise of log pi_mode/pi_k between {SAVED} times, or its speed "
            "over the largest speed",
            rise / size,
            where=theory.self_sharpening.flat_with_a_mode(kernel, log_policy),
            allowance=1e-6,
            note="velocities at the start; a part by flow",
            **inputs,
        ),
    ]


def _follow_natural(kernel, log_policy, **options):
    return run(
        kernel[..., 0],
        log_policy,
        sim.SequenceLogProbability(),
        sim.NaturalGradient(),
        kernel=kernel,
        times=EARLY,
        method="flow",
        **options,
    )


def _follow_plain(kernel, log_policy, **options):
    return follow(kernel, log_policy, sim.SequenceLogProbability(), LATE, **options)


def _natural(job, kernel, log_policy) -> list[CheckResult]:
    runs = _follow_natural(kernel, log_policy, progress=job.progress)
    inside = log_policy > -np.inf
    worst = np.zeros(len(kernel))
    for i, time in enumerate(EARLY):
        expected = theory.self_sharpening.sharpened_policy(
            kernel, log_policy, np.full(len(kernel), time)
        )
        with np.errstate(invalid="ignore"):
            error = np.abs(runs.saved[:, i] - expected) / (1 + np.abs(expected))
        worst = np.maximum(worst, np.where(inside, error, 0.0).max(axis=-1))
    inputs = {"kernel": kernel, "log_policy": log_policy}
    winner = theory.self_sharpening.sharpening_winner(kernel, log_policy)
    known = winner != theory.intrinsic_time.UNRESOLVED
    final = runs.saved[:, -1]
    lead = _lead(final, np.maximum(winner, 0), inside)
    return [
        scored(
            "C2.path",
            "1 - (relative error of a log-probability) / 1e-6",
            1 - worst / 1e-6,
            runs.lasted,
            note="flow",
            **inputs,
        ),
        scored(
            "C2.winner",
            "log of (winner / next) at the last time; unresolved within e^-1 of a tie",
            lead,
            runs.lasted & (np.abs(lead) > 1),
            where=known,
            note="flow",
            **inputs,
        ),
        _late_trend(runs, kernel, log_policy),
    ]


def _lead(values, chosen, inside):
    """Value of the chosen pattern less the largest of another one: `[B]`."""
    own = np.take_along_axis(values, chosen[:, None], axis=-1)
    others = inside & (np.arange(values.shape[1]) != chosen[:, None])
    rest = np.where(others, values, -np.inf).max(axis=-1)
    return own[:, 0] - np.where(rest == -np.inf, own[:, 0] - 1, rest)


def _late_trend(runs, kernel, log_policy) -> CheckResult:
    """Sign of the accuracy's change, once `theory` says that it is final."""
    trend = theory.self_sharpening.late_trend(kernel, log_policy)
    winner = np.maximum(theory.self_sharpening.sharpening_winner(kernel, log_policy), 0)
    s = kernel[..., 0]
    merit = s - np.take_along_axis(s, winner[:, None], axis=-1)
    merit = np.where(log_policy > -np.inf, merit, 0.0)
    margin, seen = np.full(len(s), np.inf), np.zeros(len(s), bool)
    for i, time in enumerate(EARLY[:-1]):
        final = theory.self_sharpening.trend_is_final(
            kernel, log_policy, np.full(len(s), time)
        )
        now, later = (np.exp(runs.saved[:, j]) @ np.eye(s.shape[1]) for j in (i, i + 1))
        change = np.sum((later - now) * merit, axis=-1)
        size = np.sum((later + now) * np.abs(merit), axis=-1)
        visible = final & (np.abs(change) > 1e-6 * size) & (size > 1e-300)
        relative = change / np.where(visible, size, 1.0)
        margin = np.where(visible, np.minimum(margin, trend * relative), margin)
        seen |= visible
    return scored(
        "C2.late-trend",
        "change of accuracy in the claimed direction, relative; unresolved where the "
        "trend is not yet final",
        np.where(seen, margin, 0.0),
        runs.lasted & seen,
        where=trend != 0,
        note="flow",
        kernel=kernel,
        log_policy=log_policy,
    )


def _plain(job, kernel, log_policy) -> list[CheckResult]:
    runs = _follow_plain(kernel, log_policy, progress=job.progress)
    inside = log_policy > -np.inf
    path = np.where(inside[:, None], runs.saved, 0.0)
    kept = theory.self_sharpening.keeps_order(kernel, log_policy)
    pairs = kept.sum(axis=(1, 2)) > np.trace(kept, axis1=1, axis2=2)
    # Equal in both: a tie that any rounding breaks, and that is unstable.
    kept &= _not_tied(kernel, log_policy)
    ahead = path[..., :, None] - path[..., None, :]
    order = np.where(kept[:, None], ahead, np.inf).min(axis=(1, 2, 3))
    modes = np.argmax(log_policy, axis=-1)
    lead = np.take_along_axis(path, modes[:, None, None], axis=-1) - path
    start = np.where(inside, log_policy, 0.0)
    start = np.take_along_axis(start, modes[:, None], axis=-1) - start
    rise = np.diff(np.concatenate([start[:, None], lead], axis=1), axis=1)
    rise = np.where(inside[:, None], rise, np.inf).min(axis=(1, 2))
    winner = np.maximum(theory.self_sharpening.sharpening_winner(kernel, log_policy), 0)
    final = _lead(runs.saved[:, -1], winner, inside)
    two = (inside.sum(axis=-1) == 2) & (
        theory.self_sharpening.sharpening_winner(kernel, log_policy)
        != theory.intrinsic_time.UNRESOLVED
    )
    inputs = {"kernel": kernel, "log_policy": log_policy}
    return [
        scored(
            "C2.order",
            f"smallest log pi_i/pi_j over ordered pairs and {SAVED} times",
            np.where(np.isinf(order), 0.0, order),
            runs.lasted & np.isfinite(order),
            where=pairs,
            allowance=1e-6,
            note="flow",
            **inputs,
        ),
        scored(
            "C2.mode",
            f"smallest rise of log pi_mode/pi_k between {SAVED} times",
            rise,
            runs.lasted,
            where=theory.self_sharpening.flat_with_a_mode(kernel, log_policy),
            allowance=1e-6,
            note="flow",
            **inputs,
        ),
        scored(
            "C2.two-patterns",
            "log of (winner / other) at t = 1e4; unresolved within e^-1 of a tie",
            final,
            runs.lasted & (np.abs(final) > 1),
            where=two,
            note="flow",
            **inputs,
        ),
    ]


def _not_tied(kernel, log_policy):
    """`[B, K, K]`: pairs that differ, in entropy or in probability, visibly."""
    entropy = -theory.feedback_classes.token_entropy(kernel, log_policy)
    logits = np.where(log_policy > -np.inf, log_policy, 0.0)

    def differ(values):
        return np.abs(values[:, :, None] - values[:, None, :]) > 1e-9

    return differ(entropy) | differ(logits)


def _instance(kernel, policy):
    kernel = np.concatenate([kernel, np.zeros((len(kernel), 1))], axis=-1)
    return padded(kernel[None], np.log(policy)[None])


def _instances() -> list[CheckResult]:
    """The two counterexamples of `theory`, followed."""
    kernel, log_policy = _instance(*theory.self_sharpening.different_winners())
    inside = log_policy > -np.inf
    plain = _follow_plain(kernel, log_policy)
    natural = _follow_natural(kernel, log_policy)
    apart = np.minimum(
        _lead(plain.saved[:, -1], np.array([1]), inside),
        _lead(natural.saved[:, -1], np.array([0]), inside),
    )
    ratio_kernel, ratio_policy = _instance(*theory.self_sharpening.shrinking_ratio())
    runs = _follow_plain(ratio_kernel, ratio_policy)
    ratio = runs.saved[:, :, 0] - runs.saved[:, :, 1]
    start = ratio_policy[:, 0] - ratio_policy[:, 1]
    return [
        scored(
            "C2.same-winner",
            "smaller lead of the two different winners",
            apart,
            plain.lasted & natural.lasted,
            kernel=kernel,
            log_policy=log_policy,
        ),
        scored(
            "C2.ratio",
            "fall of log pi_0/pi_1 on the way",
            start - ratio.min(axis=1),
            runs.lasted,
            kernel=ratio_kernel,
            log_policy=ratio_policy,
        ),
    ]

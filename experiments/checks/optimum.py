"""A1: where KL-penalised updates pull, and where their flows come to rest."""

import numpy as np

import simulator as sim
import theory
from experiments.checks.random_problems import SMALL, groups, log_normalised
from experiments.checks.result import NUMERICAL, CheckResult, Job, scored
from experiments.checks.runs import NEVER, run
from experiments.checks.velocity import velocities

FLOW = 2000  # penalised flows take up to thousands of steps
MAX_STEPS = 30_000


def _off_optimum(rates, log_policy):
    return theory.support.gap(rates, log_policy) > 0.02


def check(job: Job) -> list[CheckResult]:
    """The pull at random policies and at the optimum; flows from the reference."""
    results = []
    for rates, log_policy in groups(job.rng, job.number):
        results += pointwise(job, rates, log_policy)
    number = job.at_most(FLOW)
    for group in groups(job.rng, number, _off_optimum, SMALL, spread=1.5):
        results += _at_rest(job, *group)
    return results


def pointwise(job, rates, log_reference) -> list[CheckResult]:
    """The identity of the claim, and its gradient: for any pi,

    `J(opt) - J(pi) = beta KL(pi || opt)`, and the natural gradient of J in the logits
    is `beta (log opt - log pi + KL(pi || opt))`, that in the simulator's own words.
    """
    betas = 10.0 ** job.rng.uniform(-2, 1, size=len(rates))
    inside = log_reference > -np.inf
    optimum = theory.optimum.optimal_policy(rates, log_reference, betas)
    # Also far from the reference.
    moved = log_reference + 3 * job.rng.normal(size=rates.shape)
    policy = log_normalised(np.where(inside, moved, -np.inf))
    lost = theory.optimum.kl_divergence(policy, optimum)
    ratio = np.where(inside, optimum, 0.0) - np.where(inside, policy, 0.0)
    pull = betas[:, None] * np.where(inside, ratio + lost[:, None], 0.0)
    scale = 1 + betas * (np.abs(ratio).max(axis=-1) + lost)

    problem = sim.Problem(rates, logits=log_reference)
    signal = sim.Verifiable()
    errors = []
    for rule, weight in (
        (sim.PolicyGradient, np.exp(policy)),
        (sim.NaturalGradient, 1),
    ):
        update = rule(beta=betas)
        for at, expected in ((policy, weight * pull), (optimum, 0.0)):
            found = np.asarray(velocities(problem, signal, update, at))
            error = np.where(inside, np.abs(found - expected), 0.0)
            errors.append(error.max(axis=-1))
    highest, score = (
        theory.optimum.objective(rates, at, log_reference, betas)
        for at in (optimum, policy)
    )
    errors.append(np.abs(highest - score - betas * lost))
    error = np.max(errors, axis=0) / scale

    bound = theory.optimum.limit_distance_bound(rates, log_reference, betas)
    distance = _off_best(rates, log_reference, optimum)
    inputs = {"success_rates": rates, "log_policy": log_reference, "beta": betas}
    return [
        scored(
            "A1.maximiser",
            "1 - (largest error of J, of its gradients, or of a log-probability that "
            "a flow ends at, relative) / (1e-12; 1e-6 for flows)",
            1 - error / 1e-12,
            allowance=0.0,
            note="at random policies; a part by flow until at rest",
            **inputs,
        ),
        scored(
            "A1.limit",
            "1 - (distance to the limit policy) / (its bound)",
            np.where(
                bound > 0, 1 - distance / np.where(bound > 0, bound, 1.0), -distance
            ),
            allowance=NUMERICAL,
            note="optima; a part by flow until at rest",
            **inputs,
        ),
    ]


def _off_best(rates, log_reference, policy):
    """How far the optimum is from the limit policy: its mass off the best patterns.

    A difference of the two would have no digits for a small beta.
    """
    best = theory.support.is_best(rates, log_reference)
    return np.sum(np.where(best, 0.0, np.exp(policy)), axis=-1)


def _at_rest(job, rates, log_policy) -> list[CheckResult]:
    betas = 10.0 ** job.rng.uniform(-2, 1, size=len(rates))
    predicted = theory.optimum.optimal_policy(rates, log_policy, betas)
    bound = theory.optimum.limit_distance_bound(rates, log_policy, betas)
    inputs = {"success_rates": rates, "log_policy": log_policy, "beta": betas}
    results = []
    # As in B7, which has the program: watched for a gap, with a reference.
    shared = {"level": np.full(len(rates), NEVER), "reference": np.exp(log_policy)}
    for rule, options in ((sim.PolicyGradient, {}), (sim.NaturalGradient, shared)):
        runs = run(
            rates,
            log_policy,
            update=rule(beta=betas),
            method="flow",
            max_steps=MAX_STEPS,
            progress=job.progress,
            **options,
        )
        with np.errstate(invalid="ignore"):
            error = np.abs(runs.log_probs - predicted)
        error = np.where(np.isinf(log_policy), 0.0, error).max(axis=-1)
        distance = _off_best(rates, log_policy, runs.log_probs)
        ends = {"resolved": runs.lasted, **inputs}
        results += [
            # A pattern is at rest only as exactly as its share lets it be.
            scored("A1.maximiser", "", 1 - error / 1e-6, allowance=0.0, **ends),
            scored("A1.limit", "", 1 - distance / bound, allowance=NUMERICAL, **ends),
        ]
    return results

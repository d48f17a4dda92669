"""A1: where KL-penalised flows come to rest, by the numerical flow."""

import numpy as np

import simulator as sim
import theory
from experiments.checks.result import NUMERICAL, CheckResult, Job, scored
from experiments.checks.running import run
from experiments.families import SMALLEST, groups

LIMIT = 2000  # penalised flows take thousands of steps
MAX_STEPS = 30_000


def _off_optimum(rates, log_policy):
    return theory.gap(rates, log_policy) > 0.02


def check(job: Job) -> list[CheckResult]:
    """Both gradients, from the reference, until at rest."""
    results = []
    number = job.at_most(LIMIT)
    for group in groups(job.rng, number, _off_optimum, SMALLEST, spread=1.5):
        rates, log_policy = group
        betas = 10.0 ** job.rng.uniform(-0.5, 1.0, size=len(rates))
        predicted = theory.optimal_policy(rates, log_policy, betas)
        limit = theory.limit_policy(rates, log_policy)
        bound = theory.limit_distance_bound(rates, log_policy, betas)
        for rule in (sim.PolicyGradient, sim.NaturalGradient):
            runs = run(
                rates,
                log_policy,
                update=rule(beta=betas),
                method="flow",
                max_steps=MAX_STEPS,
                progress=job.progress,
            )
            with np.errstate(invalid="ignore"):
                error = np.abs(runs.log_probs - predicted)
            error = np.where(np.isinf(log_policy), 0.0, error).max(axis=-1)
            distance = theory.total_variation(runs.log_probs, limit)
            inputs = {"success_rates": rates, "log_policy": log_policy, "beta": betas}
            # A pattern is at rest only as exactly as its share lets it be.
            results += [
                scored(
                    "A1.maximiser",
                    "1 - (largest error of a log-probability) / 1e-6",
                    1 - error / 1e-6,
                    runs.reached,
                    allowance=0.0,
                    note="flow",
                    **inputs,
                ),
                scored(
                    "A1.limit",
                    "1 - (distance to the limit policy) / (its bound)",
                    1 - distance / bound,
                    runs.reached,
                    allowance=NUMERICAL,
                    note="flow",
                    **inputs,
                ),
            ]
    return results

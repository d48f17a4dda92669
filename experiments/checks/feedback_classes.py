"""C1: which internal rewards are fixed, and what differentiating through them adds."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import simulator as sim
import theory
from experiments.checks.followed import ANSWERS, SAVED, ThroughSelfCertainty, follow
from experiments.checks.random_problems import SMALL, groups, kernels
from experiments.checks.result import CheckResult, Job, scored
from experiments.checks.velocity import velocity

TRAPPED = 2000
TIMES = np.geomspace(1, 30, SAVED)
SIGNALS = {
    "self-certainty": sim.SelfCertainty(),
    "token entropy": sim.TokenEntropy(),
    "sequence log-probability": sim.SequenceLogProbability(),
    "answer entropy": sim.AnswerEntropy(),
    "majority vote": sim.MajorityVote(),
    "self-consistency": sim.SelfConsistency(),
}
SHARED = ("self-certainty", "token entropy")


def _shared_score(name, log_probs, inside):
    """The pattern token's part of the objective: `KL(U || pi)` or `-H(pi)`."""
    log_pi = jnp.where(inside, log_probs, 0.0)
    if name == "self-certainty":
        return -jnp.sum(log_pi) / jnp.sum(inside)
    return jnp.sum(jnp.exp(log_pi) * log_pi * inside)


@functools.cache
def _velocities(name):
    """`(detached, through)` of a batch, from the simulator and by autodiff."""

    def one(kernel, log_policy):
        problem = sim.Problem(kernel[:, 0], logits=log_policy, answer_kernel=kernel)
        inside = log_policy > -jnp.inf

        def objective(theta):
            log_probs = jax.nn.log_softmax(jnp.where(inside, theta, -jnp.inf))
            # A pattern outside the support must not reach the derivative.
            safe = jnp.where(inside, log_probs, -1e3)
            paid = jnp.where(inside, SIGNALS[name](problem, safe), 0.0)
            mean = jnp.sum(jnp.exp(safe) * paid)
            return mean + (_shared_score(name, safe, inside) if name in SHARED else 0)

        through = jax.grad(objective)(jnp.where(inside, log_policy, 0.0))
        start = problem.log_policy
        return velocity(problem, SIGNALS[name], sim.PolicyGradient(), start), through

    return jax.jit(jax.vmap(one))


def check(job: Job) -> list[CheckResult]:
    """Velocities at every start, the trap by the flow."""
    results = []
    for rates, log_policy in groups(job.rng, job.number):
        kernel = kernels(job.rng, rates, ANSWERS)
        results += _claims(kernel, log_policy, job)
    if job.first:
        results.append(_trap(job))
    return results


def _claims(kernel, log_policy, job) -> list[CheckResult]:
    found = {}
    for i, name in enumerate(SIGNALS):
        detached, through = (
            np.asarray(v) for v in _velocities(name)(kernel, log_policy)
        )
        pair = (
            (
                detached,
                theory.feedback_classes.detached_velocity(name, kernel, log_policy),
            ),
            (
                through,
                theory.feedback_classes.through_velocity(name, kernel, log_policy),
            ),
        )
        errors = [np.abs(a - b).max(axis=-1) for a, b in pair]
        found[name] = 1 - np.maximum(*errors) / 1e-9
        if job.progress is not None:
            job.progress(i + 1, len(SIGNALS))
    shares = np.sort(theory.answers.answer_probabilities(kernel, log_policy), axis=-1)
    agree = np.minimum(found["sequence log-probability"], found["answer entropy"])
    # Next to a tie rounding decides who leads.
    clear = shares[:, -1] - shares[:, -2] > 1e-9
    agree = np.minimum(agree, np.where(clear, found["majority vote"], 1.0))
    measures = "1 - (largest error of both velocities, one of them by autodiff) / 1e-9"
    inputs = {"kernel": kernel, "log_policy": log_policy}
    return [
        scored("C1.self-certainty", measures, found["self-certainty"], **inputs),
        scored("C1.token-entropy", measures, found["token entropy"], **inputs),
        scored("C1.agree", measures, agree, **inputs),
        scored("C1.twice", measures, found["self-consistency"], **inputs),
    ]


def _trap(job) -> CheckResult:
    """The leader's logit leads by at least `margin * t` more than at the start."""

    def trapped(rates, log_policy):
        leader = np.exp(log_policy.max(axis=-1))
        return leader > 0.9

    number = job.at_most(TRAPPED)
    parts = list(groups(job.rng, number, trapped, SMALL))
    rates, log_policy = parts[0]
    kernel = kernels(job.rng, rates, ANSWERS)
    margin = theory.feedback_classes.trap_margin(kernel, log_policy)
    runs = follow(
        kernel, log_policy, ThroughSelfCertainty(), TIMES, progress=job.progress
    )
    leader = np.argmax(log_policy, axis=-1)[:, None]
    others = (log_policy > -np.inf) & (np.arange(log_policy.shape[1]) != leader)

    def lead(log_probs):
        with np.errstate(invalid="ignore"):
            ahead = np.take_along_axis(log_probs, leader, axis=-1) - log_probs
        return np.where(others, ahead, 0.0)

    assert runs.saved is not None
    growth = np.stack([lead(runs.saved[:, i]) for i in range(len(TIMES))], axis=1)
    growth = (growth - lead(log_policy)[:, None]) / TIMES[:, None]
    slowest = np.where(others[:, None], growth, np.inf).min(axis=(1, 2))
    return scored(
        "C1.trap",
        "(growth of the leader's log-ratios per time) / (its bound) - 1",
        slowest / np.where(margin > 0, margin, 1.0) - 1,
        runs.lasted,
        where=margin > 0,
        note="flow",
        allowance=1e-6,
        kernel=kernel,
        log_policy=log_policy,
    )

"""C5: several questions that share one policy; pass@n of exact final policies."""

import jax
import jax.numpy as jnp
import numpy as np

import simulator as sim
import theory
from experiments.checks.per_lane_rules import Menu
from experiments.checks.random_problems import groups
from experiments.checks.result import CheckResult, Job, scored
from experiments.checks.runs import run
from experiments.checks.velocity import velocities, velocity

QUESTIONS = 4
GROUPS = (4, 5, 8, 64, np.inf)
BEYOND = (1 + 1e-6, 1.5, 10.0)  # attempts, in units of the crossover bound


def _questions(rng, rates):
    """Success rates `[B, Q, K]`; two questions of four are hard for most patterns.

    A quarter of the lanes comes close to the crossover bound: pattern 0 solves all
    questions but one, which it fails a little more often than the others, which are
    equally good at all of them.
    """
    s = rng.uniform(size=(len(rates), QUESTIONS, rates.shape[1]))
    s[:, 0] = rates
    hard = rng.uniform(size=s[:, 2:].shape) < 0.5
    s[:, 2:] = np.where(hard, s[:, 2:] * 10.0 ** -rng.uniform(1, 3), s[:, 2:])
    close = rng.uniform(size=len(rates)) < 0.25
    level = rng.uniform(0.1, 0.6, size=(len(rates), 1, 1))
    tight = np.broadcast_to(level, s.shape).copy()
    tight[..., 0] = 1.0
    tight[:, -1, 0] = level[:, 0, 0] * rng.uniform(0.8, 0.99, size=len(rates))
    return np.where(close[:, None, None], tight, s)


@jax.jit
def _velocities(questions, means, log_policy):
    """Gradient of `mean_q pi . s_q` by autodiff, and the simulator's on mean rates."""

    def one(s, mean, log_pi):
        inside = log_pi > -jnp.inf

        def objective(theta):
            return jnp.mean(s @ jax.nn.softmax(jnp.where(inside, theta, -jnp.inf)))

        problem = sim.Problem(mean, logits=log_pi)
        by_hand = jax.grad(objective)(jnp.where(inside, log_pi, 0.0))
        rule = (sim.Verifiable(), sim.PolicyGradient())
        return by_hand, velocity(problem, *rule, problem.log_policy)

    return jax.vmap(one)(questions, means, log_policy)


def check(job: Job) -> list[CheckResult]:
    """Velocities; trained policies at the end of training and on the way."""
    results = []
    for rates, log_policy in groups(job.rng, job.number):
        questions = _questions(job.rng, rates)
        results += _claims(job, questions, log_policy)
    if job.first:
        results.append(_grpo())
    return results


def _claims(job, questions, log_policy) -> list[CheckResult]:
    inputs = {"questions": questions, "log_policy": log_policy}
    mean = theory.several_questions.mean_rates(questions)
    found = _velocities(questions, mean, log_policy)
    by_hand, single = (np.asarray(v) for v in found)
    # Sums of probabilities may exceed 1 by rounding.
    before = np.minimum(
        theory.several_questions.question_accuracies(questions, log_policy), 1.0
    )
    start = theory.support.gap(mean, log_policy)
    # Half of the runs stop early, the others when training is over.
    level = start * 10.0 ** -job.rng.choice([0.3, 6.0], size=len(start))
    runs = run(mean, log_policy, level=level, progress=job.progress)
    after = np.sum(np.exp(runs.log_probs)[:, None] * questions, axis=-1)
    after = np.minimum(after, 1.0)
    rise = (after.mean(axis=-1) - before.mean(axis=-1)) / start
    bound = theory.several_questions.crossover_bound(before, after)
    crosses = np.isfinite(bound)
    attempts = np.where(crosses, bound, 1.0)
    below = np.min(
        [
            -theory.several_questions.pass_change(
                before, after, np.maximum(x * attempts, 1e-9)
            )
            for x in BEYOND
        ],
        axis=0,
    )
    return [
        scored(
            "C5.mean",
            "1 - |gradient by autodiff - velocity on mean rates| / 1e-12; rise of "
            "pass@1",
            np.minimum(1 - np.abs(by_hand - single).max(axis=-1) / 1e-12, rise),
            runs.reached,
            **inputs,
        ),
        scored(
            "C5.crossover",
            "pass@n lost beyond the bound, over the largest term",
            below,
            runs.reached,
            where=crosses,
            **inputs,
        ),
        _one_crossing(before, after, runs.reached, inputs),
    ]


def _one_crossing(before, after, reached, inputs) -> CheckResult:
    """Signs of the change of pass@n on either side of the crossing."""
    one = theory.several_questions.has_one_crossing(before, after)
    crossing = np.where(one, theory.several_questions.crossing_n(before, after), 2.0)
    margin = np.full(len(one), np.inf)
    for share in (0.01, 0.5, 0.99):
        n = 1 + share * (crossing - 1)
        margin = np.minimum(
            margin, theory.several_questions.pass_change(before, after, n)
        )
    for factor in (1.01, 2.0, 20.0):
        n = factor * crossing
        margin = np.minimum(
            margin, -theory.several_questions.pass_change(before, after, n)
        )
    return scored(
        "C5.one-crossing",
        "change of pass@n with the claimed sign, at 6 numbers of attempts",
        margin,
        reached,
        where=one,
        **inputs,
    )


def _grpo() -> CheckResult:
    """The instance: at every policy and group size pass@1 falls under GRPO."""
    questions, _ = theory.several_questions.grpo_instance()
    mass = 1 / (1 + np.exp(-np.linspace(-8, 8, 9)))
    lanes = np.indices((len(GROUPS), len(mass), len(questions))).reshape(3, -1)
    log_policy = np.log(np.stack([mass, 1 - mass], axis=-1))[lanes[1]]
    theta = velocities(
        sim.Problem(questions[lanes[2]], logits=log_policy),
        sim.Verifiable(),
        Menu([sim.GRPO(size) for size in GROUPS], lanes[0]),
        log_policy,
    )
    theta, policy = np.asarray(theta), np.exp(log_policy)
    moved = policy * (theta - np.sum(policy * theta, axis=-1, keepdims=True))
    gained = (moved @ theory.several_questions.mean_rates(questions)).reshape(
        -1, len(questions)
    )
    policy = policy[:: len(questions)]
    return scored(
        "C5.grpo",
        "rate at which the instance loses pass@1, over those of single questions",
        -gained.mean(axis=-1) / np.abs(gained).mean(axis=-1),
        note="groups of " + ", ".join(f"{size:g}" for size in GROUPS),
        questions=np.broadcast_to(questions, (len(policy), *questions.shape)),
        policy=policy,
    )

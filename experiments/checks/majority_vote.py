"""C3: reward for agreeing with the majority, by the numerical flow."""

import jax
import jax.numpy as jnp
import numpy as np

import simulator as sim
import theory
from experiments.checks.followed import ANSWERS, SAVED, follow
from experiments.checks.random_problems import SMALL, groups, kernels, log_normalised
from experiments.checks.result import CheckResult, Job, scored
from experiments.checks.runs import run
from experiments.checks.velocity import velocity

LIMIT = 4000  # problems for the numerical flow
LEAST = -1e3  # log-probability of a champion, where there is none
MAX_STEPS = 3000  # where the vote stays tied, the flow cannot go on
TIMES = np.geomspace(0.1, 1e6, SAVED)
AFTER = np.geomspace(1e300, 1e307, SAVED)  # times that no run comes to


def check(job: Job) -> list[CheckResult]:
    """Speeds at every start; shares, flips and ends along the flow."""
    results = []
    for rates, log_policy in groups(job.rng, job.number):
        kernel = kernels(job.rng, rates, ANSWERS)
        results += _speeds(job, kernel, log_policy)
    number = job.at_most(LIMIT)
    for rates, log_policy in groups(job.rng, number, None, SMALL):
        kernel = _overtaken(job.rng, rates, log_policy)
        results += _three_answers(job, kernel, log_policy)
        results.append(_two_answers(job, rates, log_policy))
    if job.first:
        results.append(_flips(job))
    return results


def _overtaken(rng, rates, log_policy):
    """Random kernels; in a fifth of them the leader is bound to be overtaken.

    The correct answer leads nearly everywhere, but the pattern that gives it most often
    prefers a wrong one.
    """
    kernel = kernels(rng, rates, ANSWERS)
    right = 0.35 + 0.1 * rates
    best = np.where(log_policy > -np.inf, right, -1.0).argmax(axis=-1)
    wrong = np.where(
        np.arange(rates.shape[1]) == best[:, None], right + 0.05, 0.3 * right
    )
    built = np.stack([right, wrong, 1 - right - wrong], axis=-1)
    pick = rng.uniform(size=len(rates)) < 0.2
    return np.where(pick[:, None, None], built, kernel)


@jax.jit
def _drift(kernel, log_policy, paid):
    """`d P_pi(a)/dt` while the vote, or the answer `paid`, is paid: `[B, A]` each."""

    def one(kernel, log_policy, answer):
        problem = sim.Problem(kernel[:, 0], logits=log_policy, answer_kernel=kernel)

        def shares(theta):
            return jax.nn.softmax(theta) @ kernel

        def drift(signal):
            start = problem.log_policy
            speed = velocity(problem, signal, sim.PolicyGradient(), start)
            # A logit of -inf would make the derivative NaN.
            theta = jnp.maximum(log_policy, -1e3)
            return jax.jvp(shares, (theta,), (speed,))[1]

        return drift(sim.MajorityVote()), drift(sim.FixedConfidence(kernel[:, answer]))

    return jax.vmap(one)(kernel, log_policy, paid)


def _speeds(job, kernel, log_policy) -> list[CheckResult]:
    """Growth of the leading share, and of a challenger's lead, by autodiff."""
    shares = theory.answers.answer_probabilities(kernel, log_policy)
    leader = theory.feedback_classes.majority(kernel, log_policy)
    other = (leader + job.rng.integers(1, ANSWERS, size=len(leader))) % ANSWERS
    voted, paid = (np.asarray(d) for d in _drift(kernel, log_policy, other))

    def at(drift, answer):
        return np.take_along_axis(drift, answer[:, None], axis=-1)[:, 0]

    ordered = np.sort(shares, axis=-1)
    clear = ordered[:, -1] - ordered[:, -2] > 1e-9
    speed = theory.majority_vote.majority_speed(kernel, log_policy)
    first, second = theory.majority_vote.lead_speeds(kernel, log_policy, other)
    errors = [
        np.abs(at(voted, other) - at(voted, leader) - first),
        np.abs(at(paid, other) - at(paid, leader) - second),
    ]
    inputs = {"kernel": kernel, "log_policy": log_policy}
    jump = np.where(second - first >= -1e-15, 1.0, second - first)
    return [
        scored(
            "C3.share",
            "1 - |growth of the leading share - theory's| / 1e-9; flow: its falls",
            np.minimum(1 - np.abs(at(voted, leader) - speed) / 1e-9, speed + 1),
            where=clear,
            note="speeds at the start; the flow on a part",
            **inputs,
        ),
        scored(
            "C3.departure",
            "1 - (error of the lead's two speeds) / 1e-9; their difference is >= 0",
            np.minimum(1 - np.maximum(*errors) / 1e-9, jump),
            where=clear,
            note="speeds, by autodiff",
            **inputs,
        ),
    ]


def _vote(job, kernel, log_policy, times, **options):
    return follow(
        kernel,
        log_policy,
        sim.MajorityVote(),
        times,
        max_steps=MAX_STEPS,
        progress=job.progress,
        **options,
    )


def _three_answers(job, kernel, log_policy) -> list[CheckResult]:
    runs = _vote(job, kernel, log_policy, TIMES)
    inside = log_policy > -np.inf
    states = np.concatenate([log_policy[:, None], runs.saved], axis=1)
    shares = np.einsum("btk,bka->bta", np.exp(states), kernel)
    largest, leaders = shares.max(axis=-1), shares.argmax(axis=-1)
    first = theory.feedback_classes.majority(kernel, log_policy)
    absolute = theory.majority_vote.majority_is_absolute(kernel, log_policy)
    own = np.take_along_axis(shares, first[:, None, None], axis=-1)[..., 0]
    keeps = (own - np.where(own == largest, -np.inf, largest)).min(axis=1)
    flipped = (leaders != first[:, None]).any(axis=1)
    champions = theory.majority_vote.champions(kernel, log_policy)
    end = np.where(inside, runs.saved[:, -1], -np.inf)
    best = np.maximum(np.where(champions, end, -np.inf).max(axis=-1), LEAST)
    # On a plateau a pattern may hold nearly all the mass without being paid best.
    paid = np.take_along_axis(kernel, leaders[:, -1, None, None], axis=-1)[..., 0]
    paid = np.where(inside, paid, -1.0)
    top = np.take_along_axis(paid, end.argmax(axis=-1)[:, None], axis=-1)[:, 0]
    settled = (end.max(axis=-1) > np.log(0.999)) & (top == paid.max(axis=-1))
    inputs = {"kernel": kernel, "log_policy": log_policy}
    return [
        scored(
            "C3.share",
            "",
            np.diff(largest, axis=1).min(axis=1),
            runs.lasted,
            **inputs,
        ),
        scored(
            "C3.absolute",
            "smallest lead of the answer that had more than half of the votes",
            np.where(np.isinf(keeps), 1.0, keeps),
            runs.lasted,
            where=absolute,
            note="flow",
            **inputs,
        ),
        scored(
            "C3.must-flip",
            "1 where the leader was overtaken; unresolved where not yet at t = 1e6",
            np.where(flipped, 1.0, -1.0),
            runs.lasted & (flipped | settled),
            where=theory.majority_vote.must_flip(kernel, log_policy),
            note="flow",
            **inputs,
        ),
        scored(
            "C3.champion",
            "log of (likeliest champion / most likely pattern) at t = 1e6",
            best - end.max(axis=-1),
            runs.lasted & settled,
            where=theory.majority_vote.vote_settles(kernel, log_policy),
            note="flow",
            **inputs,
        ),
    ]


def _two_answers(job, rates, log_policy) -> CheckResult:
    """The vote against the fixed reward that it amounts to, at an equal gap."""
    kernel = np.stack([rates, 1 - rates, 0 * rates], axis=-1)
    accuracy = theory.answers.answer_probabilities(kernel, log_policy)[:, 0]
    paid = theory.majority_vote.vote_rewards(rates, log_policy)
    start = theory.support.gap(paid, log_policy)
    level = np.where(start > 0, start, 1.0) * 10.0 ** -job.rng.uniform(
        0.1, 3, size=len(rates)
    )
    vote = _vote(job, kernel, log_policy, AFTER, level=level)
    fixed = run(
        rates,
        log_policy,
        sim.FixedConfidence(paid),
        level=level,
    )
    with np.errstate(invalid="ignore"):
        error = np.abs(vote.log_probs - fixed.log_probs)
        late = np.abs(vote.log_time - fixed.log_time)
    error = np.where(log_policy > -np.inf, error, 0.0).max(axis=-1)
    error = np.maximum(error, np.where(vote.log_time == fixed.log_time, 0.0, late))
    return scored(
        "C3.two-answers",
        "1 - (difference of log-probabilities and log time to the fixed reward) / 1e-6",
        1 - error / 1e-6,
        vote.reached & fixed.reached,
        where=(np.abs(accuracy - 0.5) > 1e-9) & (start > 0),
        note="flow",
        success_rates=rates,
        log_policy=log_policy,
    )


def _flips(job) -> CheckResult:
    """Two patterns whose leading answer, the right one, is overtaken: when."""
    number = job.at_most(LIMIT // 4)
    rates = np.sort(job.rng.uniform(0.35, 0.48, size=(number, 2)), axis=-1)[:, ::-1]
    wrong = np.stack(
        [
            job.rng.uniform(rates[:, 0], 1 - rates[:, 0]),
            job.rng.uniform(0, rates[:, 1]),
        ],
        axis=-1,
    )
    rest = 1 - rates - wrong
    kernel = np.stack([rates, wrong, rest], axis=-1)
    policy = np.stack(2 * [job.rng.uniform(0.01, 0.3, size=number)], axis=-1)
    policy[:, 1] = 1 - policy[:, 0]
    kernel[0], policy[0] = theory.majority_vote.flip_instance()
    log_policy = log_normalised(np.log(policy))
    expected = theory.majority_vote.flip_time_two_patterns(kernel, log_policy)
    behind = kernel[..., 0] - kernel[..., 1]
    odds = -behind[:, 1] / behind[:, 0]
    share = odds / (1 + odds)
    level = share * kernel[:, 0, 0] + (1 - share) * kernel[:, 1, 0]
    here = (rest >= 0).all(axis=-1) & (
        theory.feedback_classes.majority(kernel, log_policy) == 0
    )
    here &= np.isfinite(expected) & (expected > 1e-3)
    here &= theory.majority_vote.must_flip(kernel, log_policy)
    runs = run(
        kernel[..., 0],
        log_policy,
        sim.MajorityVote(),
        kernel=kernel,
        until=sim.Accuracy(np.where(here, level, 0.0)),
        method="flow",
        max_steps=MAX_STEPS,
    )
    return scored(
        "C3.must-flip",
        "",
        1 - np.abs(runs.time / expected - 1) / 1e-6,
        runs.reached,
        where=here,
        kernel=kernel,
        log_policy=log_policy,
    )

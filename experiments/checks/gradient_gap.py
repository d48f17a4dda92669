"""C7: single steps of discrete training, in any direction and of any length.

A direction w whose entries sum to 0 is the policy gradient of the confidence
`w_k / pi_k`: so the simulator takes the step, trained by that confidence.
"""

import jax
import numpy as np
import optax

import simulator as sim
import theory
from experiments.checks.random_problems import groups, padded
from experiments.checks.result import CheckResult, Job, scored

SHARP = 0.1  # of the problems are near the instance in which the bounds are sharp
BEYOND = 1.01  # of the longest step
FAR = 100.0
REAL = 1e-7  # a loss of log-odds that is no rounding
AGAIN = 4  # steps, each too long


@jax.jit
def _train(rates, log_policy, confidence):
    """The policy after one step of size 1: `[B, K]`."""

    def one(rates, log_policy, confidence):
        problem = sim.Problem(rates, logits=log_policy)
        signal, update = sim.FixedConfidence(confidence), sim.PolicyGradient()
        done = sim.train(problem, signal, update, optax.sgd(1.0), num_steps=1)
        return done.log_probs

    return jax.vmap(one)(rates, log_policy, confidence)


def _stepped(rates, log_policy, direction, step):
    """The policy after a step along a direction that sums to 0."""
    inside = log_policy > -np.inf
    amount = np.asarray(step)[:, None] * direction
    pay = np.where(inside, amount, 0.0) / np.exp(np.where(inside, log_policy, 0.0))
    return np.asarray(_train(rates, log_policy, pay))


def _centred(direction, log_policy):
    """With sum 0 and largest size 1 on the support, 0 outside."""
    inside = log_policy > -np.inf
    direction = np.where(inside, direction, 0.0)
    mean = direction.sum(axis=-1) / inside.sum(axis=-1)
    direction = np.where(inside, direction - mean[:, None], 0.0)
    size = np.abs(direction).max(axis=-1, keepdims=True)
    return direction / np.where(size > 0, size, 1.0)


def _directions(rng, log_policy):
    """Of three kinds: any, one pattern up, and the gradient of some confidence."""
    shape = log_policy.shape
    kind = rng.integers(3, size=len(log_policy))[:, None]
    lot = np.where(log_policy > -np.inf, rng.uniform(size=shape), -1.0)
    up = lot == lot.max(axis=-1, keepdims=True)
    pay = theory.answers.push(rng.uniform(size=shape), log_policy)
    direction = np.where(
        kind == 0, rng.normal(size=shape), np.where(kind == 1, up, pay)
    )
    return _centred(direction, log_policy)


def _sharp(rng, number):
    """Problems and directions near the instance of the proof, padded."""
    right = rng.uniform(0.1, 0.9, size=number)
    policy = np.stack([right, (1 - right) / 2, (1 - right) / 2], axis=-1)
    direction = np.tile([0.0, 0.5, -0.5], (number, 1))
    direction[:, 0] = 10.0 ** -rng.uniform(0.5, 3, size=number)
    rates = np.tile([1.0, 0.0, 0.0], (number, 1))
    rates, log_policy = padded(rates, np.log(policy))
    direction, _ = padded(direction, np.log(policy))
    return rates, log_policy, _centred(direction, log_policy)


def check(job: Job) -> list[CheckResult]:
    """All claims on random problems; two instances."""
    results = []
    few = round(SHARP * job.number)
    for rates, log_policy in groups(job.rng, job.number - few):
        results += _claims(job, rates, log_policy, _directions(job.rng, log_policy))
        results.append(_own_gradient(job, rates, log_policy))
    if few:
        results += _claims(job, *_sharp(job.rng, few))
        results.append(_converse(job.rng, few))
    if job.first:
        results += _instances()
    return results


def _claims(job, rates, log_policy, direction) -> list[CheckResult]:
    """Margins in log-odds, over 1 + the range of the step."""
    start = theory.gradient_gap.log_odds(rates, log_policy)
    mixed = np.isfinite(start)
    # The other way where it leads down.
    gap = theory.gradient_gap.gradient_gap(rates, log_policy, direction)
    direction = np.where(gap < 0, -1.0, 1.0)[:, None] * direction
    gap = np.abs(gap)
    reach = np.ptp(direction, axis=-1)
    inputs = {"success_rates": rates, "log_policy": log_policy, "direction": direction}

    def gained(step):
        end = theory.gradient_gap.log_odds(
            rates, _stepped(rates, log_policy, direction, step)
        )
        with np.errstate(invalid="ignore"):
            return end - start

    def margin(room, step):
        return room / (1 + step * reach)

    any_step = 10.0 ** job.rng.uniform(-3, 3, size=len(rates))
    lower, upper = theory.gradient_gap.log_odds_bounds(
        rates, log_policy, direction, any_step
    )
    change = gained(any_step)
    longest = theory.gradient_gap.longest_step(rates, log_policy, direction)
    allowed = theory.gradient_gap.published_step(rates, log_policy, direction)
    # Half of the steps are as long as they may be.
    share = np.minimum(2 * job.rng.uniform(size=len(rates)), 1.0)
    part, half, short = share * longest, share * longest / 2, share * allowed
    shorter = longest / 2 / np.where(allowed > 0, 66 * allowed, 1.0) - 1
    moves = mixed & (reach > 0)
    return [
        scored(
            "C7.bounds",
            "distance of the change of log-odds to the bounds, over 1 + range",
            margin(np.minimum(change - lower, upper - change), any_step),
            where=moves,
            step=any_step,
            **inputs,
        ),
        scored(
            "C7.rise",
            "gain of log-odds, over 1 + range",
            margin(gained(part), part),
            where=moves & (part > 0),
            step=part,
            **inputs,
        ),
        scored(
            "C7.half",
            "gain of log-odds beyond half of the slope's, over 1 + range",
            margin(gained(half) - half * gap / 2, half),
            where=moves & (half > 0),
            step=half,
            **inputs,
        ),
        scored(
            "C7.published",
            "the same, and how much more than 66 times as short the step is",
            np.minimum(margin(gained(short) - short * gap / 2, short), shorter),
            where=moves & (short > 0),
            step=short,
            **inputs,
        ),
    ]


def _own_gradient(job, rates, log_policy) -> CheckResult:
    """Steps from a hundredth to ten thousand times the scale of the logits."""
    size = np.abs(theory.answers.push(rates, log_policy)).max(axis=-1)
    step = 10.0 ** job.rng.uniform(-2, 4, size=len(rates))
    step = step / np.where(size > 0, size, 1.0)
    before = theory.support.gap(rates, log_policy)
    end = _train(rates, log_policy, step[:, None] * rates)
    moves = before > 0
    after = theory.support.gap(rates, np.asarray(end))
    return scored(
        "C7.gradient",
        "share of the gap that a step takes away",
        1 - after / np.where(moves, before, 1.0),
        where=moves,
        success_rates=rates,
        log_policy=log_policy,
        step=step,
    )


def _converse(rng, number) -> CheckResult:
    """Too long steps one after the other, and a shorter one, by a shared parameter."""
    theta = rng.choice([-1.0, 1.0], number) * 10.0 ** rng.uniform(-1, 0, number)
    weights = np.exp(rng.normal(size=(number, 3)))
    features = rng.uniform(0.1, 1.0, size=(number, 3))
    apart = 10.0 ** rng.uniform(-3, 0, number)  # from the step that changes nothing
    case = theory.gradient_gap.mirrored(theta, weights, features)
    rates, start = padded(case.success_rates, case.log_policy)
    direction, _ = padded(case.direction, case.log_policy)
    direction = np.where(start > -np.inf, direction, 0.0)
    reach = np.ptp(direction, axis=-1)

    def gained(log_policy, direction, step):
        """Log-odds over 1 + the range of the step, if it is aligned; and where to."""
        end = _stepped(rates, log_policy, direction, step)
        change = theory.gradient_gap.log_odds(
            rates, end
        ) - theory.gradient_gap.log_odds(rates, log_policy)
        aligned = theory.gradient_gap.gradient_gap(rates, log_policy, direction) > 0
        return np.where(aligned, change / (1 + step * reach), np.nan), end

    worst, _ = gained(start, direction, (1 - apart) * case.turning)
    log_policy, step = start, (1 + apart) * case.turning
    for _ in range(AGAIN):
        gain, log_policy = gained(log_policy, direction, step)
        worst = np.minimum(worst, -gain)
        # On the other side, so much farther out.
        direction, step = -direction, (1 + 2 * apart) * step
    return scored(
        "C7.converse",
        "gain by a shorter step, loss by each of four too long, over 1 + range",
        np.where(np.isnan(worst), -np.inf, worst),
        success_rates=rates,
        log_policy=start,
        share_beyond=apart,
    )


def _instances() -> list[CheckResult]:
    """Aligned steps that lose accuracy: far ones, and one beyond the longest."""
    results = []
    for name, (rates, policy, direction), factor in (
        ("C7.aligned", theory.gradient_gap.overshoot_instance(), FAR),
        ("C7.longer", theory.gradient_gap.sharp_instance(), BEYOND),
    ):
        log_policy, rates = np.log(policy)[None], rates[None]
        direction = _centred(direction[None], log_policy)
        step = factor * theory.gradient_gap.longest_step(rates, log_policy, direction)
        end = _stepped(rates, log_policy, direction, step)
        lost = theory.gradient_gap.log_odds(
            rates, log_policy
        ) - theory.gradient_gap.log_odds(rates, end)
        aligned = theory.gradient_gap.gradient_gap(rates, log_policy, direction) > 0
        counts = aligned & (step > 0) & (lost > REAL)
        results.append(
            scored(
                name,
                "log-odds lost by an aligned step of the instance",
                np.where(counts, lost, -np.inf),
                note=f"step {step[0]:.3g}",
                success_rates=rates,
                log_policy=log_policy,
                direction=direction,
                step=step,
            )
        )
    return results

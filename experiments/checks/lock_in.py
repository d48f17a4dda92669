"""C6: success rates that are trained too.

The simulator keeps success rates fixed; here Diffrax moves both layers.
"""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import theory
from experiments.checks.random_problems import groups, log_normalised, padded
from experiments.checks.result import CheckResult, Job, scored
from experiments.checks.runs import blocks
from experiments.runtime.compiling import fast

CONSTANTS = 6
ALLOWED = 1e-6
LANES = 64  # that are stepped together: they wait for the slowest
NO_LOGIT = -1e3  # of a pattern outside the support
SHARES = np.linspace(0, 1, 9)  # of the horizon


@fast
@jax.vmap
def _both_layers(rates, log_policy, alpha, horizon):
    """`theta`, `z`, `int pi dt` at `SHARES` of the horizon: `[B, T, K]` each."""

    def field(share, state, _):
        theta, z, _ = state
        pi, s = jax.nn.softmax(theta), jax.nn.sigmoid(z)
        rise = pi * (s - pi @ s), 2 * alpha * pi * s * (1 - s), pi
        return jax.tree.map(lambda leaf: horizon * leaf, rise)

    start = (
        jnp.maximum(log_policy, NO_LOGIT),
        jnp.log(rates) - jnp.log1p(-rates),
        jnp.zeros_like(rates),
    )
    return diffrax.diffeqsolve(
        diffrax.ODETerm(field),
        diffrax.Tsit5(),
        0.0,
        1.0,
        None,
        start,
        saveat=diffrax.SaveAt(ts=jnp.asarray(SHARES)),
        stepsize_controller=diffrax.PIDController(rtol=1e-9, atol=1e-11),
        max_steps=100_000,
    ).ys


def both_layers(rates, log_policy, alpha, horizon):
    """States of `theta' = pi (s - ACC)`, `z' = 2 alpha pi s (1 - s)` at nine times.

    All arguments `[B]` or `[B, K]`. Returns times `[B, T]`, then policies, rates and
    `int pi dt`: `[B, T, K]` each.
    """
    parts = []
    for lanes in blocks(len(rates), LANES):
        block = (a[lanes] for a in (rates, log_policy, alpha, horizon))
        parts.append(_both_layers(*block))
    theta, z, received = (
        np.concatenate(part)[: len(rates)] for part in zip(*parts, strict=True)
    )
    policies = np.exp(log_normalised(theta))
    return horizon[:, None] * SHARES, policies, 1 / (1 + np.exp(-z)), received


def check(job: Job) -> list[CheckResult]:
    """Random cases for the clock, and plateaus of three patterns for the constant."""
    results = []
    for rates, log_policy in groups(job.rng, job.number, spread=1.0):
        results += _random_cases(job, 0.1 + 0.8 * rates, log_policy)
    if job.first:
        results += _plateaus(job)
    return results


def _random_cases(job: Job, rates, log_policy) -> list[CheckResult]:
    inside = log_policy > -np.inf
    lanes = np.arange(len(rates))
    best = np.where(inside, rates, -1.0).argmax(axis=-1)
    # In a third the likeliest pattern is the best one: a start that is locked.
    lucky = lanes[job.rng.uniform(size=len(rates)) < 1 / 3]
    raised = log_policy.copy()
    raised[lucky, best[lucky]] = log_policy[lucky].max(axis=-1) + 0.3
    log_policy = log_normalised(raised)
    # In order, so that lanes that are stepped together need about as many steps.
    alpha = np.sort(10.0 ** job.rng.uniform(-3, 1, size=len(rates)))
    horizon = 10.0 ** job.rng.uniform(0, 2.3, size=len(rates))
    times, policies, later, received = both_layers(rates, log_policy, alpha, horizon)

    known = inside[:, None]
    clock = theory.lock_in.rate_clock(
        np.where(known, np.clip(later, None, 1 - 1e-15), 0.5)
    )
    gained = clock - theory.lock_in.rate_clock(rates)[:, None]
    error = np.abs(gained - alpha[:, None, None] * received) / (1 + np.abs(clock))
    error = np.where(known, error, 0.0).max(axis=(1, 2))
    # While the clock says safe, no pattern that was worse is better.
    safe = (
        alpha[:, None] * times < theory.lock_in.safe_clock(rates, log_policy)[:, None]
    )
    worse = theory.support.is_suboptimal(rates, log_policy)
    ahead = later[lanes, :, best][..., None] - later
    ahead = np.where(worse[:, None], ahead, np.inf).min(axis=-1)
    ahead = np.where(safe, ahead, np.inf).min(axis=-1)
    first = np.argmax(log_policy, axis=-1)
    leader = policies[lanes, :, first]
    rest = inside & (np.arange(rates.shape[1]) != first[:, None])
    lead = leader - np.where(rest[:, None], policies, 0.0).max(axis=-1)
    growth = np.minimum(np.diff(lead).min(axis=1), leader[:, -1] - leader[:, 0])
    inputs = {"success_rates": rates, "log_policy": log_policy, "alpha": alpha}
    inputs |= {"horizon": horizon}
    return [
        scored(
            "C6.clock",
            "1 - (error of G(s_k) - G(s_k(0)), relative) / 1e-6",
            1 - error / ALLOWED,
            allowance=ALLOWED,
            **inputs,
        ),
        scored(
            "C6.safe",
            "smallest lead of the best rate while it is safe",
            ahead,
            where=np.isfinite(ahead),
            allowance=ALLOWED,
            **inputs,
        ),
        scored(
            "C6.locked",
            "smallest growth of the leader's mass, and of its lead over the start",
            growth,
            where=theory.lock_in.is_locked(rates, log_policy),
            allowance=ALLOWED,
            **inputs,
        ),
    ]


def _plateaus(job: Job) -> list[CheckResult]:
    """Just below the threshold the best pattern wins, just above the rival does."""
    cases = [(0.9, 0.5, 0.2), (0.9, 0.8, 0.2), (0.8, 0.3, 0.1), (0.9, 0.5, 0.4)]
    while len(cases) < CONSTANTS:
        drawn = np.sort(job.rng.uniform(0.1, 0.9, size=3))[::-1]
        cases.append(tuple(drawn + np.array([0.05, 0.0, -0.05])))
    best, rival, worst = (np.array(column) for column in zip(*cases, strict=True))
    constant = theory.lock_in.lock_in_constant(best, rival, worst[:, None])
    lower, upper = theory.lock_in.lock_in_bounds(best, rival, worst[:, None])
    rare, share = 1e-3, 0.6
    policy = np.array([rare, (1 - rare) * share, (1 - rare) * (1 - share)])
    log_policy = np.tile(np.log(policy), (CONSTANTS, 1))
    rates, log_policy = padded(np.stack([best, rival, worst], axis=-1), log_policy)
    predicted = theory.lock_in.lock_in_rate(rates, log_policy)
    time = 6 * constant / predicted  # six times until they cross
    wins = []
    for factor in (0.9, 1.1):
        _, policies, _, _ = both_layers(rates, log_policy, factor * predicted, time)
        wins.append(policies[:, -1, 0] - policies[:, -1, 1])
    note = f"{CONSTANTS} plateaus: slow predictions"
    inputs = {"success_rates": rates, "log_policy": log_policy}
    return [
        scored(
            "C6.bounds",
            "smaller distance of C to its bounds",
            np.minimum(1 - lower / constant, 1 - constant / upper),
            allowance=ALLOWED,
            note=note,
            **inputs,
        ),
        scored(
            "C6.constant",
            "lead of the winner at 0.9 and at 1.1 of the threshold rate, pi_0 = 1e-3",
            np.minimum(wins[0], -wins[1]),
            allowance=ALLOWED,
            note=note,
            **inputs,
        ),
    ]

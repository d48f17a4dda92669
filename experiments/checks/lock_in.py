"""C6: success rates that are trained too. Integrated case by case, so only a handful.

The simulator keeps success rates fixed; here both layers are integrated by SciPy.
"""

import numpy as np
from scipy.integrate import solve_ivp

import theory
from experiments.checks.result import CheckResult, Job, merged, scored

CASES = 24
CONSTANTS = 6
ALLOWED = 1e-6


def _softmax(theta):
    weights = np.exp(theta - theta.max())
    return weights / weights.sum()


def both_layers(rates, log_policy, alpha, horizon, points=25):
    """States of `theta' = pi (s - ACC)`, `z' = 2 alpha pi s (1 - s)` at some times.

    Returns times, policies `[T, K]`, rates `[T, K]` and `int pi dt` `[T, K]`.
    """
    K = len(rates)

    def field(t, state):
        theta, z = state[:K], state[K : 2 * K]
        pi, s = _softmax(theta), 1 / (1 + np.exp(-z))
        return np.concatenate([pi * (s - pi @ s), 2 * alpha * pi * s * (1 - s), pi])

    times = np.linspace(0, horizon, points)[1:]
    start = np.concatenate([log_policy, np.log(rates / (1 - rates)), np.zeros(K)])
    run = solve_ivp(
        field,
        (0, horizon),
        start,
        method="DOP853",
        rtol=1e-10,
        atol=1e-12,
        t_eval=times,
    )
    states = run.y.T
    policies = np.stack([_softmax(theta) for theta in states[:, :K]])
    return times, policies, 1 / (1 + np.exp(-states[:, K : 2 * K])), states[:, 2 * K :]


def check(job: Job) -> list[CheckResult]:
    """Random cases for the clock, and plateaus of three patterns for the constant."""
    if not job.first:
        return []
    results, number = [], min(CASES, job.total)
    for i in range(number):
        results += _random_case(job)
        if job.progress is not None:
            job.progress(i + 1, number)
    for i in range(min(CONSTANTS, job.total)):
        results += _plateau(job, i)
    claims: dict[str, list[CheckResult]] = {}
    for result in results:
        claims.setdefault(result.id, []).append(result)
    return [merged(parts) for parts in claims.values()]


def _one(name, measures, margin, where=True, **inputs) -> CheckResult:
    return scored(
        name,
        measures,
        [margin],
        where=[where],
        allowance=ALLOWED,
        note="a handful: both layers by SciPy",
        **{key: np.asarray(value)[None] for key, value in inputs.items()},
    )


def _random_case(job: Job) -> list[CheckResult]:
    K = int(job.rng.integers(2, 6))
    rates = job.rng.uniform(0.1, 0.9, size=K)
    logits = job.rng.normal(size=K)
    if job.rng.uniform() < 0.5:
        # A start that is locked: the likeliest pattern is the best one.
        logits[np.argmax(rates)] = logits.max() + 0.3
    log_policy = np.log(_softmax(logits))
    alpha = 10.0 ** job.rng.uniform(-3, 1)
    times, policies, later, received = both_layers(rates, log_policy, alpha, 200.0)
    clock = theory.rate_clock(np.clip(later, None, 1 - 1e-15))
    gained = clock - theory.rate_clock(rates)
    expected = alpha * received
    error = np.max(np.abs(gained - expected) / (1 + np.abs(clock)))
    best = np.argmax(rates)
    # While the clock says safe, no other pattern is better.
    safe = alpha * times < theory.safe_clock(rates, log_policy)
    others = np.delete(np.arange(K), best)
    lead = (later[:, [best]] - later[:, others]).min(axis=-1)
    locked = bool(theory.is_locked(rates, log_policy))
    first = np.argmax(log_policy)
    ahead = policies[:, first] - np.delete(policies, first, axis=1).max(axis=-1)
    inputs = {"success_rates": np.append(rates, np.full(5 - K, 0.5))}
    inputs |= {"policy": np.append(np.exp(log_policy), np.zeros(5 - K))}
    inputs |= {"alpha": alpha}
    return [
        _one(
            "C6.clock",
            "1 - (error of G(s_k) - G(s_k(0)), relative) / 1e-6",
            1 - error / 1e-6,
            **inputs,
        ),
        _one(
            "C6.safe",
            "smallest lead of the best rate while it is safe",
            np.min(lead[safe], initial=1.0),
            **inputs,
        ),
        _one(
            "C6.locked",
            "smallest growth of the leader's mass, and of its lead over the start",
            min(np.diff(ahead).min(), policies[-1, first] - policies[0, first]),
            where=locked,
            **inputs,
        ),
    ]


def _plateau(job: Job, i: int) -> list[CheckResult]:
    """Just below the threshold the best pattern wins, just above the rival does."""
    cases = [(0.9, 0.5, 0.2), (0.9, 0.8, 0.2), (0.8, 0.3, 0.1), (0.9, 0.5, 0.4)]
    if i < len(cases):
        rates = np.array(cases[i])
    else:
        rates = np.sort(job.rng.uniform(0.1, 0.9, size=3))[::-1]
        rates = rates + np.array([0.05, 0.0, -0.05])
    constant = float(theory.lock_in_constant(rates[0], rates[1], rates[2:]))
    lower, upper = theory.lock_in_bounds(rates[0], rates[1], rates[2:])
    rare, share = 1e-3, 0.6
    policy = np.array([rare, (1 - rare) * share, (1 - rare) * (1 - share)])
    predicted = float(theory.lock_in_rate(rates, np.log(policy)))
    crossing = constant / predicted
    wins = []
    for factor in (0.9, 1.1):
        _, policies, _, _ = both_layers(
            rates, np.log(policy), factor * predicted, 6 * crossing, points=3
        )
        wins.append(policies[-1, 0] - policies[-1, 1])
    inputs = {"success_rates": rates, "policy": policy}
    margin = min(1 - lower / constant, 1 - constant / upper)
    return [
        _one("C6.bounds", "smaller distance of C to its bounds", margin, **inputs),
        _one(
            "C6.constant",
            "lead of the winner at 0.9 and at 1.1 of the threshold rate, pi_0 = 1e-3",
            min(wins[0], -wins[1]),
            **inputs,
        ),
    ]

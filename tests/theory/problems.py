"""Random problems with unequal rates, and the plain flow that needs no closed form."""

import numpy as np
from scipy.integrate import solve_ivp

from tests.oracles import softmax


def random_problem(rng, K, spread=1.0):
    """Distinct success rates and a policy from random logits: `[K]` each."""
    rates = rng.uniform(0.05, 0.95, size=K)
    logits = spread * rng.normal(size=K)
    return rates, logits - np.log(np.exp(logits).sum())


def padded_batch(rng, accept, count, K=5, spread=1.5):
    """`count` accepted problems of 3 to K patterns; the rest has no mass, rate nan."""
    rates, log_policy = np.full((count, K), np.nan), np.full((count, K), -np.inf)
    for lane in range(count):
        size = rng.integers(3, K + 1)
        while True:
            s, log_pi = random_problem(rng, size, spread)
            if accept(s, log_pi):
                break
        places = rng.permutation(K)[:size]
        rates[lane, places], log_policy[lane, places] = s, log_pi
    return rates, log_policy


def flow_at(rewards, log_policy, time):
    """The policy after `time` by stepping `theta_k' = pi_k (rho_k - rho_bar)`."""

    def field(t, theta):
        pi = softmax(theta)
        return pi * (rewards - pi @ rewards)

    run = solve_ivp(
        field, (0, time), log_policy, method="DOP853", rtol=1e-11, atol=1e-12
    )
    return softmax(run.y[:, -1])


def flow_path(rewards, log_policy, times, integrands=(), clock=None):
    """Policies `[T, K]` at `times`, and `int_0^t f(pi) dt` for each integrand `[T, F]`.

    `clock` is a factor on the velocity, a function of the policy.
    """
    size = len(rewards)

    def field(t, state):
        pi = softmax(state[:size])
        speed = 1.0 if clock is None else clock(pi)
        velocity = speed * pi * (rewards - pi @ rewards)
        return np.concatenate([velocity, [f(pi) for f in integrands]])

    run = solve_ivp(
        field,
        (0, times[-1]),
        np.concatenate([log_policy, np.zeros(len(integrands))]),
        method="DOP853",
        rtol=1e-11,
        atol=1e-12,
        t_eval=times,
    )
    policies = np.stack([softmax(theta) for theta in run.y[:size].T])
    return policies, run.y[size:].T

"""The equations written out once more, in plain NumPy and SciPy, for comparison."""

import numpy as np
from scipy.integrate import solve_ivp


def softmax(logits):
    weights = np.exp(logits - np.max(logits))
    return weights / weights.sum()


def qpg(state, fitness):
    """OpenSpiel's policy-gradient dynamics in probability space (egt/dynamics.py)."""
    regret = fitness - state @ fitness
    return state * (state * regret - np.sum(state**2 * regret))


def hitting_times(success_rates, logits, functions, horizon):
    """Times at which each `function(pi)` first rises through 0, by DOP853."""
    rates = np.asarray(success_rates)

    def field(t, theta):
        pi = softmax(theta)
        return pi * (rates - pi @ rates)

    def event(function):
        def value(t, theta):
            return function(softmax(theta))

        value.direction = 1
        return value

    run = solve_ivp(
        field,
        (0, horizon),
        logits,
        method="DOP853",
        rtol=1e-11,
        atol=1e-12,
        events=[event(f) for f in functions],
    )
    return [times[0] if len(times) else np.inf for times in run.t_events]

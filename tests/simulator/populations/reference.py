"""The equations of a population in NumPy, integrated by SciPy."""

import math

import numpy as np
from scipy.integrate import solve_ivp


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def policy_gradient(pi, rewards):
    """`pi (rho - rho_bar)`, `[Q, K]`."""
    mean = np.sum(pi * rewards, axis=-1, keepdims=True)
    return pi * (rewards - mean)


def grpo_clock(p, size):
    """`E[q (1 - q) / spread] / (p (1 - p))` by going through all groups."""
    total = np.zeros_like(p)
    for wins in range(1, size):
        share = wins / size
        chance = math.comb(size, wins) * p**wins * (1 - p) ** (size - wins)
        total += chance * math.sqrt(share * (1 - share))
    return total / (p * (1 - p))


def integrate(field, start, times, rtol=1e-10):
    """The state at each of the times."""
    found = solve_ivp(
        lambda t, y: field(y),
        (0.0, times[-1]),
        start,
        method="DOP853",
        rtol=rtol,
        atol=1e-12,
        t_eval=times,
    )
    assert found.success
    return found.y.T

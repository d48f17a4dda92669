"""Code that users would write today: plain Diffrax and SciPy, in physical time.

Both take `remaining(xp, pi, s)`, which falls to 0 at the event, and stop there; rtol =
atol = 1e-8 unless given. `xp` is the array library.
"""

import time

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
from scipy.integrate import solve_ivp

HORIZON = 1e30


def diffrax_peer(remaining, max_steps):
    """A compiled `vmap` of Tsit5: hitting times, and whether there is one."""

    def field(t, theta, s):
        pi = jax.nn.softmax(theta)
        return pi * (s - pi @ s)

    def left(t, y, args, **kwargs):
        return remaining(jnp, jax.nn.softmax(y), args)

    event = diffrax.Event(left, optimistix.Newton(1e-10, 1e-10, optimistix.max_norm))

    def one(s, theta):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            diffrax.Tsit5(),
            0.0,
            HORIZON,
            1e-2,
            theta,
            args=s,
            event=event,
            throw=False,
            max_steps=max_steps,
            stepsize_controller=diffrax.PIDController(rtol=1e-8, atol=1e-8),
        )
        return solution.ts[0], solution.result == diffrax.RESULTS.event_occurred

    return jax.jit(jax.vmap(one))


class _OutOfTime(Exception):
    pass


def scipy_peer(remaining, s, theta, seconds, tolerance=1e-8):
    """Hitting time by RK45 (NaN if cut) and seconds taken."""
    start = time.perf_counter()

    def softmax(x):
        w = np.exp(x - x.max())
        return w / w.sum()

    def field(t, x):
        if time.perf_counter() - start > seconds:
            raise _OutOfTime
        pi = softmax(x)
        return pi * (s - pi @ s)

    def left(t, x):
        return remaining(np, softmax(x), s)

    left.terminal = True
    try:
        run = solve_ivp(
            field, (0, HORIZON), theta, rtol=tolerance, atol=tolerance, events=left
        )
        hit = run.t_events[0]
        answer = hit[0] if len(hit) else np.nan
    except _OutOfTime:
        answer = np.nan
    return answer, time.perf_counter() - start


def warm(function, repeats):
    """The result, the time to compile, and the best time of the repeats."""
    start = time.perf_counter()
    result = jax.block_until_ready(function())
    first = time.perf_counter() - start
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        result = jax.block_until_ready(function())
        best = min(best, time.perf_counter() - start)
    return result, first - best, best

"""Hitting time of gap 1e-2 on 10,000 random problems: this flow against peers.

Peers: plain `vmap` of Diffrax's Tsit5 and a loop of SciPy's RK45, both in physical time
with rtol = atol = 1e-8. Prints one JSON object. Times are of warm calls, the best of
the repeats; compile time is apart. SciPy runs on the first `--scipy-problems` lanes and
is compared per problem; lanes that pass `--scipy-seconds` are cut and counted as that
long, which favours SciPy.

    python benchmarks/hitting_time.py
"""

import argparse
import json
import platform
import time

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
from scipy.integrate import solve_ivp

import simulator as sim

LEVEL, HORIZON = 1e-2, 1e30


def problems(number, K=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=(number, K)), 2 * rng.normal(size=(number, K))


def flow(rates, logits, tolerance=None):
    problem = sim.Problem(rates, logits=logits)
    return sim.flow(
        problem, sim.Verifiable(), until=sim.Gap(LEVEL), tolerance=tolerance
    )


def diffrax_peer(max_steps):
    def field(t, theta, s):
        pi = jax.nn.softmax(theta)
        return pi * (s - pi @ s)

    def remaining(t, y, args, **kwargs):
        return jax.nn.softmax(y) @ (jnp.max(args) - args) - LEVEL

    event = diffrax.Event(
        remaining, optimistix.Newton(1e-10, 1e-10, optimistix.max_norm)
    )

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


def scipy_peer(s, theta, seconds):
    """Hitting time (NaN if cut) and seconds taken."""
    start = time.perf_counter()

    def softmax(x):
        w = np.exp(x - x.max())
        return w / w.sum()

    def field(t, x):
        if time.perf_counter() - start > seconds:
            raise _OutOfTime
        pi = softmax(x)
        return pi * (s - pi @ s)

    def remaining(t, x):
        return softmax(x) @ (s.max() - s) - LEVEL

    remaining.terminal = True
    try:
        run = solve_ivp(
            field, (0, HORIZON), theta, rtol=1e-8, atol=1e-8, events=remaining
        )
        hit = run.t_events[0]
        answer = hit[0] if len(hit) else np.nan
    except _OutOfTime:
        answer = np.nan
    return answer, time.perf_counter() - start


def warm(function, repeats):
    start = time.perf_counter()
    result = jax.block_until_ready(function())
    first = time.perf_counter() - start
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        result = jax.block_until_ready(function())
        best = min(best, time.perf_counter() - start)
    return result, first - best, best


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--scipy-problems", type=int, default=60)
    parser.add_argument("--scipy-seconds", type=float, default=2.0)
    parser.add_argument("--max-steps", type=int, default=4096)
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rates, logits = problems(args.problems)

    ours, compile_ours, time_ours = warm(lambda: flow(rates, logits), 3)
    reference = flow(rates, logits, tolerance=1e-11)
    moved = np.isfinite(reference.log_time)
    error = np.abs(np.expm1(ours.log_time[moved] - reference.log_time[moved]))
    peer = diffrax_peer(args.max_steps)
    (times, hit), compile_peer, time_peer = warm(lambda: peer(rates, logits), 1)
    slow = [
        scipy_peer(rates[i], logits[i], args.scipy_seconds)
        for i in range(args.scipy_problems)
    ]
    seconds = np.array([s for _, s in slow])
    print(
        json.dumps(
            {
                "machine": platform.machine(),
                "device": jax.devices()[0].device_kind,
                "versions": {"jax": jax.__version__, "diffrax": diffrax.__version__},
                "problems": args.problems,
                "ours_s": time_ours,
                "ours_compile_s": compile_ours,
                "ours_unresolved": int(
                    (sim.outcome_names(ours.outcome) != "reached").sum()
                ),
                "ours_worst_relative_error": float(error.max()),
                "ours_longest_log10_time": float(ours.log_time.max() / np.log(10)),
                "diffrax_max_steps": args.max_steps,
                "diffrax_s": time_peer,
                "diffrax_compile_s": compile_peer,
                "diffrax_unresolved": int((~np.asarray(hit)).sum()),
                "scipy_problems": args.scipy_problems,
                "scipy_seconds_allowed": args.scipy_seconds,
                "scipy_ms_per_problem": float(1e3 * seconds.mean()),
                "scipy_cut": int((seconds >= args.scipy_seconds).sum()),
                "times_faster_than_diffrax": time_peer / time_ours,
                "times_faster_than_scipy": float(
                    seconds.mean() * args.problems / time_ours
                ),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()

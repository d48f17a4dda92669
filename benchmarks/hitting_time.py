"""Hitting time of gap 1e-2 on random problems: both engines against peers, in one run.

Peers: plain `vmap` of Diffrax's Tsit5 and a loop of SciPy's RK45, both in physical time
with rtol = atol = 1e-8. Prints one JSON object. Times are of warm calls, the best of
the repeats; compile time is apart; ratios are per problem. SciPy runs on the first
`--scipy-problems` lanes; lanes that pass `--scipy-seconds` are cut and counted as that
long, and Diffrax is cut at `--max-steps`: both favour the peer.

The floor is the time that the arithmetic which the exact engine cannot do without takes
at the rates of this machine, measured in the same run: per stretch two iterations at 24
nodes, each one division per pattern, one exponential and one logarithm; and per pattern
four exponentials and a logarithm to set it up and to look at its end.

    python benchmarks/hitting_time.py
"""

import argparse
import json
import os
import platform
import resource

os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(os.cpu_count()))

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from peers import diffrax_peer, scipy_peer, warm

import simulator as sim

LEVEL, PATTERNS = 1e-2, 8


def remaining(xp, pi, s):
    return pi @ (xp.max(s) - s) - LEVEL


def problems(number, seed=0):
    rng = np.random.default_rng(seed)
    shape = (number, PATTERNS)
    return rng.uniform(size=shape), 2 * rng.normal(size=shape)


def solve(method, rates, logits, tolerance=None):
    problem = sim.Problem(rates, logits=logits)
    return sim.solve(
        problem,
        sim.Verifiable(),
        method=method,
        until=sim.Gap(LEVEL),
        tolerance=tolerance,
    )


def seconds_per_operation():
    """Of division, exponential and logarithm, all devices busy."""
    devices, size, repeats = jax.local_devices(), 2**13, 200
    rates = {}
    for name, function in (
        ("divide", lambda y: 1 / (1 + y)),
        ("exp", lambda y: jnp.exp(-y)),
        ("log", lambda y: jnp.log(1.5 + y)),
    ):

        def many(y, function=function):
            return jax.lax.fori_loop(0, repeats, lambda _, y: function(y), y)

        run = jax.pmap(many)
        start = jnp.ones((len(devices), size))
        _, _, best = warm(lambda run=run, start=start: run(start), 5)
        rates[name] = best / (repeats * size * len(devices))
    return rates


def floor(steps, rate):
    """Seconds per problem; see the module's docstring."""
    nodes, iterations = 24, 2
    visits = steps * nodes * iterations
    return visits * (
        PATTERNS * rate["divide"] + rate["exp"] + rate["log"]
    ) + steps * PATTERNS * (4 * rate["exp"] + rate["log"])


def unresolved(solution):
    return int((solution.outcome_names != "reached").sum())


def worst_error(solution, reference):
    """Of the hitting times, relative; a start within the level has no time."""
    moved = np.isfinite(reference.log_time)
    difference = solution.log_time[moved] - reference.log_time[moved]
    return float(np.abs(np.expm1(difference)).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--exact-problems", type=int, default=1_000_000)
    parser.add_argument("--scipy-problems", type=int, default=60)
    parser.add_argument("--scipy-seconds", type=float, default=2.0)
    parser.add_argument("--max-steps", type=int, default=4096)
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)

    many = problems(args.exact_problems)
    exact, compile_exact, time_exact = warm(lambda: solve("exact", *many), 3)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    part = tuple(array[: args.problems] for array in many)
    finest = solve("exact", *part, tolerance=1e-15)
    first = jax.tree.map(lambda leaf: leaf[: args.problems], exact)
    flow, compile_flow, time_flow = warm(lambda: solve("flow", *part), 3)
    rate = seconds_per_operation()
    least = floor(float(exact.num_steps.mean()), rate)

    peer = diffrax_peer(remaining, args.max_steps)
    (_, hit), compile_peer, time_peer = warm(lambda: peer(*part), 1)
    slow = [
        scipy_peer(remaining, *(array[i] for array in part), args.scipy_seconds)
        for i in range(args.scipy_problems)
    ]
    scipy_each = float(np.mean([s for _, s in slow]))
    exact_each = time_exact / args.exact_problems
    flow_each, peer_each = time_flow / args.problems, time_peer / args.problems
    report = {
        "machine": platform.machine(),
        "devices": [device.device_kind for device in jax.local_devices()],
        "versions": {"jax": jax.__version__, "diffrax": diffrax.__version__},
        "exact": {
            "problems": args.exact_problems,
            "microseconds_per_problem": 1e6 * exact_each,
            "compile_s": compile_exact,
            "unresolved": unresolved(exact),
            "worst_relative_error": worst_error(first, finest),
            "longest_log10_time": float(exact.log_time.max() / np.log(10)),
            "mean_steps": float(exact.num_steps.mean()),
            "most_steps": int(exact.num_steps.max()),
            "peak_memory_gib": memory,
            "floor_microseconds": 1e6 * least,
            "times_the_floor": exact_each / least,
            "times_faster_than_diffrax": peer_each / exact_each,
            "times_faster_than_scipy": scipy_each / exact_each,
        },
        "flow": {
            "problems": args.problems,
            "microseconds_per_problem": 1e6 * flow_each,
            "compile_s": compile_flow,
            "unresolved": unresolved(flow),
            "worst_relative_error": worst_error(flow, finest),
            "times_faster_than_diffrax": peer_each / flow_each,
            "times_faster_than_scipy": scipy_each / flow_each,
        },
        "diffrax": {
            "problems": args.problems,
            "microseconds_per_problem": 1e6 * peer_each,
            "compile_s": compile_peer,
            "max_steps": args.max_steps,
            "unresolved": int((~np.asarray(hit)).sum()),
        },
        "scipy": {
            "problems": args.scipy_problems,
            "microseconds_per_problem": 1e6 * scipy_each,
            "cut": sum(s >= args.scipy_seconds for _, s in slow),
        },
        "nanoseconds_per_operation": {name: 1e9 * r for name, r in rate.items()},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()

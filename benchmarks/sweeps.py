"""The phase diagram of base-model quality as a sweep: speed, memory, overhead, peers.

The time of a sweep is that of `march`: solving, reducing, writing and bookkeeping, with
compiled programs, of a store that is begun anew, the best of three rounds through all
sizes. Bare is the exact engine alone on the same cells, without a store, base models
already made. Peers solve cells drawn at random from the same diagram: SciPy's RK45
under joblib, in as many processes as there are cores, cut at `--scipy-seconds` a cell,
and plain `vmap` of Diffrax's Tsit5, cut at `--max-steps`; both cuts favour them. Prints
one JSON object.

    python benchmarks/sweeps.py
"""

import argparse
import json
import os
import resource
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(os.cpu_count()))

import jax
import joblib
import numpy as np
from peers import diffrax_peer, scipy_peer, warm

import simulator as sim
from experiments.diagrams import changes
from experiments.sweeps import assembly, grid, root, run_units, sweep_file
from experiments.sweeps.locks import Shard

CORES = os.cpu_count() or 1
RIVAL = 0.5  # success rate of the rival in the preset
ROUNDS = 3
LONG = 300_000  # cells that a timing takes at least, one sweep after the other


def remaining(xp, pi, s):
    return RIVAL - pi @ s


def sweep(shape):
    """The preset with other numbers of cells, and its name in a folder."""
    table = dict(changes.load("quality", cells=2).sweep.table)
    table["axes"] = {
        "gap": {"logspace": [0.01, 0.5, shape[0]]},
        "best_probability": {"logspace": [1e-6, 0.95, shape[1]]},
    }
    return sweep_file.read(table)


def march_time(asked, repeats=1):
    """Mean seconds of whole sweeps, store included, and the last store's columns."""
    took, folder = 0.0, Path(tempfile.mkdtemp())
    for number in range(repeats):
        target = run_units.begin(folder / f"{number}.zarr", asked, "")
        start = time.perf_counter()
        run_units.march(asked, target, Shard())
        took += time.perf_counter() - start
    columns = run_units.all_columns(target)
    shutil.rmtree(folder)
    return took / repeats, columns


def best_of_rounds(timings):
    """Each of `{name: function}` in turn, ROUNDS times: the best seconds by name.

    In turn, as the machine may be faster for some minutes than for others.
    """
    found = {name: np.inf for name in timings}
    for _ in range(ROUNDS):
        for name, seconds in timings.items():
            found[name] = min(found[name], seconds())
    return found


def base_models(asked, index=None):
    """Rates and log-policies of all cells, or of those at an index."""
    sides = tuple(slice(0, len(axis.values)) for axis in asked.kept)
    values = grid.cells(asked, grid.Unit(0, sides))
    if index is not None:
        values = {name: value[index] for name, value in values.items()}
    return assembly.assemble(asked, values, len(next(iter(values.values()))))


def bare(runs):
    roots = runs.roots
    return sim.solve(
        runs.problem,
        roots["signal"],
        roots["update"],
        until=roots["until"],
        events=(sim.T0(),),
        max_log_time=800 * np.log(10),
    )


def one_cell(arguments):
    return scipy_peer(remaining, *arguments)


def scipy_pool(rates, logits, seconds, tolerance):
    """Seconds per cell of joblib's processes, hitting times, and how many were cut."""
    jobs = [(*pair, seconds, tolerance) for pair in zip(rates, logits, strict=True)]
    calls = [joblib.delayed(one_cell)(job) for job in jobs]
    with joblib.Parallel(n_jobs=CORES) as parallel:
        parallel(calls[:CORES])  # the processes are there
        start = time.perf_counter()
        found = parallel(calls)
        took = time.perf_counter() - start
    times = np.array([t for t, _ in found])
    return took / len(jobs), times, int(np.isnan(times).sum())


def worst(times, reference):
    known = np.isfinite(times) & np.isfinite(reference)
    return float(np.abs(times[known] / reference[known] - 1).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--largest", type=int, default=10_000_000)
    parser.add_argument("--cells", type=int, default=10_000, help="of the peers' race")
    parser.add_argument("--scipy-cells", type=int, default=80)
    parser.add_argument("--scipy-seconds", type=float, default=2.0)
    parser.add_argument("--max-steps", type=int, default=4096)
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)

    sweeps = {}
    for number in (10_000, 100_000, 1_000_000, args.largest):
        side = int(number**0.5)
        asked = sweep((number // side, side))
        sweeps[f"{asked.num_cells:,}"] = asked
    million = sweeps["1,000,000"]
    march_time(sweeps["10,000"])  # compiles
    _, columns = march_time(million)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    outcome = columns["outcome"]
    runs = base_models(million)

    def per_cell(asked):
        repeats = -(-LONG // asked.num_cells)
        return march_time(asked, repeats)[0] / asked.num_cells

    best = best_of_rounds(
        {
            "bare": lambda: warm(lambda: bare(runs), 1)[2],
            **{name: partial(per_cell, asked) for name, asked in sweeps.items()},
        }
    )
    engine = best.pop("bare")
    took = best["1,000,000"] * million.num_cells
    scales = {name: 1e6 * seconds for name, seconds in best.items()}

    # The race, on cells that have a T0.
    rng = np.random.default_rng(0)
    late = np.flatnonzero(np.isfinite(columns["log10_t0"]).ravel())
    index = rng.choice(late, args.cells, replace=False)
    some = base_models(million, index)
    rates, logits = (
        np.asarray(x) for x in (some.problem.success_rates, some.problem.log_policy)
    )
    finest = sim.exact(some.problem, sim.Verifiable(), until=sim.T0(), tolerance=1e-15)
    reference = np.exp(finest.log_time)
    ours = 10 ** columns["log10_t0"].ravel()[index]
    peer = diffrax_peer(remaining, args.max_steps)
    (times, hit), _, diffrax_took = warm(lambda: peer(rates, logits), 1)
    few, pools = args.scipy_cells, {}
    for tolerance in (1e-8, 1e-12):
        each, found, cut = scipy_pool(
            rates[:few], logits[:few], args.scipy_seconds, tolerance
        )
        pools[f"{tolerance:g}"] = {
            "microseconds_per_cell": 1e6 * each,
            "unresolved": cut,
            "worst_relative_error": worst(found, reference[:few]),
            "sweep_is_faster": each / (took / million.num_cells),
        }
    ours_each, diffrax_each = took / million.num_cells, diffrax_took / args.cells
    report = {
        "cores": CORES,
        "format": root.FORMAT,
        "million_cells_s": took,
        "unresolved": int((outcome != 0).sum()),
        "peak_memory_gib": memory,
        "overhead_over_bare_engine": took / engine - 1,
        "microseconds_per_cell": scales,
        "worst_relative_error": worst(ours, reference),
        "diffrax": {
            "cells": args.cells,
            "microseconds_per_cell": 1e6 * diffrax_each,
            "unresolved": int((~np.asarray(hit)).sum()),
            "worst_relative_error": worst(
                np.where(hit, np.asarray(times), np.nan), reference
            ),
            "sweep_is_faster": diffrax_each / ours_each,
        },
        "scipy_under_joblib": {"cells": few, "by tolerance": pools},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()

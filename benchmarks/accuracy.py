"""The exact engine against 50 digits: worst relative errors on hundreds of problems.

Relative errors of the times to a gap, to T0 and to the crossing, and of the logarithms
of the probabilities at the gap, against `experiments.search.precise`. Relative errors
of a logarithm x are `|error| / max(1, |x|)`. Prints one
JSON object per set; some take minutes (1500 digits, or 10,000 patterns).

    python benchmarks/accuracy.py
"""

import argparse
import json
import os

os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(os.cpu_count()))

import jax
import numpy as np
from tqdm import tqdm

import simulator as sim
import theory
from experiments.checks.random_problems import log_normalised, mixed
from experiments.search.precise import Precise

K = 8
EVENTS = (sim.T0(), sim.Crossing())


def families(rng, number):
    """All families of `verify`, 2 to 8 patterns; gaps down to 1e-6 of the first."""
    rates, log_policy = mixed(
        rng, number, K, lambda s, log_pi: theory.support.gap(s, log_pi) > 1e-9
    )
    level = theory.support.gap(rates, log_policy) * 10.0 ** -rng.uniform(
        0.1, 6, size=number
    )
    return rates, log_policy, level


def extreme(rng, number):
    """Logits up to +-700: times up to 1e600 and beyond the range of floats."""
    rates = np.tile([0.9, 0.5, 0.2], (number, 1))
    logits = rng.uniform(-700, 700, size=(number, 3))
    return rates, log_normalised(logits), np.full(number, 1e-3)


def tiny_gaps(rng, number):
    """Down to a gap of 1e-12."""
    rates = rng.uniform(size=(number, 4))
    logits = 3 * rng.normal(size=(number, 4))
    return rates, log_normalised(logits), 10.0 ** -rng.uniform(8, 12, size=number)


def near_ties(rng, number):
    """Success rates that differ by 1e-6 to 1e-12, the best of them rare."""
    apart = 10.0 ** -rng.uniform(6, 12, size=(number, 1))
    rates = 0.6 + apart * np.array([[2.0, 1.0, 0.3, 0.0]])
    rates[:, 3] = 0.2
    logits = rng.normal(size=(number, 4)) - np.array([[4.0, 0.0, 0.0, 0.0]])
    lead = rates[:, 0] - rates[:, 1]
    return rates, log_normalised(logits), 0.3 * lead


def many_edges(rng, number):
    """Every pattern leads once: seven hand-overs."""
    rates = np.tile(np.linspace(0.1, 0.9, K), (number, 1))
    logits = np.cumsum(-rng.uniform(0.3, 3, size=(number, K)), axis=1)
    return rates, log_normalised(logits), np.full(number, 1e-2)


def many(patterns, spread):
    """Many patterns, nearly alike at first: the digits needed grow with all spreads."""

    def draw(rng, number):
        shape = (number, patterns)
        logits = spread * rng.normal(size=shape)
        return rng.uniform(size=shape), log_normalised(logits), np.full(number, 1e-2)

    return draw


SETS = {
    "gaps to 1e-12": (tiny_gaps, 50),
    "rates within 1e-12": (near_ties, 40),
    "families of verify": (families, 200),
    "seven hand-overs": (many_edges, 20),
    "logits to +-700": (extreme, 3),
    "a hundred patterns": (many(100, 0.3), 6),
    "a thousand patterns": (many(1000, 0.03), 2),
    "ten thousand patterns": (many(10_000, 0.003), 1),
}


def relative(measured, wanted):
    """Error of a logarithm, relative to it where it is large."""
    error = np.abs(np.asarray(measured) - wanted)
    return float(np.max(error / np.maximum(1, np.abs(wanted)), initial=0))


def compare(rates, log_policy, level, solution, lane):
    """Worst errors of one problem: `time, t0, crossing, log pi`."""
    inside = log_policy > -np.inf
    flow = Precise(rates, log_policy)
    end = flow.gap(level)
    errors = {
        "time": relative(solution.log_time[lane], float(flow.time(end).log())),
        "log_policy": relative(solution.log_probs[lane][inside], flow.log_probs(end)),
    }
    # An event can be compared if it happens before the gap is reached.
    log_t0, log_crossing = np.asarray(solution.event_log_times[lane])
    if np.isfinite(log_crossing) and len(flow.borders) > 1:
        wanted = float(flow.time(flow.crossing()).log())
        errors["crossing"] = relative(log_crossing, wanted)
    if np.isfinite(log_t0):
        rival = int(theory.entanglement.rival(rates, log_policy))
        wanted = float(flow.time(flow.passing(rival)).log())
        # Nearer to the start, T0 is a difference of nearly equal rates.
        if wanted > -10:
            errors["t0"] = relative(log_t0, wanted)
    return errors


def main():
    parser = argparse.ArgumentParser(description="Errors of the exact engine.")
    parser.add_argument("--share", type=float, default=1.0, help="of the problems")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    for index, (name, (draw, number)) in enumerate(SETS.items()):
        rng = np.random.default_rng(index)
        rates, log_policy, level = draw(rng, max(1, round(args.share * number)))
        solution = sim.exact(
            sim.Problem(rates, logits=log_policy),
            sim.Verifiable(),
            until=sim.Gap(level),
            events=EVENTS,
        )
        outcomes = solution.outcome_names
        worst = {"problems": len(rates), "reached": int((outcomes == "reached").sum())}
        for lane in tqdm(range(len(rates)), desc=name, disable=None):
            problem = rates[lane], log_policy[lane], level[lane]
            for key, error in compare(*problem, solution, lane).items():
                worst[key] = max(worst.get(key, 0.0), error)
                worst[f"compared_{key}"] = worst.get(f"compared_{key}", 0) + 1
        print(json.dumps({"set": name} | worst), flush=True)


if __name__ == "__main__":
    main()

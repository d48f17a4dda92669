"""Whole paths of fixed rewards: milliseconds for a page that asks again and again.

The shapes of an interactive page (K = 8, of which a page may use three): one problem
with five and with nine clocks, three with five; and 3,000 random problems at once.
Accuracy is checked in the same run: log times against `exact`, stopped in the state of
a row, for every clock of every problem that is raced alone, and for 3,000 others.
"""

import argparse
import json
import platform
from functools import partial

import jax
import numpy as np
from peers import warm

import simulator as sim

jax.config.update("jax_enable_x64", True)
PATTERNS, REPEATS, LEVEL = 8, 50, 0.02  # of the gap at which times are compared
FIVE = [
    sim.PolicyGradient(),
    sim.GRPO(8),
    sim.GRPO(np.inf),
    sim.PassAtN(8),
    sim.RejectionSampling(),
]
NINE = [*FIVE, *(sim.GRPO(size) for size in (2, 4, 16, 64))]


def three():
    """The usual example, in room for eight patterns."""
    missing = (0, PATTERNS - 3)
    return np.pad([0.9, 0.6, 0.1], missing), np.pad([0.05, 0.7, 0.25], missing)


def eight():
    """Every pattern leads once, up to t = 10^50: the most work that there is."""
    policy = np.exp(-4.0 * np.arange(PATTERNS))
    return np.linspace(0.1, 0.9, PATTERNS), policy / policy.sum()


def error(problem, path, updates):
    """The largest difference from `exact` in log time, in the state of one row."""
    rates = np.atleast_2d(np.asarray(problem.success_rates))
    inside = np.atleast_2d(np.asarray(problem.log_policy)) > -np.inf
    lead = np.where(inside, np.where(inside, rates, 0).max(1, keepdims=True) - rates, 0)
    shape = len(rates), -1, PATTERNS
    gap = np.einsum("bnk,bk->bn", path.policy.reshape(shape), lead)
    row = np.argmax(gap < LEVEL * gap[:, :1], axis=1)
    lanes = np.arange(len(rates))
    until = sim.Gap(gap[lanes, row].reshape(problem.batch_shape))
    worst = 0.0
    for update in updates:
        solution = sim.exact(problem, sim.Verifiable(), update, until=until)
        mine = path.times(update).reshape(len(rates), -1)[lanes, row]
        worst = max(worst, float(np.max(np.abs(solution.log_time - mine))))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--problems", type=int, default=3000)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    shape = (args.problems, PATTERNS)
    many = sim.Problem(rng.uniform(size=shape), logits=2 * rng.normal(size=shape))
    cases = {}
    for name, (rates, policy) in {"three": three(), "eight": eight()}.items():
        one = sim.Problem(rates, policy)
        lanes = sim.Problem(np.tile(rates, (3, 1)), np.tile(policy, (3, 1)))
        cases[f"{name} patterns, 1 lane, 5 clocks"] = one, FIVE, REPEATS
        cases[f"{name} patterns, 3 lanes, 5 clocks"] = lanes, FIVE, REPEATS
        cases[f"{name} patterns, 1 lane, 9 clocks"] = one, NINE, REPEATS
    cases["random problems, 1 clock"] = many, FIVE[:1], 3
    found = {}
    for name, (problem, updates, repeats) in cases.items():
        again = partial(sim.trace, problem, sim.Verifiable(), updates)
        path, compiling, seconds = warm(again, repeats)
        found[name] = {
            "compiles_in": compiling,
            "milliseconds": 1e3 * seconds,
            "rows": int(np.atleast_2d(path.kept).sum(axis=1).max()),
            "worst_error_of_log_time": error(problem, path, updates),
        }
    machine = {"machine": platform.machine(), "problems": args.problems}
    print(json.dumps(machine | found, indent=2))


if __name__ == "__main__":
    main()

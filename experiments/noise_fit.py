"""The simplest model of training with a noisy verifier, fitted to measured runs.

Model: one question and two patterns, one that is right with rate s and one that never
is; base model `pi_0` for the first; GRPO in expectation up to flow time T. Noise
changes only the clock (B6): a factor `J = 1 - f_+ - f_-`, and the chance of a reward in
h. Three free numbers, the same for all runs: s, pi_0 and T. They are fitted by least
squares of the final validation accuracy of the runs of one set; another set, not used
for the fit, tests them. (With a success rate of the second pattern as a fourth free
number, the fit puts it to 0.)
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "data" / "noisy_verifier_gsm8k_grpo.csv"
GROUPS = (4, 8, 16, 32, 64)  # the sizes that occur
FIT, TEST = "grpo1.5B", "grpo"  # prefixes of the runs: asymmetric and symmetric noise


@dataclass(frozen=True)
class Runs:
    """Measured runs: noise rates, group sizes, final validation accuracy."""

    false_positive: np.ndarray
    false_negative: np.ndarray
    group: np.ndarray
    accuracy: np.ndarray


def read(prefix: str) -> Runs:
    """The runs of one model and kind of noise; rows without results are left out."""
    with FILE.open(encoding="utf-8") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["run_name"].split("-")[0] == prefix
            and row["final_validation_accuracy"]
        ]

    def column(name):
        return np.array([float(row[name]) for row in rows])

    return Runs(
        column("false_positive_rate"),
        column("false_negative_rate"),
        column("num_rollouts").astype(int),
        column("final_validation_accuracy"),
    )


def unpack(parameters: np.ndarray) -> tuple[float, float, float]:
    """`s`, `pi_0` and log T, from the log-odds of the first two and log T."""
    rate, base = 1 / (1 + np.exp(-np.asarray(parameters[:2])))
    return float(rate), float(base), float(parameters[2])


def predict(parameters: np.ndarray, runs: Runs) -> np.ndarray:
    """Final accuracy of each run under the model, by the exact engine."""
    import simulator as sim
    from experiments.checks.per_lane_rules import Menu

    rate, base, log_time = unpack(parameters)
    lanes = (len(runs.group), 1)
    problem = sim.Problem(np.tile([rate, 0.0], lanes), np.tile([base, 1 - base], lanes))
    noise = sim.NoisyVerifier(runs.false_positive, runs.false_negative)
    rules = [sim.GRPO(group_size=size) for size in GROUPS]
    update = Menu(rules, np.searchsorted(GROUPS, runs.group))
    end = sim.solve(problem, noise, update, max_log_time=log_time)
    return rate * np.exp(end.log_probs[:, 0])


def fit(runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    """The parameters of least squares, from a fixed start, and their covariance.

    The covariance is that of independent errors of equal size, to first order.
    """
    from scipy.optimize import least_squares

    start = np.array([0.8, -1.5, np.log(20.0)])
    low, high = [-3, -6, np.log(0.01)], [6, 6, np.log(1e6)]
    done = least_squares(
        lambda x: predict(x, runs) - runs.accuracy,
        start,
        bounds=(low, high),
        diff_step=1e-3,
    )
    variance = 2 * done.cost / (len(runs.accuracy) - len(start))
    return done.x, variance * np.linalg.inv(done.jac.T @ done.jac)


def errors(parameters: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Standard errors of s, pi_0 and T."""
    rate, base, log_time = unpack(parameters)
    slopes = np.array([rate * (1 - rate), base * (1 - base), np.exp(log_time)])
    return slopes * np.sqrt(np.diag(covariance))

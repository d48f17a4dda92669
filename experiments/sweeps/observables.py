"""What can be recorded of a run, by name, with units.

Flow times are physical times t (learning rate times steps), as decimal logarithms:
-inf if it held from the start, +inf if it did not happen. Probabilities may be smaller
than floats can say: they are offered as decimal logarithms too. Where all patterns are
equally good, all are best: pi_* is 1.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.text.errors import UserError


@dataclass(frozen=True)
class Observable:
    """`event`: the class in `simulator.events` that has to be watched, if any."""

    text: str
    units: str
    event: str | None = None
    sampled: bool = True  # whether sampled training has it too


OUTCOME = "outcome"
ATTEMPTS = r"pass_at_([1-9]\d{0,8})"
TABLE: dict[str, Observable] = {
    "log10_time": Observable("log10 of the time at the end", "log10(t)", sampled=False),
    "log10_total_time": Observable(
        "log10 of the time to the event, with that of SFT before",
        "log10(t)",
        sampled=False,
    ),
    "accuracy": Observable("accuracy at the end", "1"),
    "log10_accuracy": Observable("log10 of the accuracy at the end", "log10(1)"),
    "base_accuracy": Observable("accuracy of the base model", "1"),
    "gain": Observable("accuracy at the end minus that of the base model", "1"),
    "optimal_probability": Observable("pi_* at the end", "1"),
    "log10_optimal_probability": Observable("log10 of pi_* at the end", "log10(1)"),
    "entropy": Observable("entropy of the policy at the end", "nat"),
    "base_entropy": Observable("entropy of the base policy", "nat"),
    "kl_to_base": Observable("KL of the final policy to the base", "nat"),
    "log10_t0": Observable(
        "log10 of T0, when accuracy passes the second-best rate",
        "log10(t)",
        "T0",
        False,
    ),
    "log10_crossing": Observable(
        "log10 of the time when a best pattern becomes the most likely",
        "log10(t)",
        "Crossing",
        False,
    ),
    "peak_accuracy": Observable(
        "highest accuracy on the way", "1", "PeakAccuracy", False
    ),
    "peak_gain": Observable(
        "highest accuracy minus that of the base model", "1", "PeakAccuracy", False
    ),
    "log10_peak_time": Observable(
        "log10 of the time of the highest accuracy, before the end of the run",
        "log10(t)",
        "PeakAccuracy",
        False,
    ),
    "log10_below_base": Observable(
        "log10 of the time when accuracy falls below the base model's for good",
        "log10(t)",
        "BelowBase",
        False,
    ),
    "lowest_optimal_probability": Observable(
        "lowest pi_* on the way", "1", "LowestOptimalProbability", False
    ),
    "log10_lowest_optimal_probability": Observable(
        "log10 of the lowest pi_* on the way",
        "log10(1)",
        "LowestOptimalProbability",
        False,
    ),
    "num_steps": Observable("steps of the solver", "1", sampled=False),
}
OF_BASE = ("base_accuracy", "base_entropy")  # known before the run
DEFAULT = {False: ("log10_time", "accuracy"), True: ("accuracy", "optimal_probability")}


def find(name: str) -> Observable | None:
    """The observable of this name, `pass_at_8` and the like included."""
    attempts = re.fullmatch(ATTEMPTS, name)
    if attempts:
        return Observable(f"pass@{attempts[1]} at the end", "1")
    return TABLE.get(name)


def of_policy(name: str) -> bool:
    """Whether the observable belongs to a policy, and changes on the way."""
    known = find(name)
    return known is not None and known.sampled and name not in OF_BASE


def read(given: Any, trains: bool) -> tuple[str, ...]:
    """The names in `record`, each once. Raises `UserError`."""
    if given is None:
        return DEFAULT[trains]
    names = [name for name in given if name != OUTCOME]
    for name in names:
        known = find(name) if isinstance(name, str) else None
        if known is None or (trains and not known.sampled):
            allowed = [k for k, v in TABLE.items() if v.sampled or not trains]
            raise UserError(
                f"record: {name!r} is unknown here; choose from {', '.join(allowed)}, "
                "pass_at_8 (or any number). Outcomes are recorded always."
            )
    if not names:
        raise UserError("record: give at least one observable besides the outcome.")
    return tuple(dict.fromkeys(names))


def events(record: Sequence[str]) -> list[str]:
    """The event classes that have to be watched."""
    wanted = [found.event for name in record if (found := find(name)) is not None]
    return list(dict.fromkeys(event for event in wanted if event is not None))


def policies(names: Sequence[str]) -> Callable:
    """`measure(log_probs, rates, log_base) -> {name: value}` for one policy."""
    import jax.numpy as jnp

    import simulator as sim
    from simulator.observables import within_floats

    def measure(log_probs, rates, base):
        accuracy, before = sim.accuracy(log_probs, rates), sim.accuracy(base, rates)
        log_best = sim.log_optimal_probability(log_probs, rates)
        known = {
            "accuracy": accuracy,
            "log10_accuracy": sim.log_accuracy(log_probs, rates) / math.log(10),
            "base_accuracy": before,
            "gain": accuracy - before,
            "optimal_probability": jnp.exp(log_best),
            "log10_optimal_probability": within_floats(log_best) / math.log(10),
            "entropy": sim.entropy(log_probs),
            "base_entropy": sim.entropy(base),
            "kl_to_base": sim.kl(log_probs, base),
        }
        for name in names:
            if attempts := re.fullmatch(ATTEMPTS, name):
                known[name] = sim.pass_at_n(log_probs, rates, int(attempts[1]))
        return {name: known[name] for name in names if name in known}

    return measure


def solutions(names: Sequence[str]) -> Callable:
    """`measure(solution, rates, log_base) -> {name: value}` for one run of the flow."""
    import jax.numpy as jnp

    import simulator as sim
    from simulator.observables import within_floats

    watched = {name: i for i, name in enumerate(events(names))}
    of_policy = policies(names)

    def measure(solution, rates, base):
        found = of_policy(solution.log_probs, rates, base)

        def log10(event):
            return solution.event_log_times[watched[event]] / math.log(10)

        def policy(event):
            return solution.event_log_probs[watched[event]]

        if "PeakAccuracy" in watched:
            peak = sim.accuracy(policy("PeakAccuracy"), rates)
            found["peak_accuracy"] = peak
            found["peak_gain"] = peak - sim.accuracy(base, rates)
            found["log10_peak_time"] = log10("PeakAccuracy")
        if "LowestOptimalProbability" in watched:
            lowest = policy("LowestOptimalProbability")
            log_lowest = sim.log_optimal_probability(lowest, rates)
            found["lowest_optimal_probability"] = jnp.exp(log_lowest)
            found["log10_lowest_optimal_probability"] = within_floats(
                log_lowest
            ) / math.log(10)
        for name, event in (
            ("log10_t0", "T0"),
            ("log10_crossing", "Crossing"),
            ("log10_below_base", "BelowBase"),
        ):
            if event in watched:
                found[name] = log10(event)
        if "log10_peak_time" in found:
            # The best of a run that still rises when it ends is not its peak.
            rises = found["log10_peak_time"] >= solution.log_time / math.log(10)
            found["log10_peak_time"] = jnp.where(
                rises, jnp.inf, found["log10_peak_time"]
            )
        found["log10_time"] = solution.log_time / math.log(10)
        found["num_steps"] = solution.num_steps
        return {k: jnp.asarray(v, float) for k, v in found.items() if k in names}

    return measure


def without_failures(
    values: dict[str, np.ndarray], bad: np.ndarray
) -> dict[str, np.ndarray]:
    """`values` with NaN for runs that failed: what they end with means nothing."""
    return {
        name: value
        if name in (OUTCOME, *OF_BASE)
        else np.where(bad.reshape(-1, *[1] * (value.ndim - 1)), np.nan, value)
        for name, value in values.items()
    }

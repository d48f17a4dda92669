"""Observables of a run that a sweep can record, by name, with units.

An observable is a function below; its name and the first line of its docstring appear
in `pattern-selection sweep --help`. It is given a `Policy`, a `Run` or a `Training`
(see `registry`), of one problem. See CONTRIBUTING.md.

Flow times are physical times t (learning rate times steps), as decimal logarithms:
-inf if it held from the start, +inf if it did not happen. Steps of sampled training are
0 if it held from the start, and +inf if it did not happen. Probabilities may be smaller
than floats can say: they are offered as decimal logarithms too. Where all patterns are
equally good, all are best: pi_* is 1.
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import simulator as sim
from experiments.sweeps import attributes
from experiments.sweeps.registry import (
    TABLE,
    Observable,
    Policy,
    Run,
    Training,
    of_base,
    of_policy,
    of_run,
    of_training,
)
from experiments.text.errors import UserError, choose_from

OUTCOME = "outcome"
ATTEMPTS = r"pass_at_([1-9]\d{0,8})"
LOG_10 = math.log(10)
DEFAULT = {False: ("log10_time", "accuracy"), True: ("accuracy", "optimal_probability")}
WATCHED = ("first_step",)


def _log10_within_floats(log_probability):
    from simulator.observables import within_floats

    return within_floats(log_probability) / LOG_10


@of_run("log10(t)")
def log10_time(run):
    """Log10 of the time at the end."""
    return run.solution.log_time / LOG_10


@of_run("log10(t)")
def log10_total_time(run):
    """Log10 of the time to the event, with that of SFT before."""
    import jax.numpy as jnp

    total = jnp.logaddexp(run.solution.log_time, run.log_before)
    reached = run.solution.outcome == sim.Outcome.reached
    return jnp.where(reached, total / LOG_10, jnp.inf)


@of_policy("1")
def accuracy(policy):
    """Accuracy at the end."""
    return sim.accuracy(policy.log_probs, policy.success_rates)


@of_policy("log10(1)")
def log10_accuracy(policy):
    """Log10 of the accuracy at the end."""
    return sim.log_accuracy(policy.log_probs, policy.success_rates) / LOG_10


@of_base("1")
def base_accuracy(base):
    """Accuracy of the base model."""
    return sim.accuracy(base.log_probs, base.success_rates)


@of_policy("1")
def gain(policy):
    """Accuracy at the end minus that of the base model."""
    before = sim.accuracy(policy.log_base, policy.success_rates)
    return sim.accuracy(policy.log_probs, policy.success_rates) - before


@of_policy("1")
def optimal_probability(policy):
    """`pi_*` at the end."""
    import jax.numpy as jnp

    rates = policy.success_rates
    return jnp.exp(sim.log_optimal_probability(policy.log_probs, rates))


@of_policy("log10(1)")
def log10_optimal_probability(policy):
    """Log10 of `pi_*` at the end."""
    log = sim.log_optimal_probability(policy.log_probs, policy.success_rates)
    return _log10_within_floats(log)


@of_policy("nat")
def entropy(policy):
    """Entropy of the policy at the end."""
    return sim.entropy(policy.log_probs)


@of_base("nat")
def base_entropy(base):
    """Entropy of the base policy."""
    return sim.entropy(base.log_probs)


@of_policy("nat")
def kl_to_base(policy):
    """KL of the final policy to the base."""
    return sim.kl(policy.log_probs, policy.log_base)


@of_run("log10(t)", "T0")
def log10_t0(run):
    """Log10 of T0, when accuracy passes the second-best rate."""
    return run.log_time("T0") / LOG_10


@of_run("log10(t)", "Crossing")
def log10_crossing(run):
    """Log10 of the time when a best pattern becomes the most likely."""
    return run.log_time("Crossing") / LOG_10


@of_run("1", "PeakAccuracy")
def peak_accuracy(run):
    """Highest accuracy on the way."""
    return sim.accuracy(run.log_probs("PeakAccuracy"), run.success_rates)


@of_run("1", "PeakAccuracy")
def peak_gain(run):
    """Highest accuracy minus that of the base model."""
    return peak_accuracy(run) - sim.accuracy(run.log_base, run.success_rates)


@of_run("log10(t)", "PeakAccuracy")
def log10_peak_time(run):
    """Log10 of the time of the highest accuracy, before the end of the run."""
    import jax.numpy as jnp

    peak = run.log_time("PeakAccuracy") / LOG_10
    # The best of a run that still rises when it ends is not its peak.
    rises = peak >= run.solution.log_time / LOG_10
    return jnp.where(rises, jnp.inf, peak)


@of_run("log10(t)", "BelowBase")
def log10_below_base(run):
    """Log10 of the time when accuracy falls below the base model's for good."""
    return run.log_time("BelowBase") / LOG_10


def _log_lowest(run):
    lowest = run.log_probs("LowestOptimalProbability")
    return sim.log_optimal_probability(lowest, run.success_rates)


@of_run("1", "LowestOptimalProbability")
def lowest_optimal_probability(run):
    """Lowest `pi_*` on the way."""
    import jax.numpy as jnp

    return jnp.exp(_log_lowest(run))


@of_run("log10(1)", "LowestOptimalProbability")
def log10_lowest_optimal_probability(run):
    """Log10 of the lowest `pi_*` on the way."""
    return _log10_within_floats(_log_lowest(run))


@of_training("steps")
def first_step(training):
    """First step at which the event `until` holds."""
    return np.where(training.first_step < 0, np.inf, training.first_step)


@of_run("1")
def num_steps(run):
    """Steps of the solver."""
    return run.solution.num_steps


def _pass_at(attempts: int) -> Observable:
    def measure(policy):
        return sim.pass_at_n(policy.log_probs, policy.success_rates, attempts)

    return Observable(f"pass@{attempts} at the end", "1", measure, "policy")


def find(name: str) -> Observable | None:
    """The observable of this name; `pass_at_8`, `attribute_NAME` and the like too."""
    attempts = re.fullmatch(ATTEMPTS, name)
    if attempts:
        return _pass_at(int(attempts[1]))
    return TABLE.get(name) or attributes.find(name)


def varies(name: str) -> bool:
    """Whether the observable belongs to a policy, and changes on the way."""
    known = find(name)
    return known is not None and known.of == "policy"


def usual(trains: bool, watches: bool) -> tuple[str, ...]:
    """What is recorded if nothing is said; `watches`: see `read`."""
    return DEFAULT[trains] + WATCHED * watches


def read(given: Any, trains: bool, watches: bool) -> tuple[str, ...]:
    """The names in `record`, each once. Raises `UserError`.

    `watches`: whether sampled training looks for an event `until`.
    """
    if given is None:
        return usual(trains, watches)
    names = [name for name in given if name != OUTCOME]
    for name in names:
        known = find(name) if isinstance(name, str) else None
        if known is None or not known.is_known(trains):
            allowed = [k for k, v in TABLE.items() if v.is_known(trains)]
            raise UserError(
                f"record: {name!r} is unknown here; {choose_from(name, allowed)}, "
                "pass_at_8 (or any number), attribute_NAME. Outcomes are recorded "
                "always."
            )
    if not names:
        raise UserError("record: give at least one observable besides the outcome.")
    of_event = any(TABLE[name].of == "training" for name in names if name in TABLE)
    if watches != of_event:
        raise UserError(
            "record: first_step is that of an event, like until = 'accuracy=0.5'; give "
            "both, or neither."
        )
    return tuple(dict.fromkeys(names))


def _known(names: Sequence[str]) -> dict[str, Observable]:
    found = ((name, find(name)) for name in names)
    return {name: known for name, known in found if known is not None}


def events(record: Sequence[str]) -> list[str]:
    """The event classes that have to be watched."""
    known = _known(record).values()
    return list(dict.fromkeys(event for one in known for event in one.events))


def event_times(record: Sequence[str]) -> list[str]:
    """The names of times of events, which a run that ends earlier does not tell."""
    known = _known(record).items()
    return [n for n, one in known if one.events and one.units == "log10(t)"]


def policies(names: Sequence[str]) -> Callable:
    """`measure(log_probs, rates, log_base, attributes) -> {name: value}`, of one."""

    def measure(log_probs, rates, base, columns=None):
        given = {
            "policy": Policy(log_probs, rates, base, columns),
            "base": Policy(base, rates, base, columns),
        }
        known = _known(names).items()
        return {n: one.measure(given[one.of]) for n, one in known if one.of in given}

    return measure


def solutions(names: Sequence[str]) -> Callable:
    """`measure(solution, rates, log_base, log_before, attributes)`, of one run."""
    import jax.numpy as jnp

    watched, of_policies = tuple(events(names)), policies(names)

    def measure(solution, rates, base, log_before=-math.inf, columns=None):
        run = Run(solution, rates, base, log_before, watched, columns)
        known = _known(names).items()
        found = of_policies(solution.log_probs, rates, base, columns)
        found |= {n: one.measure(run) for n, one in known if one.of == "run"}
        return {name: jnp.asarray(value, float) for name, value in found.items()}

    return measure


def trainings(names: Sequence[str], first_step: np.ndarray) -> dict[str, np.ndarray]:
    """What is recorded of runs of sampled training besides their policies, `[runs]`."""
    runs, known = Training(first_step), _known(names).items()
    return {n: one.measure(runs) for n, one in known if one.of == "training"}


def without_failures(
    values: dict[str, np.ndarray], bad: np.ndarray
) -> dict[str, np.ndarray]:
    """`values` with NaN for runs that failed: what they end with means nothing."""
    return {
        name: value
        if name == OUTCOME or (name in TABLE and TABLE[name].of == "base")
        else np.where(bad.reshape(-1, *[1] * (value.ndim - 1)), np.nan, value)
        for name, value in values.items()
    }

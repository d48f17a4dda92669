"""Observables of a run that a sweep can record, by name, with units.

An observable is a function below; its name and the first line of its docstring appear
in `pattern-selection sweep --help`. It is given a `Policy` or a `Run`, of one problem.
See CONTRIBUTING.md.

Flow times are physical times t (learning rate times steps), as decimal logarithms:
-inf if it held from the start, +inf if it did not happen. Probabilities may be smaller
than floats can say: they are offered as decimal logarithms too. Where all patterns are
equally good, all are best: pi_* is 1.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import simulator as sim
from experiments.text.errors import UserError, choose_from

OUTCOME = "outcome"
ATTEMPTS = r"pass_at_([1-9]\d{0,8})"
LOG_10 = math.log(10)
DEFAULT = {False: ("log10_time", "accuracy"), True: ("accuracy", "optimal_probability")}


class Policy(NamedTuple):
    """`[K]` each: a policy, the success rates of its problem, and the base policy."""

    log_probs: Any
    success_rates: Any
    log_base: Any


class Run(NamedTuple):
    """One run of the flow, and the events that are watched, by class name.

    `log_before`: log of the time that was spent before, on SFT.
    """

    solution: Any
    success_rates: Any
    log_base: Any
    log_before: Any
    events: tuple[str, ...]

    def log_time(self, event: str) -> Any:
        """When the event happened."""
        return self.solution.event_log_times[self.events.index(event)]

    def log_probs(self, event: str) -> Any:
        """The policy when the event happened."""
        return self.solution.event_log_probs[self.events.index(event)]


@dataclass(frozen=True)
class Observable:
    """`measure(policy or run)`; `of`: `policy`, `base` (known before the run), `run`.

    `events`: the classes of events in `simulator` that have to be watched.
    """

    text: str
    units: str
    measure: Callable[[Any], Any]
    of: str
    events: tuple[str, ...] = ()

    @property
    def sampled(self) -> bool:
        """Whether sampled training has it too."""
        return self.of != "run"


TABLE: dict[str, Observable] = {}


def _registered(of: str, units: str, events: tuple[str, ...] = ()) -> Callable:
    def register(function: Callable) -> Callable:
        line = (function.__doc__ or "").split("\n")[0].rstrip(".").replace("`", "")
        if line[1:2].islower():  # not an abbreviation, like KL
            line = line[0].lower() + line[1:]
        name = function.__name__
        TABLE[name] = Observable(line, units, function, of, events)
        return function

    return register


def of_policy(units: str) -> Callable:
    """Register a function of a `Policy`: recorded at the end, and on the way."""
    return _registered("policy", units)


def of_base(units: str) -> Callable:
    """Register a function of the base model, as a `Policy`."""
    return _registered("base", units)


def of_run(units: str, *events: str) -> Callable:
    """Register a function of a `Run` for which these events are watched."""
    return _registered("run", units, events)


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


@of_run("1")
def num_steps(run):
    """Steps of the solver."""
    return run.solution.num_steps


def _pass_at(attempts: int) -> Observable:
    def measure(policy):
        return sim.pass_at_n(policy.log_probs, policy.success_rates, attempts)

    return Observable(f"pass@{attempts} at the end", "1", measure, "policy")


def find(name: str) -> Observable | None:
    """The observable of this name, `pass_at_8` and the like included."""
    attempts = re.fullmatch(ATTEMPTS, name)
    return _pass_at(int(attempts[1])) if attempts else TABLE.get(name)


def varies(name: str) -> bool:
    """Whether the observable belongs to a policy, and changes on the way."""
    known = find(name)
    return known is not None and known.of == "policy"


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
                f"record: {name!r} is unknown here; {choose_from(name, allowed)}, "
                "pass_at_8 (or any number). Outcomes are recorded always."
            )
    if not names:
        raise UserError("record: give at least one observable besides the outcome.")
    return tuple(dict.fromkeys(names))


def _known(names: Sequence[str]) -> dict[str, Observable]:
    found = ((name, find(name)) for name in names)
    return {name: known for name, known in found if known is not None}


def events(record: Sequence[str]) -> list[str]:
    """The event classes that have to be watched."""
    known = _known(record).values()
    return list(dict.fromkeys(event for one in known for event in one.events))


def policies(names: Sequence[str]) -> Callable:
    """`measure(log_probs, rates, log_base) -> {name: value}` for one policy."""

    def measure(log_probs, rates, base):
        given = {
            "policy": Policy(log_probs, rates, base),
            "base": Policy(base, rates, base),
        }
        known = _known(names).items()
        return {name: one.measure(given[one.of]) for name, one in known if one.sampled}

    return measure


def solutions(names: Sequence[str]) -> Callable:
    """`measure(solution, rates, log_base, log_before) -> {name: value}` for one run."""
    import jax.numpy as jnp

    watched, of_policies = tuple(events(names)), policies(names)

    def measure(solution, rates, base, log_before=-math.inf):
        run = Run(solution, rates, base, log_before, watched)
        known = _known(names).items()
        found = of_policies(solution.log_probs, rates, base)
        found |= {n: one.measure(run) for n, one in known if not one.sampled}
        return {name: jnp.asarray(value, float) for name, value in found.items()}

    return measure


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

"""How an observable of sweeps is registered, and what it is given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple


class Policy(NamedTuple):
    """`[K]` each: a policy, the success rates of its problem, and the base policy.

    `attributes`: `[K]` each, by name.
    """

    log_probs: Any
    success_rates: Any
    log_base: Any
    attributes: Any = None


class Run(NamedTuple):
    """One run of the flow, and the events that are watched, by class name.

    `log_before`: log of the time that was spent before, on SFT.
    """

    solution: Any
    success_rates: Any
    log_base: Any
    log_before: Any
    events: tuple[str, ...]
    attributes: Any = None

    def log_time(self, event: str) -> Any:
        """When the event happened."""
        return self.solution.event_log_times[self.events.index(event)]

    def log_probs(self, event: str) -> Any:
        """The policy when the event happened."""
        return self.solution.event_log_probs[self.events.index(event)]


class Training(NamedTuple):
    """One run of sampled training: the first step at which `until` held, or -1."""

    first_step: Any


@dataclass(frozen=True)
class Observable:
    """`measure(policy or run)`; `of`: `policy`, `base` (known before the run), `run`.

    And `training`, for what only sampled training has.

    `events`: the classes of events in `simulator` that have to be watched.
    """

    text: str
    units: str
    measure: Callable[[Any], Any]
    of: str
    events: tuple[str, ...] = ()

    def is_known(self, trains: bool) -> bool:
        """Whether sampled training has it, or the flow."""
        return self.of != ("run" if trains else "training")


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


def of_training(units: str) -> Callable:
    """Register a function of a `Training`, with an event `until`."""
    return _registered("training", units)

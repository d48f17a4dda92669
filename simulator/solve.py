"""One entry to both engines of the flow."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from simulator.events import AbstractEvent
from simulator.exact import closed_form, exact
from simulator.flow import flow
from simulator.problem import Problem
from simulator.signals import AbstractSignal
from simulator.solution import Solution
from simulator.updates import AbstractUpdate
from simulator.validation import shown

METHODS = ("auto", "exact", "flow")


def solve(
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate | None = None,
    *,
    until: AbstractEvent | None = None,
    events: Sequence[AbstractEvent] = (),
    save_log_times: Any = None,
    observe: Callable | None = None,
    max_log_time: float = 2000.0,
    max_steps: int = 20_000,
    method: Literal["auto", "exact", "flow"] = "auto",
    tolerance: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Solution:
    """Follow one problem, or a batch, until an event or a time.

    `update` defaults to `PolicyGradient()`. The method `auto` takes the closed form
    where there is one (`closed_form`) and the numerical flow elsewhere;
    `Solution.method` says which it was. The two agree within their tolerances.

    Options:

    - `until`: an event to stop at (default: at rest, or at the time limit).
    - `events`: events to locate on the way.
    - `save_log_times`: increasing log times at which `observe(log_probs)` is saved
      (default `observe`: the probabilities).
    - `max_log_time`: the time limit, as a logarithm (default 2000).
    - `tolerance`, `max_steps`: see `exact` and `flow`.
    - `progress(done, total)`: called after every chunk of a batch.

    Leaves of `signal`, `update` and `until` with a leading batch axis go lane by lane.

    Raises `ValueError` if the signal does not fit the problem, a parameter is out of
    range, or the method cannot do it. Never raises for what happens in a lane: see
    `Solution.outcome`.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(
            f"`method` is {shown(method)}; choose from {', '.join(METHODS)}."
        )
    known = closed_form(signal, update)
    engine = exact if method == "exact" or (method == "auto" and known) else flow
    return engine(
        problem,
        signal,
        update,
        until=until,
        events=events,
        save_log_times=save_log_times,
        observe=observe,
        max_log_time=max_log_time,
        max_steps=max_steps,
        progress=progress,
        tolerance=tolerance,
    )

"""One entry to both engines of the flow."""

from typing import Literal

from simulator.arguments import check_parts
from simulator.exact import closed_form, exact
from simulator.flow import flow
from simulator.problem import Problem
from simulator.signals import AbstractSignal
from simulator.solution import Solution
from simulator.updates import AbstractUpdate, PolicyGradient

METHODS = ("auto", "exact", "flow")


def solve(
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate | None = None,
    *,
    method: Literal["auto", "exact", "flow"] = "auto",
    **options,
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
    if method not in METHODS:
        raise ValueError(
            f"method {method!r} is unknown; choose from {', '.join(METHODS)}."
        )
    check_parts(problem, signal, update)  # before they are looked into
    known = closed_form(signal, PolicyGradient() if update is None else update)
    if method == "exact" or (method == "auto" and known):
        return exact(problem, signal, update, **options)
    return flow(problem, signal, update, **options)

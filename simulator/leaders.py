"""Which pattern leads when: the sequence of plateaus of one run."""

import math
from typing import Literal, NamedTuple

import numpy as np

from simulator.leading import Leads
from simulator.problem import Problem, check_one
from simulator.recording import AbstractEvent
from simulator.rules import AbstractSignal, AbstractUpdate
from simulator.solving import solve
from simulator.validation import check_known

__all__ = [
    "Plateau",
    "plateaus",
]


class Plateau(NamedTuple):
    """`pattern` is the most likely one between two log times (-inf: from the start).

    `log_leave` of the last plateau is the end of the run.

    >>> sim.Plateau(pattern=1, log_enter=-np.inf, log_leave=2.0).pattern
    1
    """

    pattern: int
    log_enter: float
    log_leave: float


def plateaus(
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate | None = None,
    *,
    until: AbstractEvent | None = None,
    max_log_time: float = 2000.0,
    max_steps: int = 20_000,
    method: Literal["auto", "exact", "flow"] = "auto",
    tolerance: float | None = None,
) -> list[Plateau]:
    """The plateaus of one problem, in order; options as in `simulator.solve`.

    With fixed rewards a pattern leads at most once: the leaders are the vertices of a
    convex hull, in order of their rewards. Of patterns that stay equally likely for
    ever the one with the lowest number is named. Under another signal a pattern may
    come back; only its first time in the lead is seen.

    Raises `ValueError` for a batch of problems, and like `simulator.solve`.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> [
    ...     (plateau.pattern, round(plateau.log_enter, 4))
    ...     for plateau in sim.plateaus(problem, sim.Verifiable(), until=sim.Gap(0.01))
    ... ]
    [(1, -inf), (0, 4.5202)]
    """
    check_one(problem)
    check_known("problem", problem.log_policy)
    events = tuple(Leads(k) for k in range(problem.num_patterns))
    solution = solve(
        problem,
        signal,
        update,
        until=until,
        events=events,
        max_log_time=max_log_time,
        max_steps=max_steps,
        method=method,
        tolerance=tolerance,
    )
    return sequence(
        problem.log_policy, solution.event_log_times, float(solution.log_time)
    )


def sequence(log_policy, log_lead_times, log_end: float) -> list[Plateau]:
    """Plateaus from the first log times at which each pattern leads (inf: never).

    Of patterns that tie for the lead at the start, only the one that keeps it is
    listed.
    """
    times = np.array(log_lead_times, dtype=float)
    times[int(np.argmax(log_policy))] = -math.inf
    order = [int(k) for k in np.argsort(times, kind="stable") if times[k] < math.inf]
    leaves = [float(times[k]) for k in order[1:]] + [log_end]
    return [
        Plateau(k, float(times[k]), leave)
        for k, leave in zip(order, leaves, strict=True)
        if leave > times[k] or k == order[-1]
    ]

"""What may be asked of the engines; anything else is refused in one line."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from simulator.ensembles import own_ranks
from simulator.events import AbstractEvent
from simulator.parameters import check_kind, shown
from simulator.problem import Problem
from simulator.signals import AbstractSignal
from simulator.updates import AbstractUpdate


def check_parts(problem: Any, signal: Any, update: Any) -> None:
    """Raise `ValueError` unless these are a problem, a signal, an update (or None)."""
    for name, given, kind, example in (
        ("problem", problem, Problem, "Problem(success_rates, policy)"),
        ("signal", signal, AbstractSignal, "Verifiable()"),
        ("update", update, AbstractUpdate | None, "PolicyGradient()"),
    ):
        check_kind(name, given, kind, example)


def check_events(problem: Problem, until: Any, events: Any) -> None:
    """Raise `ValueError` unless these are events of this problem."""
    if until is not None and not isinstance(until, AbstractEvent):
        raise ValueError(f"`until` is {shown(until)}; give an event like Gap(1e-3).")
    if not isinstance(events, Sequence) or isinstance(events, str):
        raise ValueError(f"`events` is {shown(events)}; give a list of events.")
    for event in events:
        if not isinstance(event, AbstractEvent):
            raise ValueError(
                f"`events` contains {shown(event)}; give events like T0()."
            )
        if any(jnp.ndim(leaf) for leaf in jax.tree.leaves(event)):
            raise ValueError(
                "an event in `events` has a list of levels; `events` are the same for "
                "all problems: give one number (only `until` may have one per problem)."
            )
        event.check(problem)
    if until is not None:
        until.check(problem)


def check_lanes(problem: Problem, **members: Any) -> None:
    """Raise `ValueError` unless parameters with a lane axis have one row per lane."""
    shape = problem.batch_shape
    for name, member in members.items():

        def check(path, x, own, name=name):
            lanes = np.shape(x)[: max(np.ndim(x) - own, 0)]
            if lanes and lanes != shape:
                where = name + jax.tree_util.keystr(path)
                raise ValueError(
                    f"`{where}` has shape {np.shape(x)}, and the problems have batch "
                    f"shape {shape}; give one value, or one per problem."
                )

        jax.tree_util.tree_map_with_path(check, member, own_ranks(member))


def check_limits(
    times: np.ndarray, max_log_time: float, max_steps: Any, tolerance: Any
) -> None:
    """Raise `ValueError` unless a run can end by these."""
    if not np.isfinite(max_log_time):
        raise ValueError(f"`max_log_time` is {max_log_time}; give a finite number.")
    if times.ndim != 1 or not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise ValueError(
            "`save_log_times` must be one increasing list of finite numbers (at time 0 "
            "there is the base policy)."
        )
    if len(times) and not times[-1] <= max_log_time:
        raise ValueError(
            f"`save_log_times` goes to {times[-1]:g}, beyond `max_log_time` = "
            f"{max_log_time:g}; raise the limit."
        )
    if not (np.isfinite(max_steps) and 1 <= max_steps == int(max_steps)):
        raise ValueError(f"`max_steps` is {max_steps}; give a whole number from 1.")
    if not 0 < tolerance < 1:
        raise ValueError(f"`tolerance` is {tolerance}; give a number between 0 and 1.")

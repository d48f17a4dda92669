"""Validation of requests to the engines: anything else is refused in one line."""

from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from simulator.problem import Problem
from simulator.recording import AbstractEvent
from simulator.rules import check_rule
from simulator.validation import check_kind, check_real, given_array, is_traced, shown

MOST_STEPS = 2**31 - 1  # they are counted in 32 bits where floats have as many


def check_parts(problem: Any, signal: Any, update: Any) -> None:
    """Raise `ValueError` unless these are a problem, a signal, an update (or None)."""
    check_kind("problem", problem, Problem, "Problem(success_rates, policy)")
    check_rule(signal, update)


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


def check_limits(
    times: np.ndarray, max_log_time: Any, max_steps: Any, tolerance: Any
) -> None:
    """Raise `ValueError` unless a run can end by these."""
    check_real("max_log_time", max_log_time)
    check_real("tolerance", tolerance)
    check_real("max_steps", max_steps)
    floats = np.finfo(times.dtype)
    if abs(max_log_time) > floats.max:
        raise ValueError(
            f"`max_log_time` is {max_log_time}; give at most {floats.max:.2g}, the "
            f"largest number of {times.dtype}."
        )
    if times.ndim != 1 or not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise ValueError(
            "`save_log_times` must be one increasing list of finite numbers (at time 0 "
            f"there is the base policy), told apart by {times.dtype}."
        )
    if len(times) and not times[-1] <= times.dtype.type(max_log_time):
        raise ValueError(
            f"`save_log_times` goes to {times[-1]:g}, beyond `max_log_time` = "
            f"{max_log_time:g}; raise the limit."
        )
    if not 1 <= max_steps <= MOST_STEPS or max_steps % 1:
        raise ValueError(
            f"`max_steps` is {shown(max_steps)}; give a whole number from 1 to "
            f"{MOST_STEPS:,}."
        )
    if not floats.eps <= tolerance < 1:
        raise ValueError(
            f"`tolerance` is {tolerance}; give a number below 1, and at least the "
            f"rounding of {times.dtype}, {floats.eps:.2g}."
        )


def saved_times(save_log_times: Any, dtype: Any) -> np.ndarray:
    """The log times at which to save; none for None.

    Raises `ValueError` unless they are known numbers.
    """
    if save_log_times is None:
        return np.zeros(0, dtype)
    times = given_array("save_log_times", save_log_times)
    if is_traced(times):
        raise ValueError(f"`save_log_times` is {shown(times)}; give known numbers.")
    return np.asarray(times, dtype)


def filled_up(times: np.ndarray, smallest: int) -> np.ndarray:
    """Log times, and `inf` up to a length of `smallest` times 1, 1.5, 2, 3, 4, 6, ...

    So that runs which save at other numbers of times share their compiled programs.
    """
    size, other = smallest, 3 * smallest // 2
    while size < len(times):
        size, other = other, 2 * size
    filler = np.full(size - len(times) if len(times) else 0, np.inf, times.dtype)
    return np.concatenate([times, filler])


def filled_up_events(
    events: Sequence[AbstractEvent],
) -> tuple[tuple[AbstractEvent, ...], list[int]]:
    """Events kind by kind, each filled up with copies to 1, 2, 4, 8, ... of them.

    And the place of each given one. So that runs which look for other numbers of
    events of the same kinds share their compiled programs.
    """
    kinds: dict[Any, list[int]] = {}
    for i, event in enumerate(events):
        leaves, structure = jax.tree.flatten(event)
        kind = type(event), structure, tuple(jnp.result_type(x) for x in leaves)
        kinds.setdefault(kind, []).append(i)
    order: list[int] = []
    for mine in kinds.values():
        size = 1 << (len(mine) - 1).bit_length()
        order += mine + mine[-1:] * (size - len(mine))
    places = [order.index(i) for i in range(len(events))]
    return tuple(events[i] for i in order), places


def check_functions(**functions: Any) -> None:
    """Raise `ValueError` for what can neither be called nor is None."""
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise ValueError(f"`{name}` is {shown(function)}; give a function.")


def check_calls(
    observe: Any,
    progress: Any,
    times: np.ndarray,
    log_policy: Array,
    axes: Literal["K", "Q K"] = "K",
) -> None:
    """Raise `ValueError` unless these can be called, and what is observed be saved.

    `axes`: those of `log_policy` that are handed to `observe`.
    """
    check_functions(observe=observe, progress=progress)
    if observe is None:
        return
    if not len(times):
        raise ValueError(
            "`observe` is called at `save_log_times`, and there are none; give some."
        )
    seen = []  # `eval_shape` makes arrays of some things that are none
    shape = log_policy.shape[-len(axes.split()) :]
    policy = jax.ShapeDtypeStruct(shape, log_policy.dtype)
    jax.eval_shape(lambda x: seen.append(observe(x)), policy)
    if not isinstance(seen[0], jax.Array):
        raise ValueError(
            f"`observe` returns {shown(seen[0])}; let it make one array of "
            f"`log_probs` [{axes}] (several numbers: jnp.stack)."
        )

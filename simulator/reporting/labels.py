"""The request of a solution, and the names of its events."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np

from simulator.recording import AbstractEvent
from simulator.reporting.display import same, short


class _Unknown:
    """Stands for a number of an event that was traced."""

    def __repr__(self) -> str:
        return "?"


UNKNOWN = _Unknown()


def kebab(class_name: str) -> str:
    """The name of a class in lower case with hyphens.

    >>> kebab("LowestOptimalProbability"), kebab("T0")
    ('lowest-optimal-probability', 't0')
    """
    words = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
    return re.sub(words, "-", class_name).lower()


def label(event: AbstractEvent) -> str:
    """The name of an event with its numbers, as far as it has one of each.

    >>> import simulator as sim
    >>> label(sim.Gap(1e-3)), label(sim.Leads(2)), label(sim.T0())
    ('gap=0.001', 'leads=2', 't0')
    """
    name, given = kebab(type(event).__name__), _numbers(event)
    if not given or any(x is UNKNOWN or np.ndim(x) for x in given):
        return name
    return f"{name}={','.join(map(_text, given))}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value[()])


def labels(events: Sequence[AbstractEvent]) -> list[str]:
    """The names of several events."""
    return [label(event) for event in events]


def is_named(event: AbstractEvent, text: str) -> bool:
    """Whether `text` is a name of this event: of its class, with its numbers or not.

    >>> import simulator as sim
    >>> [is_named(sim.Gap(1e-3), text) for text in ("gap", "Gap=1e-3", "gap=0.1", "t0")]
    [True, True, False, False]
    """
    name, equals, numbers = text.partition("=")
    if kebab(name.strip()) != kebab(type(event).__name__):
        return False
    if not equals:
        return True
    given = [x for x in _numbers(event) if x is not UNKNOWN and not np.ndim(x)]
    asked = numbers.split(",")
    return len(asked) == len(given) and all(map(_is_value, given, asked))


def _is_value(value: Any, text: str) -> bool:
    """Whether `text` says this name or number."""
    if isinstance(value, str):
        return value == text.strip()
    try:
        return bool(value == value.dtype.type(float(text)))
    except ValueError:
        return False


def written(text: str) -> str | None:
    """The event of this package that has this name, as one writes it; None if none has.

    >>> written("crossing"), written("gap=0.1"), written("gap"), written("gpa")
    ('Crossing()', 'Gap(0.1)', 'Gap(LEVEL)', None)
    """
    from simulator import events, leading, means

    name, equals, numbers = text.partition("=")
    kinds = [getattr(m, each) for m in (events, means, leading) for each in m.__all__]
    for kind in kinds:
        if kebab(name.strip()) != kebab(kind.__name__):
            continue
        fields = dataclasses.fields(kind)
        if not equals:
            return f"{kind.__name__}({', '.join(x.name.upper() for x in fields)})"
        given = numbers.split(",")
        if len(given) != len(fields):
            return None
        try:
            parts = map(_argument, fields, given)
            return f"{kind.__name__}({', '.join(parts)})"
        except ValueError:
            return None
    return None


def _argument(field: Any, text: str) -> str:
    """The text of a label as one writes it in a call."""
    return short(text.strip() if field.type is str else float(text))


def is_event(mine: AbstractEvent, other: AbstractEvent) -> bool:
    """Whether two events are the same; numbers that were traced fit any."""
    if type(mine) is not type(other):
        return False
    pairs = list(zip(_numbers(mine), _numbers(other), strict=True))
    return all(x is UNKNOWN or y is UNKNOWN or same(x, y) for x, y in pairs)


def only(
    known: list[AbstractEvent], fits: list[bool], name: str, option: str | None
) -> int | str:
    """The place of the only event of a solution that fits, or a message.

    `option`: how `solve` is asked for this event, if there is such an event.
    """
    found = [i for i, fit in enumerate(fits) if fit]
    if found and all(is_event(known[found[0]], known[i]) for i in found):
        return found[0]
    names = ", ".join(labels(known)) or "none"
    if not found and option:
        return f"`{name}` was not asked for; solve with {option}; it has: {names}."
    if not found:
        return f"`{name}` is no event; it has: {names}."
    return f"`{name}` fits several events of this solution: {names}; be precise."


def _numbers(event: AbstractEvent) -> list[Any]:
    """The values of its fields, arrays as those of NumPy."""
    values = [getattr(event, field.name) for field in dataclasses.fields(event)]
    return [_known(leaf) for value in values for leaf in jax.tree.leaves(value)]


def _known(leaf: Any) -> Any:
    if isinstance(leaf, jax.core.Tracer):
        return UNKNOWN
    number = isinstance(leaf, int | float | np.ndarray | np.generic | jax.Array)
    return np.asarray(leaf) if number else leaf


class Asked:
    """The request of a solution: the same for all of its lanes, and never traced.

    It is static in a `Solution`: programs do not see it. Two are equal if they ask for
    the same, so that solutions of different requests are not put together by mistake.

    `parts`: signal, update and the event to stop at, without what has lanes; `again`
    solves anew: `again(problem, parts, save_log_times) -> Solution`.
    """

    def __init__(
        self,
        parts: Any,
        events: tuple[AbstractEvent, ...],
        save_log_times: np.ndarray,
        observe: Callable[..., Any],
        max_log_time: float,
        again: Callable[..., Any],
    ):
        self.parts = jax.tree.map(_known, parts)
        self.events = jax.tree.map(_known, events)
        self.save_log_times = save_log_times
        self.observe = observe
        self.max_log_time = max_log_time
        self.again = again

    def _request(self) -> Any:
        return self.parts, self.events, self.save_log_times, self.max_log_time

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Asked) or self.observe is not other.observe:
            return False
        return bool(eqx.tree_equal(self._request(), other._request()))

    def __hash__(self) -> int:
        kinds = [type(part).__name__ for part in (*self.parts, *self.events)]
        return hash((*kinds, len(self.save_log_times)))

    def __repr__(self) -> str:
        return f"Asked({short(self.parts)}, events={labels(self.events)})"

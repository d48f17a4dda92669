"""Objects as people read them: one line of code, or a small table."""

import dataclasses
import html
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np

MOST_NUMBERS = 8  # of a row that is written out
LONGEST = 70  # letters of anything else

Rows = Sequence[tuple[str, str]]


def short(value: Any) -> str:
    """One line for a value; for a module what differs from its defaults.

    >>> import simulator as sim
    >>> short(sim.Gap(1e-3)), short(sim.PolicyGradient(beta=0.1))
    ('Gap(0.001)', 'PolicyGradient(beta=0.1)')
    >>> short([0.25, 0.75])
    '[0.25 0.75]'
    """
    if isinstance(value, eqx.Module):
        return _call(value)
    listed = isinstance(value, tuple | list)
    if listed and any(isinstance(x, eqx.Module) for x in value):
        inner = ", ".join(map(short, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, jax.core.Tracer):
        return f"traced{list(value.shape) or ''}"
    if isinstance(value, bool | str) or value is None:
        return repr(value)
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        text = repr(value)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return number(array[()]) if array.ndim == 0 else row(array)


class Part(eqx.Module):
    """Base of signals, updates, events and parts of recipes: printed as one writes it.

    >>> import simulator as sim
    >>> sim.Mixture([sim.Verifiable(), sim.NoisyVerifier(0.6)], [0.8, 0.2])
    Mixture((Verifiable(), NoisyVerifier(false_positive=0.6)), [0.8 0.2])
    """

    def __repr__(self) -> str:
        return short(self)


def number(value: Any, digits: int = 4) -> str:
    """A number with few digits."""
    return f"{float(value):.{digits}g}"


def count(number: int, noun: str) -> str:
    """How many of them.

    >>> count(1, "seed"), count(2000, "seed")
    ('1 seed', '2,000 seeds')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def problems(shape: Sequence[int]) -> str:
    """How many problems a batch has, by axis: `2 x 3 problems`."""
    size = " x ".join(f"{n:,}" for n in shape)
    return f"{size} problem{'' if np.prod(shape) == 1 else 's'}"


def steps(saved: Any) -> str:
    """At how many numbers of steps something was saved."""
    if len(saved) == 1:
        return f"at step {int(saved[0]):,}"
    return f"{len(saved):,} times, up to step {int(saved[-1]):,}"


def row(values: Any) -> str:
    """Numbers in one line, or how many there are."""
    values = np.asarray(values)
    if values.ndim != 1 or values.size > 2 * MOST_NUMBERS:
        return f"numbers of shape {values.shape}"
    return f"[{' '.join(map(number, values))}]"


def moment(log_time: Any) -> str:
    """The time whose logarithm is given, in plain digits and as a power of ten."""
    log_time = float(log_time)
    if np.isnan(log_time):
        return "unknown"
    if log_time == -np.inf:
        return "from the start"
    if log_time == np.inf:
        return "never"
    power = f"10^{log_time / np.log(10):.4g}"
    if not -20 < log_time < 20:
        return f"t = {power}"
    return f"t = {number(np.exp(log_time))}  ({power})"


def known(tree: Any) -> bool:
    """Whether there are leaves, and all are arrays of known numbers."""
    leaves = jax.tree.leaves(tree)
    return bool(leaves) and all(
        isinstance(leaf, np.ndarray | np.generic | jax.Array)
        and not isinstance(leaf, jax.core.Tracer)
        for leaf in leaves
    )


def as_text(title: str, rows: Rows) -> str:
    """The title, and one indented line for each row."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join([title, *(f"  {name:<{width}}  {text}" for name, text in rows)])


def as_html(title: str, rows: Rows) -> str:
    """The same as a table of two columns."""
    cells = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
        for name, text in rows
    )
    return f"<table><caption>{html.escape(title)}</caption>{cells}</table>"


def as_grid(title: str, header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table of HTML with a header."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in line) + "</tr>"
        for line in lines
    )
    caption = f"<caption>{html.escape(title)}</caption>"
    return f"<table>{caption}<tr>{head}</tr>{body}</table>"


def _call(module: Any) -> str:
    given = []
    for field in dataclasses.fields(module):
        value = getattr(module, field.name, None)
        if not field.init or value is None or same(value, field.default):
            continue
        # Fields that must be given are given by place.
        name = "" if field.default is dataclasses.MISSING else f"{field.name}="
        given.append(f"{name}{short(value)}")
    return f"{type(module).__name__}({', '.join(given)})"


def same(value: Any, other: Any) -> bool:
    """Whether two known values are equal; False if that cannot be told."""
    if isinstance(value, jax.core.Tracer) or isinstance(other, jax.core.Tracer):
        return value is other
    try:
        return bool(eqx.tree_equal(_plain(value), _plain(other)))
    except (TypeError, ValueError):
        return False


def _plain(tree: Any) -> Any:
    return jax.tree.map(lambda x: np.asarray(x, float) if _numeric(x) else x, tree)


def _numeric(leaf: Any) -> bool:
    kinds = bool, int, float, np.ndarray, np.generic, jax.Array
    return isinstance(leaf, kinds) and not isinstance(leaf, jax.core.Tracer)


def spread(log_times: Any) -> str:
    """How often, and from when to when."""
    log_times = np.asarray(log_times).ravel()
    happened = log_times[log_times < np.inf]
    share = f"in {len(happened):,} of {len(log_times):,}"
    later = happened[happened > -np.inf] / np.log(10)
    if not len(later):
        return share
    low, middle, high = np.quantile(later, [0, 0.5, 1])
    return f"{share}, t = 10^{low:.3g} to 10^{high:.3g}, median 10^{middle:.3g}"


def first_steps(first: Any) -> str:
    """From which to which step, and how often never (-1)."""
    first = np.asarray(first).ravel()
    happened = first[first >= 0]
    share = f"in {len(happened):,} of {len(first):,}"
    if not len(happened):
        return share
    low, middle, high = np.quantile(happened, [0, 0.5, 1])
    return f"{share}, step {low:,.0f} to {high:,.0f}, median {middle:,.0f}"

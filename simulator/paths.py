"""Traced paths as they are looked at: by name, as tables, as curves."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from simulator import observables
from simulator.problem import Problem, lanes_at
from simulator.reporting import display
from simulator.reporting.labels import kebab
from simulator.rules import AbstractUpdate
from simulator.updates import PolicyGradient
from simulator.validation import Result, check_known, shown

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

__all__ = ["Trace"]


class Trace(eqx.Module):
    """Rows of whole paths: from the base policy to where hardly anything moves.

    Shapes: `*B` batch axes of the problem, `C` updates, `N` rows, `K` patterns. Arrays
    are those of NumPy, except inside of jit and vmap.

    - `log_probs`: the policy in each row; the base policy in the first.
    - `log_times`: natural logarithm of the flow time, in the clock of each update; -inf
      in the first row. Along the rows they never fall.
    - `log_tau`: that of the intrinsic time tau, `dt = Z dtau / h` with `Z = sum_k
      exp(theta_k)` in the gauge `sum_k theta_k = 0` (`theory.intrinsic_time`).
    - `leader`: the most likely pattern. It changes after the row of a hand-over, in
      which two are equally likely.
    - `kept`: the rows in use. The others repeat the last of them, and draw nothing.
      Where nothing moves that is the first row, and the only one.
    - `rewards`: `[*B, K]`, what each pattern is paid. `names`: of the updates.
    - `problem`: the problem that was traced.

    `trace[i]` is lane i of a batch.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> path = sim.trace(problem)
    >>> halfway = int(np.argmax(path.accuracy > 0.75))
    >>> round(float(path.log_times[0, halfway]), 1), int(path.leader[halfway])
    (4.5, 0)
    """

    log_probs: Float[Result, "*B N K"]
    log_times: Float[Result, "*B C N"]
    log_tau: Float[Result, "*B N"]
    leader: Int[Result, "*B N"]
    kept: Bool[Result, "*B N"]
    rewards: Float[Result, "*B K"]
    problem: Problem
    names: tuple[str, ...] = eqx.field(static=True)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The leading axes `*B`; `()` for one path."""
        return np.shape(self.log_tau)[:-1]

    def __len__(self) -> int:
        """The length of the first batch axis."""
        if not self.batch_shape:
            raise TypeError("this is one path, not a batch: it has no length.")
        return self.batch_shape[0]

    def __getitem__(self, index: Any) -> "Trace":
        """Lanes of a batch."""
        if not self.batch_shape:
            raise IndexError("this is one path, not a batch: it has no lanes.")
        return lanes_at(self, self.batch_shape, index)

    def __iter__(self) -> Any:
        """The lanes of a batch, one after the other."""
        return (self[i] for i in range(len(self)))

    @property
    def policy(self) -> Float[Result, "*B N K"]:
        """The probabilities `pi_k` in each row."""
        return _numbers(self.log_probs).exp(self.log_probs)

    @property
    def accuracy(self) -> Float[Array, "*B N"]:
        """`ACC = sum_k pi_k s_k` in each row."""
        return observables.means_by_lane(self.log_probs, self.problem.success_rates)

    @property
    def moves(self) -> Bool[Result, "*B"]:
        """Whether the policy moves at all."""
        return self.kept[..., 1]

    @property
    def notes(self) -> np.ndarray:
        """Where each path goes, in words, `[*B]`; 0-d for one path.

        Raises `ValueError` inside of jit, grad and vmap.
        """
        check_known("trace", self.log_tau)
        rewards = np.asarray(self.rewards)
        log_policy = np.asarray(self.problem.log_policy)
        lanes = [_note(rewards[i], log_policy[i]) for i in np.ndindex(self.batch_shape)]
        return np.array(lanes, dtype=str).reshape(self.batch_shape)

    def times(self, update: str | AbstractUpdate) -> Float[Result, "*B N"]:
        """The log times of one update: by its name, by that of its class, or itself.

        Raises `ValueError` with the known names if none has it, or several do.

        >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
        >>> path = sim.trace(problem, updates=[sim.GRPO(2), sim.GRPO(8)])
        >>> path.names, bool((path.times("grpo=8") == path.times(sim.GRPO(8))).all())
        (('grpo=2', 'grpo=8'), True)
        """
        name = clock_name(update) if isinstance(update, AbstractUpdate) else update
        fits = [i for i, mine in enumerate(self.names) if mine == name]
        if not fits and isinstance(name, str):
            bases = [mine.rpartition(" #")[0] for mine in self.names]
            fits = [i for i, base in enumerate(bases) if base == name]
        if not fits and isinstance(name, str):
            kinds = [mine.partition("=")[0] for mine in self.names]
            fits = [i for i, kind in enumerate(kinds) if kind == name]
        if len({self.names[i] for i in fits}) != 1:
            wrong = "fits several" if fits else "was not traced"
            raise ValueError(
                f"`update` is {shown(name)}, which {wrong}; choose from "
                f"{', '.join(self.names)}."
            )
        return self.log_times[..., fits[0], :]

    def to_pandas(self) -> "pandas.DataFrame":
        """The rows of one path as a table: `log10_t` of each update, policy, leader.

        Raises `ValueError` for a batch (take `trace[0]`), and inside of jit.

        >>> table = sim.trace(sim.Problem([0.9, 0.6], [0.05, 0.95])).to_pandas()
        >>> list(table.columns)
        ['log10_t policy-gradient', 'pi_0', 'pi_1', 'accuracy', 'leader']
        """
        import pandas

        kept = self._one()
        columns = {
            f"log10_t {name}": self.log_times[i, kept] / np.log(10)
            for i, name in enumerate(self.names)
        }
        columns |= {f"pi_{k}": row for k, row in enumerate(self.policy[kept].T)}
        columns["accuracy"] = np.asarray(self.accuracy)[kept]
        return pandas.DataFrame(columns | {"leader": self.leader[kept]})

    def plot(
        self, axes: "Axes | None" = None, update: str | AbstractUpdate | None = None
    ) -> "Axes":
        """Draw policy and accuracy of one path on the log time of one update.

        `axes`: where to draw (default: a new figure); `update`: as `times` takes it
        (default: the first). Returns the axes.

        Raises `ValueError` for a batch (draw `trace[0]`), and inside of jit.
        """
        from simulator.reporting import plotting

        kept = self._one()
        name = self.names[0] if update is None else update
        return plotting.draw_trace(self, axes, np.asarray(self.times(name)), kept)

    def _one(self) -> np.ndarray:
        """The kept rows of one path."""
        check_known("trace", self.log_tau)
        if self.batch_shape:
            raise ValueError(
                f"this is a batch of shape {self.batch_shape}; take one path, like "
                "trace[0]."
            )
        return np.asarray(self.kept)

    def __repr__(self) -> str:
        if not display.known((self.log_tau, self.rewards)):
            return "Trace of numbers that are not known"
        return display.as_text(*_rows(self))

    def _repr_html_(self) -> str:
        if not display.known((self.log_tau, self.rewards)):
            return f"<pre>{self!r}</pre>"
        return display.as_html(*_rows(self))


def clock_name(update: AbstractUpdate) -> str:
    """The name of an update: its class, the first parameter, others that are set.

    >>> clock_name(sim.GRPO(8)), clock_name(sim.GRPO(4, spread="sample"))
    ('grpo=8', 'grpo=4,spread=sample')
    """
    name = kebab(type(update).__name__)
    given = []
    for i, field in enumerate(dataclasses.fields(update)):
        value = getattr(update, field.name)
        if isinstance(update, PolicyGradient) or not field.init:
            continue
        text = value if isinstance(value, str) else _digits(value)
        if i == 0:
            given.append(text)
        elif not display.same(value, field.default) and value != field.default:
            given.append(f"{field.name}={text}")
    return f"{name}={','.join(given)}" if given else name


def clock_names(updates: Sequence[AbstractUpdate]) -> tuple[str, ...]:
    """The names of updates; numbered where several that differ would have the same.

    >>> clock_names([sim.GRPO(4), sim.GRPO(8), sim.GRPO(8)])
    ('grpo=4', 'grpo=8', 'grpo=8')
    """
    names = list(map(clock_name, updates))
    found = []
    for name, update in zip(names, updates, strict=True):
        alike = [u for mine, u in zip(names, updates, strict=True) if mine == name]
        same = [u is update or display.same(u, update) for u in alike]
        found.append(name if all(same) else f"{name} #{same.index(True) + 1}")
    return tuple(found)


def _digits(value: Any) -> str:
    """A value with all of its digits, if it is one number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return display.short(value)
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _numbers(array: Any) -> Any:
    return np if isinstance(array, np.ndarray) else jnp


def _rows(path: Trace) -> tuple[str, list[tuple[str, str]]]:
    """Title and rows of a trace that is printed."""
    shape, kept = path.batch_shape, np.asarray(path.kept)
    if shape:
        still = int(np.sum(~np.asarray(path.moves)))
        rows = [("nothing moves", f"in {still:,}")] if still else []
        rows += [("updates", ", ".join(path.names))]
        return f"Trace of {display.problems(shape)}, {kept.shape[-1]} rows each", rows
    number, accuracy = int(kept.sum()), np.asarray(path.accuracy)
    leaders = np.asarray(path.leader)[kept]
    changes = np.append(True, leaders[1:] != leaders[:-1])
    rows = [
        ("path", str(path.notes)),
        ("leaders", ", ".join(map(str, leaders[changes]))),
        ("accuracy", f"{accuracy[0]:.4g} -> {accuracy[-1]:.4g}"),
    ]
    if path.moves:
        for name, times in zip(path.names, np.asarray(path.log_times), strict=True):
            rows.append((name, f"up to {display.moment(times[-1])}"))
    return f"Trace of one problem, {display.count(number, 'row')}", rows


def _note(rewards: np.ndarray, log_policy: np.ndarray) -> str:
    """Where a path goes."""
    inside = log_policy > -np.inf
    top = rewards[inside].max()
    best = np.flatnonzero(inside & (rewards == top))
    never = np.flatnonzero(~inside & (rewards > top))
    if inside.sum() == 1:
        text = f"Nothing moves: the base model has pattern {best[0]} only."
    elif len(best) == inside.sum():
        text = "Nothing moves: all patterns of the base model are paid the same."
    elif len(best) == 1:
        text = f"Ends at pattern {best[0]}, which is paid the most."
    else:
        alike = np.ptp(log_policy[best]) == 0
        how = "stay equally likely" if alike else "leave all to their likeliest in time"
        text = f"Ends at {_listed(best)}, which are paid the most; they {how}."
    if len(never):
        are = "is" if len(never) == 1 else "are"
        text += f" {_listed(never).capitalize()} {are} paid more, but never tried."
    return text


def _listed(patterns: np.ndarray) -> str:
    *first, last = map(str, patterns)
    return f"patterns {', '.join(first)} and {last}" if first else f"pattern {last}"

"""The result of training from sampled groups."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simulator.engines.lanes import lane_axes, per_lane
from simulator.outcome import IN_STEPS, AbstractResult, Outcome
from simulator.problem import Problem, lanes_at
from simulator.recording import AbstractFirst
from simulator.reporting import display, labels
from simulator.reporting.display import count
from simulator.rollouts.recipe import Recipe
from simulator.rollouts.step import Tally
from simulator.validation import Result

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes

__all__ = ["Run"]


class Run(AbstractResult):
    """The result of training; `*B` are the lanes of the problems, `S` the seeds.

    - `outcome`: `[*B, S]`: `horizon` (all steps done), `nonfinite` or `oversized`; see
      `outcome_names`, `failed`, `advice`. A run that failed keeps its last good
      parameters.
    - `log_probs`: `[*B, S, Q, K]`, the final policy of every question.
    - `groups`: `[*B, S]`, how many groups were used, and how many thrown away.
    - `saved_steps`: `[T]`; `saved`: `[*B, S, T, ...]`, what was observed after them, by
      default the log-probabilities (a `Solution` saves probabilities).
    - `first_step`: `[*B, S]`, the first step after which the event `until` held: 0 from
      the start, -1 if it never did; None without such an event.
    - `problem`, `recipe`: what was trained, and how; `[*B, Q, K]`.

    `run[i]` is lane i, if there are lanes.

    >>> import simulator as sim
    >>> from simulator import rollouts as ro
    >>> problem = sim.Problem([0.9, 0.1], [0.5, 0.5])
    >>> run = ro.train(problem, ro.Recipe(num_steps=100), num_seeds=4)
    >>> run.log_probs.shape, run.outcome_counts
    ((4, 1, 2), {'horizon': 4})
    """

    outcome: Outcome
    log_probs: Float[Result, "*B Q K"]
    groups: Tally
    saved_steps: Int[Array | np.ndarray, " T"]
    saved: Any
    problem: Problem
    recipe: Recipe
    observe: Callable | None = eqx.field(static=True, default=None)
    until: AbstractFirst | None = None
    first_step: Int[Result, "*B"] | None = None

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The lanes `*B`; `()` if there are none."""
        return self.problem.batch_shape[:-1]

    @property
    def num_seeds(self) -> int:
        """`S`."""
        return int(np.shape(self.log_probs)[-3])

    @property
    def policy(self) -> Float[Array, "*B S Q K"]:
        """The probabilities `pi_k` at the end."""
        return jnp.exp(self.log_probs)

    @property
    def accuracy(self) -> Float[Array, "*B S Q"]:
        """`ACC = sum_k pi_k s_k` of every question at the end."""
        rates = self.problem.success_rates[..., None, :, :]
        return jnp.sum(self.policy * rates, axis=-1)

    def __getitem__(self, index: Any) -> "Run":
        """The lane or lanes at `index`, with all seeds."""
        shape = self.batch_shape
        if isinstance(index, str):
            raise KeyError(
                f"`{index}`: a Run has no events and no times; save what you need by "
                "step, with `save_at` and `observe`; `first_step` is that of `until`."
            )
        if not shape:
            raise IndexError("this run has no lanes; seeds are the axis of its arrays.")
        names = ("outcome", "log_probs", "groups", "saved", "problem", "first_step")
        per_run = {name: getattr(self, name) for name in names}
        own = {
            name: per_lane(lambda x: lanes_at(x, shape, index), part, lane_axes(part))
            for name, part in (("recipe", self.recipe), ("until", self.until))
        }
        return dataclasses.replace(self, **lanes_at(per_run, shape, index), **own)

    def _texts(self) -> dict[str, str]:
        return IN_STEPS

    def saved_policies(self) -> np.ndarray | None:
        """`[*B, S, 1 + T, Q, K]`: probabilities at step 0 and `saved_steps`.

        None if `observe` was something else.
        """
        if self.observe is not None:
            return None
        saved = np.asarray(self.saved)
        first = np.asarray(self.problem.log_policy)[..., None, None, :, :]
        axis = len(self.batch_shape) + 1
        wide = np.broadcast_to(first, np.take(saved, [0], axis=axis).shape)
        return np.exp(np.concatenate([wide, saved], axis=axis))

    def to_xarray(self) -> "xarray.Dataset":
        """All of it as a labelled dataset.

        Dimensions: `lane` (or `lane_0`, `lane_1`, ...), `seed`, `question`, `pattern`
        and `step`. Lanes and seeds are numbered from 0. What was observed is `saved`,
        or goes by its own names; `long_name` says what it is.

        >>> import simulator as sim
        >>> from simulator import rollouts as ro
        >>> problem = sim.Problem([0.9, 0.1], [0.5, 0.5])
        >>> run = ro.train(problem, ro.Recipe(num_steps=100), num_seeds=4)
        >>> dict(run.to_xarray().accuracy.sizes)
        {'seed': 4, 'question': 1}
        """
        from simulator.reporting import tabulate

        return tabulate.of_run(self)

    def to_pandas(self) -> "pandas.DataFrame":
        """One row per lane and seed: outcome, groups, mean accuracy over questions.

        >>> import simulator as sim
        >>> from simulator import rollouts as ro
        >>> problem = sim.Problem([0.9, 0.1], [0.5, 0.5])
        >>> run = ro.train(problem, ro.Recipe(num_steps=100), num_seeds=4)
        >>> len(run.to_pandas())
        4
        """
        from simulator.reporting import tabulate

        return tabulate.frame_of_run(self)

    def plot(
        self,
        axes: "Axes | None" = None,
        *,
        quantiles: tuple[float, float] = (0.05, 0.95),
    ) -> "Axes":
        """Draw accuracy (the mean over questions) by step, as bands over the seeds.

        With one question also its policy. Lines are medians, bands go from the lower to
        the upper of the `quantiles`. Returns the axes (default: those of a new figure).

        Raises `ValueError` for several lanes (draw `run[0]`), and unless policies were
        saved at several steps (`save_at`, and no `observe`).
        """
        from simulator.reporting import plotting

        if self.batch_shape:
            raise ValueError(
                f"this run has lanes of shape {self.batch_shape}; draw one, like "
                "run[0].plot()."
            )
        policies = self.saved_policies()
        if policies is None or len(self.saved_steps) < 2:
            last = self.recipe.num_steps
            each = -(-last // 100)
            raise ValueError(
                "`plot` needs policies at several steps; train with `save_at`, like "
                f"range({each}, {last + 1}, {each}), and without `observe`."
            )
        low, high = quantiles
        if not 0 <= low < high <= 1:
            raise ValueError(
                f"`quantiles` is {quantiles}; give two numbers from 0 to 1, rising."
            )
        return plotting.draw_run(self, axes, policies, quantiles)

    def _rows(self) -> tuple[str, list[tuple[str, str]]]:
        lanes = [count(n, "lane") for n in self.batch_shape]
        sizes = " x ".join([*lanes, count(self.num_seeds, "seed")])
        questions, patterns = np.shape(self.log_probs)[-2:]
        title = f"Run: {sizes}, {count(self.recipe.num_steps, 'step')}"
        if not np.size(self.log_probs):
            return title, []
        counts = [f"{n:,} {name}" for name, n in self.outcome_counts.items()]
        low, middle, high = np.quantile(np.asarray(self.accuracy), [0.05, 0.5, 0.95])
        used = np.sum(self.groups.used, dtype=float)
        idle = np.sum(self.groups.idle, dtype=float) / max(used, 1)
        rows = [
            ("outcome", ", ".join(counts)),
            ("questions", f"{questions:,}, with {patterns} patterns"),
            ("accuracy", f"median {middle:.4g}, 5 to 95 %: {low:.4g} to {high:.4g}"),
            ("groups", f"{100 * idle:.3g} % idle (all rewards equal)"),
            *self._first_rows(),
            ("saved", display.steps(self.saved_steps)),
        ]
        return title, rows

    def _first_rows(self) -> list[tuple[str, str]]:
        if self.until is None:
            return []
        return [(labels.label(self.until), display.first_steps(self.first_step))]

    def __repr__(self) -> str:
        return display.as_text(*self._rows())

    def _repr_html_(self) -> str:
        return display.as_html(*self._rows())

"""The result of a run, and why it stopped."""

import dataclasses
from typing import TYPE_CHECKING, Any, overload

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simulator import observables
from simulator.moment import AbstractTimed, Moment
from simulator.outcome import WITHOUT_UNTIL, AbstractResult, Outcome
from simulator.problem import Problem, lanes_at
from simulator.recording import AbstractEvent
from simulator.reporting import display, labels
from simulator.reporting.labels import Asked
from simulator.reporting.rows import solution_rows
from simulator.validation import Result, check_kind, check_known, check_whole

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes

__all__ = ["Solution"]


class Solution(AbstractResult, AbstractTimed):
    """The result of one run, or of a batch along the leading axes `*B`.

    Times are natural logarithms of the flow time `t` (`step_size * num_steps` for
    discrete training), because plateaus last longer than floats can say.

    - `outcome`: an `Outcome` per lane; see `outcome_names`, `failed`, `advice`.
    - `log_time`, `log_probs`: where the run ended. The time is `-inf` if the event to
      stop at holds from the start, `+inf` if it never will (`unreachable`: the policy
      is that at the time limit; `stationary`).
    - `event_log_times`: one per event asked for; `-inf`: true from the start (or an
      extremum at the start), `+inf`: did not happen. Better by name: `solution["t0"]`,
      or by the event: `solution.at(T0())`.
    - `event_log_probs`: the policy at those events (the final one where it did not
      happen).
    - `saved`: what was observed at the times asked for, by default the probabilities
      (not their logarithms, which a `Run` of `rollouts` saves); rows after the end of
      the run repeat the final value; `None` if no times were given.
    - `num_steps`: solver steps taken.
    - `method`: the engine: `exact`, or `flow`, whose implicit steps are `implicit`.
    - `problem`: the problem that was solved.

    `solution[i]` is lane i of a batch. Arrays of all fields have the axes `*B` first,
    also in `jax.tree.map`; `asked` (static) and `lanes` hold the request.

    >>> import simulator as sim
    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(
    ...     problem, sim.Verifiable(), until=sim.Gap(1e-3), events=[sim.T0()]
    ... )
    >>> solution
    Solution of one problem (exact)
      outcome       reached: The event to stop at was reached.
      end           t = 758.2  (10^2.88)
      accuracy      0.49 -> 0.899
      policy        [0.9975 0.002011 0.0004959]
      at t0         t = 42.68  (10^1.63)
      at gap=0.001  t = 758.2  (10^2.88)
    >>> str(solution.outcome_names), bool(solution.failed)
    ('reached', False)
    """

    outcome: Outcome
    log_time: Float[Result, "*B"]
    log_probs: Float[Result, "*B K"]
    event_log_times: Float[Result, "*B E"]
    event_log_probs: Float[Result, "*B E K"]
    saved: Result | None
    num_steps: Int[Result, "*B"]
    method: str = eqx.field(static=True)
    problem: Problem | None = None
    lanes: Any = None
    asked: Asked | None = eqx.field(static=True, default=None)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The leading axes `*B`; `()` for one run."""
        return np.shape(self.log_time)

    def __len__(self) -> int:
        """The length of the first batch axis."""
        if not self.batch_shape:
            raise TypeError("this is one run, not a batch: it has no length.")
        return self.batch_shape[0]

    @property
    def accuracy(self) -> Float[Array, "*B"]:
        """`ACC = sum_k pi_k s_k` at the end."""
        return self.accuracy_of(self.log_probs)

    @property
    def events(self) -> tuple[AbstractEvent, ...]:
        """The events that were asked for, in the order of `event_log_times`."""
        return self._request().events

    @property
    def until(self) -> AbstractEvent | None:
        """The event to stop at, or None."""
        return self.parts()[2]

    @property
    def event_names(self) -> list[str]:
        """The names of `events`, as `solution[name]` takes them."""
        return labels.labels(self.events)

    @property
    def saved_log_times(self) -> np.ndarray:
        """`[T]`: the log times of `saved`."""
        return self._request().save_log_times

    @property
    def max_log_time(self) -> float:
        """The time limit that was given, as a logarithm."""
        return self._request().max_log_time

    def at(self, event: AbstractEvent) -> Moment:
        """The moment of an event that was asked for, in `events` or as `until`.

        Any equal event will do. One whose level was traced fits any level; if there are
        several of its kind, use `event_log_times`.

        Raises `ValueError` for an event that was not asked for.

        >>> import simulator as sim
        >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
        >>> solution = sim.solve(problem, sim.Verifiable(), until=sim.Gap(1e-3))
        >>> bool(solution.at(sim.Gap(1e-3)).happened)
        True
        """
        check_kind("event", event, AbstractEvent, "T0()")
        known = self._all_events()
        fits = [labels.is_event(mine, event) for mine in known]
        lanes = any(np.ndim(leaf) for leaf in jax.tree.leaves(event))
        written = display.short(event)
        option = f"until={written}" if lanes else f"events=[{written}]"
        place = labels.only(known, fits, labels.label(event), option)
        if isinstance(place, str):
            raise ValueError(place)
        return self._moment(place)

    @overload
    def __getitem__(self, key: str) -> Moment: ...

    @overload
    def __getitem__(self, key: Any) -> "Solution": ...

    def __getitem__(self, key: Any) -> "Moment | Solution":
        """The event of this name (`t0`, `gap`, `gap=1e-3`), or lanes of a batch.

        Raises `KeyError` if no event, or more than one, has the name.
        """
        if isinstance(key, str):
            known = self._all_events()
            fits = [labels.is_named(mine, key) for mine in known]
            written = labels.written(key)
            place = labels.only(known, fits, key, written and f"events=[{written}]")
            if isinstance(place, str):
                raise KeyError(place)
            return self._moment(place)
        if not self.batch_shape:
            raise IndexError("this is one run, not a batch: it has no lanes.")
        return lanes_at(self, self.batch_shape, key)

    def __iter__(self) -> Any:
        """The lanes of a batch, one after the other."""
        return (self[i] for i in range(len(self)))

    def moments(self) -> list[Moment]:
        """All events, that to stop at last."""
        return [self._moment(i) for i in range(len(self._all_events()))]

    def _request(self) -> Asked:
        if self.asked is None:
            raise ValueError(
                "this solution does not know what was asked for; take it as "
                "`simulator.solve` returned it."
            )
        return self.asked

    def parts(self) -> tuple[Any, Any, Any]:
        """Signal, update and the event to stop at (or None), as they were given."""
        return eqx.combine(self.lanes, self._request().parts)

    def _texts(self) -> dict[str, str]:
        known = self.asked is not None
        return WITHOUT_UNTIL if known and self.until is None else {}

    def _all_events(self) -> list[AbstractEvent]:
        until = self.until
        return [*self.events, *([] if until is None else [until])]

    def _moment(self, place: int) -> Moment:
        if place < len(self.events):
            log_time = self.event_log_times[..., place]
            log_probs = self.event_log_probs[..., place, :]
            return Moment(log_time, log_probs, self.event_names[place])
        reached = self.outcome == Outcome.reached
        log_time = jnp.where(reached, self.log_time, jnp.inf)
        return Moment(log_time, self.log_probs, labels.label(self._all_events()[place]))

    def known_problem(self) -> Problem:
        """The problem that was solved. Raises `ValueError` if it is not known."""
        if self.problem is None:
            raise ValueError(
                "this solution does not know its problem; use `simulator.accuracy`."
            )
        return self.problem

    def accuracy_of(self, log_probs: Array | np.ndarray) -> Array:
        """`ACC` of policies `[*B, ..., K]`."""
        return observables.means_by_lane(log_probs, self.known_problem().success_rates)

    def attribute(
        self, name: str, log_probs: Array | np.ndarray | None = None
    ) -> Array:
        """The mean of an attribute, `sum_k pi_k f_k`, at the end: `[*B]`.

        Or of policies `[*B, ..., K]`. Raises `ValueError` for an unknown name.
        """
        policies = self.log_probs if log_probs is None else log_probs
        return observables.means_by_lane(policies, self.known_problem().attribute(name))

    def to_xarray(self) -> "xarray.Dataset":
        """All of it as a labelled dataset.

        Dimensions: `lane` (`lane_0`, `lane_1`, ... for several batch axes), `pattern`,
        `event` (the names, that to stop at last) and `saved_log_time`. Log times are
        natural logarithms. Lanes are numbered from 0; `long_name` says what is `saved`.

        Raises `ValueError` inside of jit, grad and vmap.

        >>> import simulator as sim
        >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
        >>> solution = sim.solve(problem, sim.Verifiable(), events=[sim.T0()])
        >>> round(float(solution.to_xarray().event_log_time.sel(event="t0")), 4)
        3.7538
        """
        from simulator.reporting import tabulate

        check_known("solution", self.log_time)
        return tabulate.of_solution(self)

    def to_pandas(self) -> "pandas.DataFrame":
        """One row per lane: outcome, times as logarithms to base 10, accuracy.

        Through xarray, which brings pandas. Raises `ValueError` like `to_xarray`.

        >>> import simulator as sim
        >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
        >>> solution = sim.solve(problem, sim.Verifiable(), events=[sim.T0()])
        >>> list(solution.to_pandas().columns)[:3]
        ['outcome', 'log10_time', 'accuracy']
        """
        from simulator.reporting import tabulate

        check_known("solution", self.log_time)
        return tabulate.frame_of_solution(self)

    def plot(self, axes: "Axes | None" = None, *, points: int = 256) -> "Axes":
        """Draw policy and accuracy of one run on log time, with its events.

        `axes`: where to draw (default: a new figure). Returns the axes.

        If policies were saved (`save_log_times` with `probs`, the default, or
        `log_probabilities` as `observe`), they are drawn. Otherwise the run is solved
        anew, twice, with `points` saved times: first from beginning to end, then where
        the policy moves.

        Raises `ValueError` for a batch (draw `solution[0]`), and for a solution from
        inside of jit without saved policies.
        """
        from simulator.reporting import plotting

        check_known("solution", self.log_time)
        points = check_whole("points", points, 8, 10**5)
        if self.batch_shape:
            raise ValueError(
                f"this is a batch of shape {self.batch_shape}; draw one run, like "
                "solution[0].plot()."
            )
        return plotting.draw_solution(self, axes, points)

    def without_labels(self) -> "Solution":
        """Only the numbers of the engine, without problem and request.

        For programs that take solutions: labels are static, so that other events or
        levels are another program.
        """
        return dataclasses.replace(self, problem=None, lanes=None, asked=None)

    def saved_policies(self) -> np.ndarray | None:
        """`[*B, T, K]`: the probabilities at `saved_log_times`; None if not saved."""
        if self.saved is None or self.asked is None:
            return None
        if self.asked.observe is observables.probs:
            return np.asarray(self.saved)
        if self.asked.observe is observables.log_probabilities:
            return np.exp(np.asarray(self.saved))
        return None

    def again(self, save_log_times: Any) -> "Solution":
        """The same run, with policies saved at other log times, as probabilities.

        Raises `ValueError` for a solution from inside of jit, grad or vmap.
        """
        asked, parts = self._request(), self.parts()
        if any(leaf is labels.UNKNOWN for leaf in jax.tree.leaves(parts)):
            raise ValueError(
                "this solution comes from inside of jit, grad or vmap, where numbers "
                "of the request are not known; solve outside, or save policies."
            )
        return asked.again(self.problem, parts, save_log_times)

    def _known(self) -> bool:
        told = self.log_time, self.log_probs, self.event_log_times, self.num_steps
        return all(map(display.known, told)) and display.known(self.outcome)

    def __repr__(self) -> str:
        if not self._known():
            return f"Solution of numbers that are not known ({self.method})"
        return display.as_text(*solution_rows(self))

    def _repr_html_(self) -> str:
        if not self._known():
            return f"<pre>{self!r}</pre>"
        return display.as_html(*solution_rows(self))

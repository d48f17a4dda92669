"""The result of following a population."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simulator.moment import AbstractTimed, Moment
from simulator.outcome import WITHOUT_UNTIL, AbstractResult, Outcome
from simulator.populations.population import Population
from simulator.reporting import display
from simulator.validation import Result

__all__ = ["PopulationSolution"]


class PopulationSolution(AbstractResult, AbstractTimed):
    """The result of one population, or of a batch along the leading axes `*B`.

    - `outcome`, `log_time`, `num_steps`: as in `Solution`. `settled`: the parameters
      came to rest.
    - `parameters`: `[*B, P]`, where it ended; `Population.at` goes on from there.
    - `log_probs`: `[*B, Q, K]`, the policies there. `success`: `[*B, T]`, of each
      question, or of each task of a joint signal.
    - `event_log_times`: `[*B, E]`, that to stop at last; `event_log_probs`:
      `[*B, E, Q, K]`. By name: `solution["accuracy=0.5"]`.
    - `saved`: `[*B, T, ...]`, what was observed (by default the probabilities
      `[Q, K]`) at `saved_log_times`; None if no times were given.

    >>> problem = sim.Problem([[0.9, 0.1], [0.2, 0.6]], [[0.3, 0.7], [0.5, 0.5]])
    >>> shared = sim.Population(problem, ro.Shared())
    >>> sim.solve_population(shared, sim.Verifiable(), until=sim.Accuracy(0.54))
    PopulationSolution of 2 questions with 2 patterns
      outcome           reached: The event to stop at was reached.
      end               t = 71.21  (10^1.853)
      mean accuracy     0.37 -> 0.54
      at accuracy=0.54  t = 71.21  (10^1.853)
    """

    outcome: Outcome
    log_time: Float[Result, "*B"]
    parameters: Float[Result, "*B P"]
    log_probs: Float[Result, "*B Q K"]
    success: Float[Result, "*B T"]
    event_log_times: Float[Result, "*B E"]
    event_log_probs: Float[Result, "*B E Q K"]
    saved: Result | None
    num_steps: Int[Result, "*B"]
    population: Population
    saved_log_times: Float[np.ndarray, " T"]
    event_names: tuple[str, ...] = eqx.field(static=True)
    stops: bool = eqx.field(static=True)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The leading axes `*B`; `()` for one population."""
        return np.shape(self.log_time)

    @property
    def accuracy(self) -> Float[Array, "*B Q"]:
        """`p_q = sum_k pi_qk s_qk` of every question at the end."""
        return jnp.sum(self.policy * self.population.problem.success_rates, axis=-1)

    @property
    def saved_accuracy(self) -> Float[Array, "*B T Q"]:
        """`p_q` of every question at `saved_log_times`, if probabilities were saved.

        Raises `ValueError` if nothing was saved.
        """
        if self.saved is None:
            raise ValueError("nothing was saved; solve with `save_log_times`.")
        rates = self.population.problem.success_rates[..., None, :, :]
        return jnp.sum(jnp.asarray(self.saved) * rates, axis=-1)

    def __getitem__(self, name: str) -> Moment:
        """The event of this name. Raises `KeyError` if there is none."""
        names = self.event_names
        fits = [
            i for i, own in enumerate(names) if name in (own, own.partition("=")[0])
        ]
        if len(fits) != 1:
            raise KeyError(
                f"`{name}` names {len(fits) or 'no'} events; this solution has: "
                f"{', '.join(names) or 'none'}."
            )
        place = fits[0]
        times = self.event_log_times[..., place]
        return Moment(times, self.event_log_probs[..., place, :, :], names[place])

    def _texts(self) -> dict[str, str]:
        return {} if self.stops else WITHOUT_UNTIL

    def __repr__(self) -> str:
        sizes = [display.count(n, "population") for n in self.batch_shape]
        shape = self.log_probs.shape[-2:]
        sizes.append(f"{display.count(shape[0], 'question')} with {shape[1]} patterns")
        title = f"PopulationSolution of {', '.join(sizes)}"
        if not display.known((self.log_time, self.log_probs)):
            return title
        if self.batch_shape:
            counts = [f"{n:,} {name}" for name, n in self.outcome_counts.items()]
            return display.as_text(title, [("outcome", ", ".join(counts))])
        rates = self.population.problem.success_rates
        base = np.exp(self.population.log_probs())
        before = float(np.mean(np.sum(base * rates, axis=-1)))
        after = float(jnp.mean(self.accuracy))
        name = str(self.outcome_names)
        rows: list[tuple[str, Any]] = [
            ("outcome", f"{name}: {self.advice[name]}"),
            ("end", display.moment(self.log_time)),
            ("mean accuracy", f"{before:.4g} -> {after:.4g}"),
        ]
        for place, event in enumerate(self.event_names):
            log_time = self.event_log_times[place]
            rows.append((f"at {event}", display.moment(log_time)))
        return display.as_text(title, rows)

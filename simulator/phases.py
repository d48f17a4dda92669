"""Training in phases: SFT, then RL, then other data, each to an event or a time."""

from collections.abc import Callable, Sequence
from typing import Any, overload

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.numerics.logspace import log_sum
from simulator.populations.joint import AbstractJointSignal
from simulator.populations.population import Population
from simulator.populations.solution import PopulationSolution
from simulator.populations.solving import solve_population
from simulator.problem import Problem
from simulator.recording import AbstractEvent
from simulator.rollouts.policies import AbstractPolicy
from simulator.rules import AbstractSignal, AbstractUpdate
from simulator.solution import Solution
from simulator.solving import solve
from simulator.validation import check_kind, check_real, is_traced, shown

__all__ = [
    "Phase",
    "filtered",
    "train_in_phases",
]

AnySignal = AbstractSignal | AbstractJointSignal


class Phase(eqx.Module):
    """One phase of training.

    - `signal`: what is paid, like `Demonstrations(data)` for SFT or `Verifiable()` for
      RLVR; or a function of the problem at the start of the phase that returns it, like
      `lambda problem: sim.Demonstrations(sim.filtered(problem))`.
    - `update`: default `PolicyGradient()`.
    - `duration`: flow time, learning rate times steps (the dose of SFT); default none.
    - `until`: an event that ends the phase earlier. One of the two has to be given.
    - `policy`: of a population, in this phase only: other questions for a curriculum,
      like `Weighted(Shared(), weights)`.

    >>> sim.Phase(sim.Verifiable(), duration=49.0).duration
    49.0
    """

    signal: AnySignal | Callable[[Problem], AnySignal]
    update: AbstractUpdate | None = None
    duration: float = eqx.field(default=np.inf, static=True)
    until: AbstractEvent | None = None
    policy: AbstractPolicy | None = None

    def check(self) -> None:
        """Raise `ValueError` for what is no phase, or cannot end."""
        is_signal = isinstance(self.signal, AbstractSignal | AbstractJointSignal)
        if isinstance(self.signal, type) or not (is_signal or callable(self.signal)):
            raise ValueError(
                f"`signal` is {shown(self.signal)}; give one like Verifiable(), or a "
                "function of the problem that returns one."
            )
        check_kind("update", self.update, AbstractUpdate | None, "PolicyGradient()")
        check_kind("until", self.until, AbstractEvent | None, "Accuracy(0.9)")
        check_kind("policy", self.policy, AbstractPolicy | None, "Shared()")
        check_real("duration", self.duration, "positive, or inf")
        if np.isinf(self.duration) and self.until is None:
            raise ValueError(
                "a phase has no end; give `duration`, the flow time, or an event "
                "`until`."
            )


def filtered(problem: Problem) -> Float[Array, "*B K"]:
    """The model's own samples that are correct: `pi_k s_k / (pi . s)`.

    Data for rejection-sampling SFT. Raises `ValueError` where no pattern ever succeeds.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> np.round(sim.filtered(problem), 4)
    Array([0.0918, 0.8571, 0.051 ], dtype=float64)
    """
    check_kind("problem", problem, Problem, "Problem(success_rates, policy)")
    inside = problem.log_policy > -jnp.inf
    rates = jnp.where(inside, problem.success_rates, 0.0)
    total = log_sum(problem.log_policy, rates)[..., None]
    if not is_traced(total) and np.isneginf(total).any():
        raise ValueError(
            "no sample is ever correct: every pattern of the support has success rate "
            "0; give other data."
        )
    return jnp.exp(problem.log_policy + jnp.log(rates) - total)


@overload
def train_in_phases(
    start: Problem, phases: Sequence[Phase], **options: Any
) -> list[Solution]: ...


@overload
def train_in_phases(
    start: Population, phases: Sequence[Phase], **options: Any
) -> list[PopulationSolution]: ...


def train_in_phases(
    start: Problem | Population, phases: Sequence[Phase], **options: Any
) -> Any:
    """Follow the phases one after the other; each starts where the last one ended.

    `start`: a problem, a batch of problems, or a population. Returns one solution per
    phase, whose times count from the start of the phase. A KL penalty pulls to the
    reference policy of `start` in all phases. `options` are those of `solve` (for a
    population, `solve_population`), like `events` or `save_log_times`; `max_log_time`
    is the limit of phases without a duration.

    A phase that is cut in two gives the same path, to the tolerance, unless its signal
    remembers: the counts of `CountBonus` start at 0 in every phase.

    Raises `ValueError` for phases that cannot be run.

    >>> problem = sim.Problem([0.9, 0.5, 0.2], [0.005, 0.7, 0.295])
    >>> sft = sim.Phase(sim.Demonstrations([0.9, 0.08, 0.02]), duration=8.0)
    >>> rl = sim.Phase(sim.Verifiable(), until=sim.Accuracy(0.85))
    >>> [round(float(x.time), 1) for x in sim.train_in_phases(problem, [sft, rl])]
    [8.0, 11.0]
    >>> [round(float(x.time), 1) for x in sim.train_in_phases(problem, [rl])]
    [2691.2]
    """
    check_kind("start", start, Problem | Population, "Problem(success_rates, policy)")
    check_kind("phases", phases, Sequence, "[Phase(Verifiable(), duration=10)]")
    for phase in phases:
        check_kind("phases", phase, Phase, "Phase(Verifiable(), duration=10)")
        phase.check()
        if phase.policy is not None and isinstance(start, Problem):
            raise ValueError("`policy` is for populations; leave it out of the phase.")
    if "until" in options:
        raise ValueError("`until` belongs to a phase; give Phase(..., until=event).")
    found: list[Any] = []
    for phase in phases:
        solution, start = _one(start, phase, options)
        found.append(solution)
    return found


def _one(start: Any, phase: Phase, options: dict[str, Any]) -> tuple[Any, Any]:
    """The solution of a phase, and where the next one starts."""
    limit = {} if np.isinf(phase.duration) else {"max_log_time": _log(phase.duration)}
    given = {"until": phase.until, **options, **limit}
    if isinstance(start, Problem):
        signal: Any = _signal(phase, start)
        solution = solve(start, signal, phase.update, **given)
        return solution, _moved(start, solution.log_probs)
    there = start
    if phase.policy is not None:
        there = Population(start.problem, phase.policy, parameters=start.parameters)
    signal = _signal(phase, _moved(start.problem, start.log_probs()))
    following = solve_population(there, signal, phase.update, **given)
    return following, start.at(following)


def _log(duration: float) -> float:
    return float(np.log(duration))


def _signal(phase: Phase, problem: Problem) -> AnySignal:
    signal = phase.signal
    if isinstance(signal, AbstractSignal | AbstractJointSignal):
        return signal
    return signal(problem)


def _moved(problem: Problem, log_probs: Array) -> Problem:
    """The same problem with another policy to start from."""
    return eqx.tree_at(lambda p: p.log_policy, problem, jnp.asarray(log_probs))

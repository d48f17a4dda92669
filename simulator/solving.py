"""The three entries to the engines of the flow: `solve`, `exact`, `flow`."""

from collections.abc import Callable, Sequence
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array

from simulator.engines.exact.engine import ExactEngine
from simulator.engines.flow.engine import ImplicitEngine, explicit_engine
from simulator.engines.requests import check_parts
from simulator.engines.run import run
from simulator.problem import Problem
from simulator.recording import AbstractEvent
from simulator.rules import AbstractSignal, AbstractUpdate, check_rule
from simulator.solution import Solution
from simulator.updates import PolicyGradient
from simulator.validation import Numbers, check_real, shown

__all__ = [
    "closed_form",
    "exact",
    "flow",
    "solve",
]

METHODS = ("auto", "exact", "flow")
# Of implicit steps, if the rewards move: they need a matrix for each lane.
MOST_PATTERNS = 256


def solve(
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate | None = None,
    *,
    until: AbstractEvent | None = None,
    events: Sequence[AbstractEvent] = (),
    save_log_times: Numbers | None = None,
    observe: Callable[[Array], Array] | None = None,
    max_log_time: float = 2000.0,
    max_steps: int = 20_000,
    method: Literal["auto", "exact", "flow"] = "auto",
    tolerance: float | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Solution:
    """Follow one problem, or a batch, until an event or a time.

    The flow is `d logits / dt = h pi_k A_k` (policy gradient, in the clock h of the
    update) or `A_k` (natural gradient), with `A_k = f_k - sum_j pi_j f_j` and
    `f_k = rho_k - beta log(pi_k / pi_ref_k)`. Its time t is learning rate times steps;
    log times are natural logarithms of it.

    - `problem`: success rates and base policy, `[K]`, or `[*B, K]` for a batch.
    - `signal`: what each pattern is paid, `rho_k`. `update`: how the logits move
      (default `PolicyGradient()`). Their numbers, and those of `until`, go lane by lane
      where they have the axes `*B` first.
    - `until`: an event to stop at (default: at rest, or at the time limit).
    - `events`: events to locate on the way.
    - `save_log_times`: increasing log times at which `observe(log_probs)` is saved
      (default `observe`: the probabilities).
    - `max_log_time`: the time limit, as a logarithm (default 2000).
    - `method`: `exact` and `flow` name an engine; `auto` takes the closed form where
      there is one (`closed_form`) and the numerical flow elsewhere. The two agree
      within their tolerances. `Solution.method` says which it was: `exact`, `flow`, or
      `implicit` for the flow with implicit steps, as with `PolicyGradient(beta=0.1)`.
    - `tolerance`, `max_steps`: see `exact` and `flow`.
    - `progress(done, total)`: called after every chunk of a batch.

    Raises `ValueError` if the signal does not fit the problem, a parameter is out of
    range, or the method cannot do it. Never raises for what happens in a lane: see
    `Solution.outcome`.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(
    ...     problem, sim.Verifiable(), until=sim.Gap(1e-3), events=[sim.T0()]
    ... )
    >>> solution.method, round(float(solution["t0"].time), 4)
    ('exact', 42.6832)
    """
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(
            f"`method` is {shown(method)}; choose from {', '.join(METHODS)}."
        )
    known = closed_form(signal, update)
    engine = exact if method == "exact" or (method == "auto" and known) else flow
    return engine(
        problem,
        signal,
        update,
        until=until,
        events=events,
        save_log_times=save_log_times,
        observe=observe,
        max_log_time=max_log_time,
        max_steps=max_steps,
        progress=progress,
        tolerance=tolerance,
    )


def closed_form(signal: AbstractSignal, update: AbstractUpdate | None = None) -> bool:
    """Whether the path of this recipe is known in closed form.

    Fixed rewards, and either the natural gradient or the policy gradient without KL, in
    any clock.

    Raises `ValueError` for what is no signal or update.

    >>> sim.closed_form(sim.Verifiable()), sim.closed_form(sim.MajorityVote())
    (True, False)
    """
    check_rule(signal, update)
    update = PolicyGradient() if update is None else update
    return signal.fixed and update.closed_form is not None


def exact(
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate | None = None,
    *,
    until: AbstractEvent | None = None,
    events: Sequence[AbstractEvent] = (),
    save_log_times: Numbers | None = None,
    observe: Callable[[Array], Array] | None = None,
    max_log_time: float = 2000.0,
    max_steps: int = 20_000,
    tolerance: float | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Solution:
    """Solve the flow of one problem, or of a batch, until an event or a time.

    The closed-form engine. Options as in `simulator.solve`; `tolerance` bounds the
    estimated relative error of the time, stretch by stretch (default 1e-11, in float32
    1e-6).

    Raises `ValueError` if the path is not known in closed form (see `closed_form`): use
    `simulator.flow` there.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> round(float(sim.exact(problem, sim.Verifiable(), until=sim.T0()).time), 4)
    42.6832
    """
    check_parts(problem, signal, update)
    if not closed_form(signal, update):
        raise ValueError(
            "no closed form is known: the method `exact` needs fixed rewards, and the "
            "natural gradient or the policy gradient without KL; use `flow`."
        )
    if tolerance is None:
        tolerance = 1e-6 if problem.log_policy.dtype == jnp.float32 else 1e-11
    return run(
        ExactEngine(),
        problem,
        signal,
        update,
        until=until,
        events=events,
        save_log_times=save_log_times,
        observe=observe,
        max_log_time=max_log_time,
        max_steps=max_steps,
        progress=progress,
        tolerance=tolerance,
    )


def flow(
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate | None = None,
    *,
    until: AbstractEvent | None = None,
    events: Sequence[AbstractEvent] = (),
    save_log_times: Numbers | None = None,
    observe: Callable[[Array], Array] | None = None,
    max_log_time: float = 2000.0,
    max_steps: int = 20_000,
    tolerance: float | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Solution:
    """Integrate the flow of one problem, or of a batch, until an event or a time.

    The numerical engine, for any signal and update. Options as in `simulator.solve`.
    Steps are explicit (the solution's method is `flow`), or
    implicit where a KL penalty, demonstrations or an entropy-like reward of negative
    weight make the policy gradient stiff
    (the method is `implicit`).

    `tolerance` bounds the error of one solver step in any logit and in `log t`
    (default 1e-8, in float32 1e-5). Measured on 10,000 random problems, the relative
    error of hitting times is below `tolerance`; see `benchmarks/`.

    Limit: where rewards move with the policy, implicit steps are taken with up to 256
    patterns. With more, lanes with `beta` below about a tenth of the reward gaps end as
    `max_steps`.

    Raises `ValueError` if the signal does not fit the problem or a parameter is out of
    range. Never raises for what happens in a lane: see `Solution.outcome`.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> round(float(sim.flow(problem, sim.Verifiable(), until=sim.T0()).time), 4)
    42.6832
    """
    check_parts(problem, signal, update)
    if tolerance is None:
        single = problem.log_policy.dtype == jnp.float32
        tolerance = 1e-5 if single else 1e-8
    check_real("tolerance", tolerance)
    few = signal.fixed or problem.num_patterns <= MOST_PATTERNS
    rule = PolicyGradient() if update is None else update
    stiff = few and rule.stiff(signal)
    engine = ImplicitEngine() if stiff else explicit_engine(tolerance)
    return run(
        engine,
        problem,
        signal,
        update,
        until=until,
        events=events,
        save_log_times=save_log_times,
        observe=observe,
        max_log_time=max_log_time,
        max_steps=max_steps,
        progress=progress,
        tolerance=tolerance,
    )

"""The gradient flow without time steps: fixed rewards, plain or natural gradient.

Every state on the path is known in closed form (`simulator.engines.exact.orbit`); only the physical
time is a quadrature, `t = int Z dtau`, done by Gauss-Kronrod rules whose error is
estimated and bounded rule by rule. Nothing is integrated, so no error accumulates in
the state, and a time of 1e300 costs little more than one of 1.

Events are roots on the path. A time that is asked for is a root of the quadrature.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from simulator.dynamics import Dynamics
from simulator.engines import run
from simulator.engines.exact.orbit import Orbit
from simulator.engines.exact.orbit_walk import OrbitPath
from simulator.engines.exact.path import AbstractExactPath, AbstractSmoothPath
from simulator.engines.exact.replicator import ReplicatorPath
from simulator.engines.exact.time_derivatives import SlopePath
from simulator.engines.requests import check_parts, check_rule
from simulator.events import AbstractEvent
from simulator.problem import Problem
from simulator.signals import AbstractSignal
from simulator.solution import Solution
from simulator.updates import (
    AbstractClock,
    AbstractUpdate,
    NaturalGradient,
    PolicyGradient,
)


def closed_form(signal: AbstractSignal, update: AbstractUpdate | None = None) -> bool:
    """Whether the path of this recipe is known in closed form.

    Fixed rewards, and either the natural gradient or the policy gradient without KL, in
    any clock.

    Raises `ValueError` for what is no signal or update.
    """
    check_rule(signal, update)
    update = PolicyGradient() if update is None else update
    if not signal.fixed:
        return False
    if type(update) is NaturalGradient or isinstance(update, AbstractClock):
        return True
    return type(update) is PolicyGradient and not update.penalised


def _path(options: None, dynamics: Dynamics) -> AbstractExactPath:
    """The closed-form path of one problem."""
    del options
    problem = dynamics.problem
    first = dynamics.point(problem.log_policy)
    if isinstance(dynamics.update, NaturalGradient):
        return ReplicatorPath(dynamics, first.rewards, dynamics.log_t_ref)
    return OrbitPath(dynamics, Orbit(first.rewards, problem.log_policy))


def _follow(path: AbstractExactPath) -> AbstractSmoothPath:
    """The same path, with what derivatives need."""
    return SlopePath(path) if isinstance(path, OrbitPath) else path


def exact(
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate | None = None,
    *,
    until: AbstractEvent | None = None,
    events: Sequence[AbstractEvent] = (),
    save_log_times: Any = None,
    observe: Callable | None = None,
    max_log_time: float = 2000.0,
    max_steps: int = 20_000,
    tolerance: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Solution:
    """Solve the flow of one problem, or of a batch, until an event or a time.

    The closed-form engine. Options as in `simulator.solve`; `tolerance` bounds the
    estimated relative error of the time, stretch by stretch (default 1e-11, in float32
    1e-6).

    Raises `ValueError` if the path is not known in closed form (see `closed_form`): use
    `simulator.flow` there.
    """
    check_parts(problem, signal, update)
    if not closed_form(signal, update):
        raise ValueError(
            "no closed form is known: the method `exact` needs fixed rewards, and the "
            "natural gradient or the policy gradient without KL; use `flow`."
        )
    if tolerance is None:
        tolerance = 1e-6 if problem.log_policy.dtype == jnp.float32 else 1e-11
    return run.run(
        _path,
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
        follow=_follow,
    )

"""The gradient flow `d logits / dt = velocity`, integrated numerically."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from simulator.dynamics import Dynamics
from simulator.engines import run
from simulator.engines.flow.explicit import ExplicitPath
from simulator.engines.flow.implicit import StiffPath
from simulator.engines.requests import check_parts
from simulator.events import AbstractEvent
from simulator.problem import Problem
from simulator.signals import AbstractSignal
from simulator.solution import Solution
from simulator.updates import AbstractUpdate, PolicyGradient
from simulator.validation import check_real

HIGH_ORDER_BELOW = 1e-6  # tolerance from which 12 stages of order 8 beat 6 of order 5
# Of implicit steps, if the rewards move: they need a matrix for each lane.
MOST_PATTERNS = 256


def is_stiff(signal: AbstractSignal, update: AbstractUpdate | None) -> bool:
    """Whether patterns approach rest at rates that differ by any factor.

    So they do under the policy gradient with a KL penalty, with demonstrations, or with
    an entropy-like reward for what is rare.
    """
    update = PolicyGradient() if update is None else update
    return type(update) is PolicyGradient and (signal.stiff or update.penalised)


def _explicit_path(stepper, dynamics: Dynamics) -> ExplicitPath:
    return ExplicitPath(dynamics, dynamics.log_t_ref, stepper)


def _stiff_path(options: None, dynamics: Dynamics) -> StiffPath:
    del options
    return StiffPath(dynamics, dynamics.log_t_ref)


def flow(
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
    """Integrate the flow of one problem, or of a batch, until an event or a time.

    The numerical engine, for any signal and update. Options as in `simulator.solve`.
    Steps are explicit (`simulator.engines.flow.explicit`; the solution's method is `flow`), or
    implicit where a KL penalty, demonstrations or an entropy-like reward of negative
    weight make the policy gradient stiff
    (`simulator.engines.flow.implicit`; the method is `implicit`).

    `tolerance` bounds the error of one solver step in any logit and in `log t`
    (default 1e-8, in float32 1e-5). Measured on 10,000 random problems, the relative
    error of hitting times is below `tolerance`; see `benchmarks/`.

    Limit: where rewards move with the policy, implicit steps are taken with up to 256
    patterns. With more, lanes with `beta` below about a tenth of the reward gaps end as
    `max_steps`.

    Raises `ValueError` if the signal does not fit the problem or a parameter is out of
    range. Never raises for what happens in a lane: see `Solution.outcome`.
    """
    check_parts(problem, signal, update)
    if tolerance is None:
        single = problem.log_policy.dtype == jnp.float32
        tolerance = 1e-5 if single else 1e-8
    check_real("tolerance", tolerance)
    few = signal.fixed or problem.num_patterns <= MOST_PATTERNS
    if is_stiff(signal, update) and few:
        make_path, stepper = _stiff_path, None
    else:
        # Diffrax takes longer to import than the rest of this package.
        from diffrax import Dopri8, Tsit5

        from simulator.engines.flow.runge_kutta import Stepper

        make_path = _explicit_path
        stepper = Stepper(Dopri8() if tolerance <= HIGH_ORDER_BELOW else Tsit5())
    return run.run(
        make_path,
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
        options=stepper,
    )

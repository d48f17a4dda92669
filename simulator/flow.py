"""The gradient flow `d logits / dt = velocity`, integrated numerically.

Plateaus last for times of order `1/pi_*` and more, so physical time is a bad clock. We
integrate in `sigma`, with

    d sigma = |velocity| dt + dt / (t + t_ref),        t_ref = 1 / |velocity(0)|,

arc length of the logits plus logarithm of time: each unit of `sigma` either moves the
logits by one unit or multiplies the time by e, so nothing stalls, and the right-hand
side is bounded by 1. The state is the logits and `ell = log(1 + t / t_ref)`; sizes are
logarithms throughout (`logspace`), so a plateau of `1e600` is a number like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simulator import engine
from simulator.arguments import check_parts
from simulator.dynamics import Dynamics
from simulator.logspace import log_expm1
from simulator.marching import AbstractPath, Move, Walker
from simulator.problem import Problem
from simulator.signals import AbstractSignal
from simulator.solution import Solution
from simulator.updates import AbstractUpdate

if TYPE_CHECKING:
    from simulator.stepping import Stepper

HIGH_ORDER_BELOW = 1e-6  # tolerance from which 12 stages of order 8 beat 6 of order 5
SHRINK, GROW, SAFETY = 0.2, 6.0, 0.9


class FlowPoint(NamedTuple):
    """`logits` (0 outside the support) and `ell = log(1 + t / t_ref)`."""

    logits: Float[Array, " K"]
    ell: Float[Array, ""]


class FlowState(NamedTuple):
    """A point, and the field there."""

    here: FlowPoint
    field: FlowPoint


class FlowPath(AbstractPath):
    """The numerical solution, in the clock of the module's docstring."""

    dynamics: Dynamics
    log_t_ref: Float[Array, ""]
    stepper: Stepper

    method: ClassVar[str] = "flow"
    first_size: ClassVar[float] = 0.05

    def start(self):
        log_policy = self.dynamics.problem.log_policy
        inside = log_policy > -jnp.inf
        zero = jnp.zeros((), log_policy.dtype)
        return self._state(FlowPoint(jnp.where(inside, log_policy, zero), zero))

    def _state(self, here: FlowPoint) -> FlowState:
        return FlowState(here, self.field(here))

    def log_probs(self, state):
        return self._log_probs(state.here.logits)

    def _log_probs(self, logits):
        inside = self.dynamics.problem.log_policy > -jnp.inf
        return jax.nn.log_softmax(jnp.where(inside, logits, -jnp.inf))

    def log_time(self, state):
        return self.log_t_ref + log_expm1(state.here.ell)

    def field(self, here: FlowPoint) -> FlowPoint:
        """`d here / d sigma`."""
        point = self.dynamics.point(self._log_probs(here.logits))
        log_ratio = point.log_speed + self.log_t_ref + here.ell
        share = jax.nn.sigmoid(log_ratio)
        return FlowPoint(point.direction * share, jax.nn.sigmoid(-log_ratio))

    def _from(self, start: FlowState, size):
        """What a step is told. A negative size is one in `ell`.

        With `ell` itself as the clock one step of known size lands on a given time.
        """
        in_ell = size < 0

        def clocked(here):
            return _rescale(self.field(here), in_ell)

        return clocked, start.here, jnp.abs(size), _rescale(start.field, in_ell)

    def view(self, start, size):
        del size
        return start

    def inside(self, view, size):
        return self._state(self.stepper.land(*self._from(view, size)))

    def move(self, walker: Walker, log_target, tolerance) -> Move:
        """A Runge-Kutta step whose estimated error is below `tolerance`."""
        here, field = walker.state
        # ell of a log time, log(1 + t / t_ref), without overflow.
        target = jnp.logaddexp(0.0, log_target - self.log_t_ref)
        landing = walker.landing | (here.ell + walker.size * field.ell >= target)
        size = jnp.where(landing, here.ell - target, walker.size)
        end, error, _ = self.stepper.step(*self._from(walker.state, size))
        sum_squares = jnp.sum(error.logits**2) + error.ell**2
        scaled = jnp.sqrt(sum_squares / (len(error.logits) + 1)) / tolerance
        # A NaN or infinite error fails the comparison and shrinks the step.
        good = scaled <= 1
        exponent = -1 / (self.stepper.order() + 1.0)
        safe = jnp.where(jnp.isfinite(scaled), jnp.maximum(scaled, 1e-12), 1e12)
        factor = jnp.clip(SAFETY * safe**exponent, SHRINK, GROW)
        factor = jnp.where(good, factor, jnp.minimum(factor, SAFETY))
        overshoot = good & ~landing & (end.ell > target)
        accepted = good & ~overshoot
        landed = accepted & landing
        end = FlowPoint(end.logits, jnp.where(landed, target, end.ell))
        next_size = jnp.where(
            landing,
            jnp.where(good, walker.size, walker.size * 0.5),
            jnp.where(overshoot, walker.size, walker.size * factor),
        )
        state = self._state(end)
        broken = ~jnp.isfinite(jnp.sum(end.logits) + end.ell)
        return Move(
            end=state,
            passed=jnp.zeros((0, *end.logits.shape), size.dtype),
            following=state,
            size=size,
            next_size=next_size,
            pace=next_size,
            accepted=accepted,
            landed=landed,
            landing=overshoot,
            hopeless=(next_size < 1e-13) & (broken | ~good),
        )


def _rescale(field: FlowPoint, in_ell) -> FlowPoint:
    scale = jnp.where(in_ell, 1 / field.ell, 1.0)
    return jax.tree.map(lambda f: f * scale, field)


def _path(stepper: Stepper, dynamics: Dynamics) -> FlowPath:
    first = dynamics.point(dynamics.problem.log_policy)
    log_t_ref = jnp.where(first.log_speed > -jnp.inf, -first.log_speed, 0.0)
    return FlowPath(dynamics, log_t_ref, stepper)


def flow(
    problem: Problem,
    signal: AbstractSignal,
    update: AbstractUpdate | None = None,
    *,
    tolerance: float | None = None,
    **options,
) -> Solution:
    """Integrate the flow of one problem, or of a batch, until an event or a time.

    The numerical engine, for any signal and update. Options as in `simulator.solve`.

    `tolerance` bounds the error of one solver step in any logit and in `log t`
    (default 1e-8, in float32 1e-5). Measured on 10,000 random problems, the relative
    error of hitting times is below `tolerance`; see `benchmarks/`.

    Limit: with a KL penalty the policy gradient is stiff, every pattern relaxing at its
    own rate `beta pi_k`; below about a tenth of the reward gaps, `beta` costs so many
    steps that lanes end as `max_steps`. The natural gradient has no such limit.

    Raises `ValueError` if the signal does not fit the problem or a parameter is out of
    range. Never raises for what happens in a lane: see `Solution.outcome`.
    """
    # Diffrax takes longer to import than the rest of this package.
    from diffrax import Dopri8, Tsit5

    from simulator.stepping import Stepper

    check_parts(problem, signal, update)
    if tolerance is None:
        single = problem.log_policy.dtype == jnp.float32
        tolerance = 1e-5 if single else 1e-8
    stepper = Stepper(Dopri8() if tolerance <= HIGH_ORDER_BELOW else Tsit5())
    return engine.run(
        _path,
        problem,
        signal,
        update,
        tolerance=tolerance,
        options=stepper,
        **options,
    )

"""The gradient flow `d logits / dt = velocity`, by explicit steps.

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

from simulator.dynamics import Dynamics
from simulator.engines.flow.clock import AbstractFlowPath, FlowPoint, rescaling
from simulator.engines.path import Move, Stride, Target

if TYPE_CHECKING:
    from simulator.engines.flow.runge_kutta import Stepper


class FlowState(NamedTuple):
    """A point, and the field there."""

    here: FlowPoint
    field: FlowPoint


class ExplicitPath(AbstractFlowPath):
    """The numerical solution, in the clock of the module's docstring."""

    dynamics: Dynamics
    log_t_ref: Float[Array, ""]
    stepper: Stepper

    method: ClassVar[str] = "flow"

    def start(self) -> FlowState:
        """The base policy."""
        return self._state(self.base())

    def here(self, state):
        return state.here

    def _state(self, here: FlowPoint) -> FlowState:
        return FlowState(here, self.field(here))

    def extinct(self, point):
        """Losers of so small a probability that it, and its products, are 0 in floats.

        Under the natural gradient they die out exponentially: no event can ask for
        less, and logits that run away for ever would take all steps there are. Under
        the policy gradient probabilities fall like powers of the time, and go on.
        """
        if not self.dynamics.update.exponential:
            return super().extinct(point)
        floor = 2 * jnp.log(jnp.finfo(point.log_probs.dtype).tiny)
        return (point.log_probs < floor) & (point.advantage.values() < 0)

    def field(self, here: FlowPoint) -> FlowPoint:
        """`d here / d sigma`."""
        direction, log_speed = self.velocity(here.logits)
        log_ratio = log_speed + self.log_t_ref + here.ell
        share = jax.nn.sigmoid(log_ratio)
        return FlowPoint(direction * share, jax.nn.sigmoid(-log_ratio))

    def velocity(
        self, logits: Float[Array, " K"]
    ) -> tuple[Float[Array, " K"], Float[Array, ""]]:
        """Direction and log speed of the logits."""
        point = self.seen_at(logits)
        return point.direction, point.log_speed

    def slope(self, state, size):
        # A negative size is one in `ell`, backwards.
        in_ell = size < 0
        field = _rescale(state.field, in_ell).logits
        return jnp.where(in_ell, -field, field)

    def _from(self, start: FlowState, size):
        """Arguments of a step. A negative size is one in `ell`.

        With `ell` itself as the clock one step of known size lands on a given time.
        """
        in_ell = size < 0

        def clocked(here):
            return _rescale(self.field(here), in_ell)

        return clocked, start.here, jnp.abs(size), _rescale(start.field, in_ell)

    def inside(self, view, size):
        return self._state(self.stepper.land(*self._from(view, size)))

    def move(self, stride: Stride, target: Target, tolerance) -> Move:
        """A Runge-Kutta step whose estimated error is below `tolerance`."""
        here, field = stride.state
        goal = self.ell_at(target.log_time)
        landing = stride.landing | (here.ell + stride.size * field.ell >= goal)
        size = jnp.where(landing, here.ell - goal, stride.size)
        end, error = self.stepper.step(*self._from(stride.state, size))
        sum_squares = jnp.sum(error.logits**2) + error.ell**2
        scaled = jnp.sqrt(sum_squares / (len(error.logits) + 1)) / tolerance
        good = scaled <= 1
        factor = rescaling(scaled, self.stepper.order() + 1)
        overshoot = good & ~landing & (end.ell > goal)
        accepted = good & ~overshoot
        landed = accepted & landing
        end = FlowPoint(end.logits, jnp.where(landed, goal, end.ell))
        next_size = jnp.where(
            landing,
            jnp.where(good, stride.size, stride.size * 0.5),
            jnp.where(overshoot, stride.size, stride.size * factor),
        )
        broken = ~jnp.isfinite(jnp.sum(end.logits) + end.ell)
        return self.attempt(
            stride.state,
            self._state(end),
            next_size,
            landing=overshoot,
            size=size,
            accepted=accepted,
            landed=landed,
            hopeless=(next_size < 1e-13) & (broken | ~good),
        )


def _rescale(field: FlowPoint, in_ell) -> FlowPoint:
    scale = jnp.where(in_ell, 1 / field.ell, 1.0)
    return jax.tree.map(lambda f: f * scale, field)

"""Paths whose states are known in closed form, and how one moves along them."""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simulator.engines.exact import quadrature
from simulator.engines.exact.fast_events import Passage, in_passing
from simulator.engines.path import AbstractPath, Move, Seen, Stride, Target
from simulator.numerics.trees import select

State = Any
SHRINK, GROW, SAFETY = 0.25, 1.6, 0.8
SMALLEST = 1e-12  # stretch, in units of v or of 1: shorter ones move nothing
ORDER = 33  # by which the estimated error of a stretch falls with its size


class Stretch(NamedTuple):
    """The end of a stretch of a closed-form path, and how well its time is known.

    `passed`: log-probabilities at the nodes of the quadrature; `passage`: the same in
    another form, on an orbit. `error`: estimated relative error of the time at the end.
    `log_rates`: log of `dt/dv` at the nodes and at the end.
    """

    end: State
    passed: Float[Array, "N K"]
    passage: Passage | None
    error: Float[Array, ""]
    log_rates: Float[Array, " M"]


class Shift(NamedTuple):
    """A small change of the policy and of the time."""

    log_probs: Float[Array, " K"]
    log_time: Float[Array, ""]


class AbstractExactPath(AbstractPath):
    """A path known in closed form; a state has a place v that grows along it."""

    method: ClassVar[str] = "exact"
    looks: ClassVar[np.ndarray] = quadrature.NODES
    largest_size: eqx.AbstractClassVar[float]

    @abstractmethod
    def place(self, state: State) -> Float[Array, ""]:
        """The v of a state."""

    @abstractmethod
    def leader(self, state: State) -> Int[Array, ""]:
        """The most likely pattern of the present piece: between its ends, no other."""

    @abstractmethod
    def border(self, state: State) -> Float[Array, ""]:
        """The v at which the present piece ends, beyond which no stretch may go."""

    @abstractmethod
    def stretch(self, start: State, size: Float[Array, ""]) -> Stretch:
        """From `start` over `size` in v."""

    @abstractmethod
    def waiting(self, state: State, log_time: Float[Array, ""]) -> State:
        """The state at a later time, until which nothing that can be seen happens."""

    @abstractmethod
    def hand_over(self, state: State, arrived: Array) -> State:
        """If it has arrived at the border, a state as the first of the next piece."""

    def glimpse(self, event, move):
        quick = None
        if move.hints is not None:
            quick = in_passing(event, self.dynamics.problem, move.hints)
        if quick is None:
            return super().glimpse(event, move)
        return Seen(jnp.asarray(self.looks, move.size.dtype), *quick)

    def move(self, stride: Stride, target: Target, tolerance) -> Move:
        """A stretch, cut short at borders; its time is accepted to `tolerance`."""
        state, log_target = stride.state, target.log_time
        v = self.place(state)
        room = self.border(state) - v
        size = jnp.minimum(stride.size, room)
        end, passed, passage, error, log_rates = self.stretch(state, size)
        log_t = self.log_time(end)
        good = error <= tolerance
        # Land on a time asked for: from beyond it by the interpolated rate, if times
        # are many, and by Newton's method, from either side.
        early = log_target - log_t
        landed_within = 4 * jnp.finfo(size.dtype).eps
        landed = good & (jnp.abs(early) <= landed_within * (1 + jnp.abs(log_target)))
        overshoot = good & ~landed & (early < 0)
        landing = (overshoot | stride.landing) & ~landed
        newton = early * jnp.exp(log_t - log_rates[-1])
        back = size + newton
        if target.many:
            back = _size_to(log_target, self.log_time(state), size, log_rates[:-1])
        correction = jnp.where(overshoot, back, newton)
        correction = jnp.where(correction > 0, correction, 0.5 * size)
        # A time that is less than half of this one may come before any visible move.
        smallest, far = SMALLEST * (1 + v), overshoot & (early < -1)
        waits = far & (size <= smallest)
        correction = jnp.where(far, jnp.maximum(correction, smallest), correction)
        end = select(waits, self.waiting(state, log_target), end)
        landed, overshoot = landed | waits, overshoot & ~waits
        landing = landing & ~waits
        safe = jnp.where(jnp.isfinite(error), error / tolerance, 1e30)
        factor = SAFETY * jnp.maximum(safe, 1e-30) ** (-1 / ORDER)
        factor = jnp.clip(factor, SHRINK, jnp.where(good, GROW, SAFETY))
        pace = jnp.minimum(size * factor, self.largest_size)
        # A step cut short, at a border or a time, says nothing against longer ones.
        pace = jnp.where(good, jnp.maximum(pace, stride.pace), pace)
        next_size = jnp.where(good & landing, jnp.minimum(correction, pace), pace)
        accepted = good & ~overshoot
        following = self.hand_over(end, (size == room) & ~waits)
        following = select(accepted, following, state)
        return Move(
            end=end,
            next=Stride(following, next_size, pace, landing),
            size=size,
            accepted=accepted,
            landed=landed,
            hopeless=~good & (next_size < smallest),
            passed=passed,
            hints=passage,
        )


def _size_to(log_target, log_start, size, log_rates):
    """About how far from its start a stretch passes a time."""
    top = jnp.max(log_rates)
    unit = jnp.log(size) + top
    amount = jnp.exp(log_target - unit) - jnp.exp(log_start - unit)
    return size * quadrature.inverse(jnp.exp(log_rates - top), amount)


class AbstractSmoothPath(AbstractExactPath):
    """A path that knows how it changes with the problem; see `event_derivatives`."""

    @abstractmethod
    def shift(self, state: State, d_dynamics: Any, d_rewards: Any) -> Shift:
        """The change at a fixed place, when dynamics and rewards change by a little."""

    @abstractmethod
    def along(self, state: State) -> Shift:
        """The change along the path, per unit of some parameter."""

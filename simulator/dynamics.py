"""The equation of motion: problem, signal and update, looked at in one policy."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from simulator.events import Point
from simulator.problem import Problem
from simulator.signals import AbstractSignal
from simulator.updates import AbstractUpdate


class Dynamics(eqx.Module):
    """How one problem moves under a signal and an update."""

    problem: Problem
    signal: AbstractSignal
    update: AbstractUpdate

    def point(self, log_probs: Float[Array, " K"]) -> Point:
        """Everything that can be said about one policy; see `Point`."""
        inside = log_probs > -jnp.inf
        rewards = jnp.where(inside, self.signal(self.problem, log_probs), 0.0)
        advantage = self.update.advantage(self.problem, rewards, log_probs)
        mantissa, log_scale = self.update.velocity(advantage)
        size = jnp.sqrt(jnp.sum(jnp.square(mantissa)))
        return Point(
            problem=self.problem,
            log_probs=log_probs,
            rewards=rewards,
            direction=mantissa / jnp.where(size > 0, size, 1.0),
            log_speed=jnp.log(size) + log_scale,
            advantage=advantage,
        )

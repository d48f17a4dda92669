"""The velocity that the simulator gives to policies, for claims that hold pointwise."""

import equinox as eqx
import jax
import jax.numpy as jnp

import simulator as sim
from simulator.engines.lanes import lane_axes


def velocity(problem, signal, update, log_probs):
    """`theta'` at one policy: `[K]`; means nothing outside the support."""
    point = sim.Dynamics(problem, signal, update).point(log_probs)
    return point.direction * jnp.exp(point.log_speed)


@eqx.filter_jit
def velocities(problem, signal, update, log_probs):
    """`theta'` at one policy for each problem of a batch: `[B, K]`."""
    axes = (0, lane_axes(signal), lane_axes(update), 0)
    return jax.vmap(velocity, in_axes=axes)(problem, signal, update, log_probs)

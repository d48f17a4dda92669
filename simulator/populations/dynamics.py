"""The equation of motion of a population, looked at in one vector of parameters."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simulator.dynamics import Dynamics, Point
from simulator.engines.lanes import lane_axes
from simulator.numerics.logspace import ScaledVector
from simulator.populations.joint import AbstractJointSignal
from simulator.problem import Problem
from simulator.rollouts.policies import AbstractPolicy
from simulator.rules import AbstractSignal, AbstractUpdate

Policies = Float[Array, "Q K"]


class PopulationPoint(NamedTuple):
    """All an event may look at: the policies of all questions, and their motion.

    The logits move at `exp(log_speed) * direction`. `success`: of each task (of a joint
    signal), or of each question.
    """

    problem: Problem
    log_probs: Policies
    rewards: Policies
    direction: Policies
    log_speed: Float[Array, ""]
    success: Float[Array, " T"]
    update: AbstractUpdate

    def of_question(self, question: Array) -> Point:
        """One question, as if it were alone."""
        problem = jax.tree.map(lambda x: x[question], self.problem)
        log_probs, rewards = self.log_probs[question], self.rewards[question]
        update = _row(self.update, question)
        size = jnp.max(jnp.abs(self.direction[question]))
        unit = jnp.where(size > 0, size, 1.0)
        return Point(
            problem=problem,
            log_probs=log_probs,
            rewards=rewards,
            direction=self.direction[question] / unit,
            log_speed=self.log_speed + jnp.log(size),
            advantage=update.advantage(problem, rewards, log_probs),
            # No two patterns are known to stay equal.
            traits=jnp.arange(len(log_probs), dtype=log_probs.dtype)[None, :],
        )


def _row(part: Any, question: Array) -> Any:
    """The numbers of one question."""
    axes = lane_axes(part)

    def leaf(axis, value):
        return value if axis is None else value[question]

    return jax.tree.map(leaf, axes, part, is_leaf=lambda x: x is None)


def of_each_question(
    function: Callable, part: Any, problem: Problem, *rows: Policies
) -> Any:
    """`function(problem, *rows)` for every question; `part` is what it belongs to."""
    numbers, rest = eqx.partition(part, eqx.is_array)
    name = function.__name__

    def one(numbers, problem, *rows):
        return getattr(eqx.combine(numbers, rest), name)(problem, *rows)

    axes = (lane_axes(numbers), 0, *[0] * len(rows))
    return jax.vmap(one, in_axes=axes)(numbers, problem, *rows)


class PopulationDynamics(Dynamics):
    """How a population moves under a signal and an update.

    With `A_qk` the advantages of question q and `h_q` its clock, the logits would move
    at `g_qk = h_q pi_qk A_qk` if they were free; the parameters move at the policy's
    `pull` of g. Memory of the signal is part of the parameters here, behind them.
    """

    policy: AbstractPolicy
    origin: Float[Array, " P"]

    def __init__(
        self,
        problem: Problem,
        policy: AbstractPolicy,
        origin: Float[Array, " P"],
        signal: AbstractSignal | AbstractJointSignal,
        update: AbstractUpdate,
    ):
        self.problem = problem
        self.signal: Any = signal
        self.update = update
        self.rewards = self.first_rewards = None
        self.policy = policy
        self.origin = origin

    def start(self) -> Float[Array, " N"]:
        """The parameters where it starts, and the memory."""
        return jnp.concatenate([self.origin, self._first_memory().ravel()])

    def _first_memory(self) -> Array:
        if isinstance(self.signal, AbstractJointSignal):
            return self.signal.remembers(self.problem)
        return jnp.zeros((0, self.problem.num_patterns), self.problem.log_policy.dtype)

    def _parts(self, state: Float[Array, " N"]) -> tuple[Array, Array]:
        """Parameters, in their own shape, and memory."""
        number = len(self.origin)
        shape = jax.eval_shape(self.policy.start, self.problem).shape
        memory = state[number:].reshape(-1, self.problem.num_patterns)
        return state[:number].reshape(shape), memory

    def log_probs(self, state: Float[Array, " N"]) -> Policies:
        """The policies `[Q, K]`."""
        return self.policy.log_probs(self._parts(state)[0], self.problem)

    def pays(
        self, log_probs: Policies, memory: Array
    ) -> tuple[Policies, Float[Array, " T"]]:
        """The rewards, 0 outside the support, and the success of each task."""
        signal, problem = self.signal, self.problem
        if isinstance(signal, AbstractJointSignal):
            rewards = signal.rewards(problem, log_probs, memory)
            success = signal.success(problem, log_probs)
        else:
            rewards = of_each_question(signal.paid, signal, problem, log_probs)
            success = jnp.sum(jnp.exp(log_probs) * problem.success_rates, axis=-1)
        return jnp.where(log_probs > -jnp.inf, rewards, 0.0), success

    def _free(self, rewards: Policies, log_probs: Policies) -> ScaledVector:
        """How the logits would move if they were free, in one unit for all."""

        def one(numbers, problem, rewards, log_probs):
            update = eqx.combine(numbers, rest)
            advantage = update.advantage(problem, rewards, log_probs)
            moves = update.velocity(advantage)
            return *moves, update.log_clock(rewards, log_probs)

        numbers, rest = eqx.partition(self.update, eqx.is_array)
        axes = lane_axes(numbers), 0, 0, 0
        mantissa, log_scale, log_clock = jax.vmap(one, in_axes=axes)(
            numbers, self.problem, rewards, log_probs
        )
        sizes = jnp.max(jnp.abs(mantissa), axis=-1)
        logs = jnp.where(sizes > 0, log_scale + log_clock, -jnp.inf)
        top = jnp.max(jnp.where(sizes > 0, logs + jnp.log(sizes), -jnp.inf))
        top = jnp.where(top > -jnp.inf, top, 0.0)
        units = jnp.where(sizes > 0, logs - top, -jnp.inf)
        return ScaledVector(mantissa * jnp.exp(units)[:, None], top)

    def motion(
        self, state: Float[Array, " N"]
    ) -> tuple[ScaledVector, tuple[Policies, Policies, Float[Array, " T"]]]:
        """The velocity of parameters and memory; policies, rewards and success."""
        parameters, memory = self._parts(state)
        log_probs = self.policy.log_probs(parameters, self.problem)
        rewards, success = self.pays(log_probs, memory)
        free = self._free(rewards, log_probs)
        pulled = self.policy.pull(free.mantissa, parameters, self.problem).ravel()
        seen = log_probs, rewards, success
        if not memory.size:
            return ScaledVector(pulled, free.log_scale), seen
        learned = self.signal.learns(log_probs, memory).ravel()
        top = jnp.maximum(free.log_scale, 0.0)
        rows = pulled * jnp.exp(free.log_scale - top), learned * jnp.exp(-top)
        return ScaledVector(jnp.concatenate(rows), top), seen

    def at(self, state: Float[Array, " N"]) -> PopulationPoint:
        """Everything that can be said about one vector of parameters."""
        velocity, (log_probs, rewards, success) = self.motion(state)
        number = len(self.origin)

        def logits(parameters):
            shaped = self._parts(state.at[:number].set(parameters))[0]
            return self.policy.change(shaped, self.problem)

        moves = velocity.mantissa[:number]
        _, direction = jax.jvp(logits, (state[:number],), (moves,))
        return PopulationPoint(
            problem=self.problem,
            log_probs=log_probs,
            rewards=rewards,
            direction=direction,
            log_speed=jnp.where(
                jnp.any(velocity.mantissa != 0), velocity.log_scale, -jnp.inf
            ),
            success=success,
            update=self.update,
        )

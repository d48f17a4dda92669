"""The equation of motion: problem, signal and update, looked at in one policy."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from simulator.numerics.definite import is_positive_definite, not_negative_part
from simulator.numerics.logspace import Centred
from simulator.numerics.ties import made_equal, rounding
from simulator.numerics.trees import only_if
from simulator.problem import Problem, check_one
from simulator.rules import AbstractSignal, AbstractUpdate, check_rule
from simulator.validation import check_kind, given_array

__all__ = [
    "Dynamics",
    "Point",
]


class Point(NamedTuple):
    """All an event may look at: one policy, its pay, and where it is heading.

    The velocity of the logits is `exp(log_speed) * direction`, `|direction| = 1` (0 at
    rest). `traits`: see `Dynamics`.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> dynamics = sim.Dynamics(problem, sim.Verifiable(), sim.PolicyGradient())
    >>> point = dynamics.point(problem.log_policy)
    >>> np.round(point.direction, 4)
    Array([ 0.1628,  0.6115, -0.7743], dtype=float64)
    """

    problem: Problem
    log_probs: Float[Array, " K"]
    rewards: Float[Array, " K"]
    direction: Float[Array, " K"]
    log_speed: Float[Array, ""]
    advantage: Centred
    traits: Float[Array, "n K"]


class KnownPolicy:
    """A point of sampled training: the question and its policy, and no flow.

    Raises `ValueError` for anything else that a `Point` has.
    """

    def __init__(self, problem: Problem, log_probs: Float[Array, " K"]):
        self.problem = problem
        self.log_probs = log_probs

    def __getattr__(self, name: str) -> Any:
        if name in Point._fields:
            raise ValueError(
                f"it looks at `{name}` of the flow, which no step of sampled training "
                "has"
            )
        raise AttributeError(name)


class Dynamics(eqx.Module):
    """How one problem moves under a signal and an update.

    `rewards`: what the patterns are paid, if that does not depend on the policy, or
    `None`. `first_rewards`: what moving rewards are at the base policy, and at the one
    under which all patterns of the support are equally likely.

    Raises `ValueError` for a batch (`jax.vmap` goes through its lanes), for what is no
    problem, signal or update, and for a policy of another number of patterns.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> dynamics = sim.Dynamics(problem, sim.Verifiable(), sim.PolicyGradient())
    >>> round(float(dynamics.log_t_ref), 4)
    2.0721
    """

    problem: Problem
    signal: AbstractSignal
    update: AbstractUpdate
    rewards: Float[Array, " K"] | None
    first_rewards: Float[Array, "2 K"] | None

    def __init__(
        self, problem: Problem, signal: AbstractSignal, update: AbstractUpdate
    ):
        check_one(problem)
        check_rule(signal, update)
        check_kind("update", update, AbstractUpdate, "PolicyGradient()")
        self.problem = problem
        self.signal = signal
        self.update = update
        self.rewards = self.first_rewards = None
        if signal.fixed:
            self.rewards = signal.paid(problem, problem.log_policy)
        else:
            self.first_rewards = _rewards_at_two_policies(problem, signal)

    @property
    def traits(self) -> Float[Array, "n K"]:
        """Numbers that are equal for patterns that stay equally likely for ever.

        The base probability, what each pattern is paid (and, if rewards move, how it
        answers, and what a signal of attributes sees), and where a penalty pulls it.
        """
        problem, rewards = self.problem, self.rewards
        inside = problem.log_policy > -jnp.inf
        drawn = inside & (jnp.asarray(self.update.beta) != 0)
        rows = [problem.log_policy, jnp.where(drawn, problem.log_reference, 0.0)]
        if rewards is not None:
            return jnp.stack([*rows, jnp.where(inside, rewards, 0.0)])
        assert self.first_rewards is not None
        columns = [problem.attribute(name) for name in self.signal.columns]
        rows += [problem.success_rates, *columns] if columns else []
        table = jnp.concatenate([jnp.stack(rows), self.first_rewards])
        if problem.answer_kernel is None:
            return table
        return jnp.concatenate([table, problem.answer_kernel.T])

    def paid(self, log_probs: Float[Array, " K"]) -> Float[Array, " K"]:
        """Rewards at a policy; 0 outside the support."""
        rewards = self.rewards
        if rewards is None:
            rewards = self.signal.paid(self.problem, log_probs)
        return jnp.where(log_probs > -jnp.inf, rewards, 0.0)

    @property
    def log_t_ref(self) -> Float[Array, ""]:
        """Log of `1 / |velocity(0)|`, a unit of time; 0 for a problem at rest."""
        log_speed = self.point(self.problem.log_policy).log_speed
        return jnp.where(log_speed > -jnp.inf, -log_speed, 0.0)

    def restoring_rate(
        self, log_probs: Float[Array, " K"], advantage: Float[Array, " K"]
    ) -> Float[Array, ""]:
        """The rate at which advantages `A` (0 outside the support) fall along `A`.

        `lambda = -(A . dA) / (A . A)`, with dA the change of the advantages per unit by
        which the logits move along A, as they do under the natural gradient; that of a
        KL penalty is beta. Negative where they grow; 0 for fixed rewards.
        """
        beta = jnp.asarray(self.update.beta, log_probs.dtype)
        if self.signal.fixed:
            return beta
        along = unit(advantage)[0]
        # The mean of A under the policy is 0, so that log pi moves as logits do.
        _, change = jax.jvp(
            lambda x: self.signal(self.problem, x), (log_probs,), (along,)
        )
        change = jnp.where(log_probs > -jnp.inf, change, 0.0)
        change = change - jnp.sum(jnp.exp(log_probs) * change)
        return beta - jnp.sum(along * change)

    def attracted(
        self,
        log_probs: Float[Array, " K"],
        advantage: Float[Array, " K"],
        left: Bool[Array, " K"],
        wanted: Bool[Array, ""],
    ) -> Bool[Array, ""]:
        """Whether no advantage `A` of what is `left` leads away from this policy.

        With `S = diag(pi)`, `P = I - sqrt(pi) sqrt(pi)^T` and `D = d rho / d log pi`,
        logits that are off by y change `sqrt(S) A` by M z, where `z = sqrt(S) y` and

            M = P (sqrt(S) D sqrt(S)^-1 - beta I) P,

        symmetric for each reward that follows an objective. If all eigenvalues of M are
        negative, `A` falls along every axis. If not, as at a saddle, the part of
        `sqrt(S) A` along the other axes has to be rounding.

        If M is not symmetric its symmetric part decides, and some rest may be missed.
        Costs of order `K^3`, unless no lane's answer is `wanted`.
        """
        dtype = log_probs.dtype
        root = jnp.where(left, jnp.exp(0.5 * log_probs), 0.0)
        pay = jax.jacfwd(lambda x: self.signal(self.problem, x))(log_probs)
        inverse = jnp.where(root > 0, 1 / jnp.where(root > 0, root, 1.0), 0.0)
        ratio = jnp.outer(root, inverse)
        pay = jnp.where(ratio > 0, ratio * pay, 0.0)
        eye = jnp.eye(len(root), dtype=dtype)
        project = eye - jnp.outer(root, root)
        slope = project @ (pay - self.update.beta * eye) @ project
        # Shifts of all logits, and of patterns that are not left, do not count.
        rest = jnp.outer(root, root) + jnp.diag(jnp.where(root > 0, 0.0, 1.0))
        slope = 0.5 * (slope + slope.T) - jnp.max(jnp.abs(slope)) * rest
        falls = is_positive_definite(-slope)

        largest = jnp.max(jnp.where(left, jnp.abs(self.paid(log_probs)), 0.0))
        pull = root * jnp.where(left, advantage, 0.0)

        def is_rounding(given) -> Bool[Array, ""]:
            slope, pull = given
            others = not_negative_part(slope)
            size = largest * (jnp.abs(others) @ root) + jnp.max(jnp.abs(pull))
            return jnp.all(jnp.abs(others @ pull) <= rounding(dtype) * size)

        return only_if(wanted & ~falls, is_rounding, (slope, pull), falls)

    def point(self, log_probs: Float[Array, " K"]) -> Point:
        """Everything that can be said about one policy; see `Point`."""
        log_probs = jnp.asarray(given_array("log_probs", log_probs))
        if log_probs.shape != self.problem.log_policy.shape:
            raise ValueError(
                f"`log_probs` has shape {log_probs.shape}; give one policy of "
                f"{self.problem.num_patterns} patterns."
            )
        rewards = self.paid(log_probs)
        advantage = self.update.advantage(self.problem, rewards, log_probs)
        mantissa, log_scale = self.update.velocity(advantage)
        log_clock = self.update.log_clock(rewards, log_probs)
        direction, log_size = unit(mantissa)
        log_speed = log_size + log_scale
        # At rest no clock counts, not even one that runs infinitely fast there.
        log_speed = jnp.where(log_size > -jnp.inf, log_speed + log_clock, log_speed)
        return Point(
            problem=self.problem,
            log_probs=log_probs,
            rewards=rewards,
            direction=direction,
            log_speed=log_speed,
            advantage=advantage,
            traits=self.traits,
        )


def alike(traits: Float[Array, "n K"], those: Bool[Array, " K"]) -> Bool[Array, " K"]:
    """The patterns `[K]` that have all traits of those, which are alike."""
    shared = jnp.max(jnp.where(those[None, :], traits, -jnp.inf), axis=1)
    return jnp.all(traits == shared[:, None], axis=0)


def _rewards_at_two_policies(
    problem: Problem, signal: AbstractSignal
) -> Float[Array, "2 K"]:
    """Rewards at the base policy and at the even one, equal except for rounding."""
    inside = problem.log_policy > -jnp.inf
    number = jnp.sum(inside, dtype=problem.log_policy.dtype)
    even = jnp.where(inside, -jnp.log(number), -jnp.inf)
    rows = []
    for policy in (problem.log_policy, even):
        rewards, sizes = signal(problem, policy), signal.sizes(problem, policy)
        rows.append(jnp.where(inside, made_equal(rewards, sizes, inside), 0.0))
    return jnp.stack(rows)


def unit(
    vector: Float[Array, " K"],
) -> tuple[Float[Array, " K"], Float[Array, ""]]:
    """The vector with length 1, and the log of its length; 0 and `-inf` for 0.

    Measured in units of its largest number, because squares of small ones underflow.
    """
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(vector)))
    moves = largest > 0
    scaled = vector / jnp.where(moves, largest, 1.0)
    length = jnp.sqrt(jnp.where(moves, jnp.sum(jnp.square(scaled)), 1.0))
    return scaled / length, jnp.log(length) + jnp.log(largest)

"""Penalties that keep the policy near its reference, or spread out.

A penalty may change the rewards of a group, add a gradient, or both. To add one, write
a small class here.
"""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from simulator.reporting.display import Part
from simulator.rollouts.groups import Group
from simulator.rollouts.surrogates import score
from simulator.validation import check_real, plain

__all__ = [
    "AbstractPenalty",
    "EntropyBonus",
    "KLLoss1",
    "KLLoss3",
    "KLReward",
]

Policy = Float[Array, " K"]
Cells = Float[Array, "K M"]


class AbstractPenalty(Part):
    """`weight` times something to be kept small; both parts are for one question.

    >>> issubclass(ro.KLLoss3, ro.AbstractPenalty), ro.KLReward(0.1).in_reward
    (True, True)
    """

    weight: eqx.AbstractVar[float]
    in_reward: ClassVar[bool] = False  # whether it changes rewards

    def reward(self, group: Group) -> Policy:
        """Term added to the reward of each pattern's rollouts."""
        return jnp.zeros_like(group.log_probs)

    def gradient(self, group: Group, log_probs: Policy) -> Policy:
        """Term added to the direction of ascent."""
        del group
        return jnp.zeros_like(log_probs)

    def check(self) -> None:
        """Raise `ValueError` if the weight makes no sense."""
        check_real("weight", self.weight, "0 or positive")


def _log_ratio(group: Group, log_probs: Policy) -> Policy:
    """`log(pi_ref / pi)`; 0 outside the support."""
    inside = log_probs > -jnp.inf
    return jnp.where(inside, group.problem.log_reference - log_probs, 0.0)


class KLReward(AbstractPenalty):
    """KL inside the reward: `- weight log(pi/pi_ref)` per rollout (k1).

    With a linear estimator the expected update is the gradient of the reward minus
    `weight KL(pi || pi_ref)`.

    >>> problem = sim.Problem([0.5, 0.5], [0.2, 0.8], reference_policy=[0.6, 0.4])
    >>> recipe = ro.Recipe(
    ...     estimator=ro.RLOO(),
    ...     penalties=(ro.KLReward(1.0),),
    ...     group_size=4,
    ...     learning_rate=1.0,
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4) + 0.0
    Array([ 0.2867, -0.2867], dtype=float64)
    """

    weight: float = eqx.field(default=0.0, static=True, converter=plain)
    in_reward: ClassVar[bool] = True

    def reward(self, group):
        return self.weight * _log_ratio(group, group.log_probs)


class KLLoss1(AbstractPenalty):
    """The loss `weight mean_i log(pi/pi_ref)` (k1), differentiated as it stands.

    Its expected gradient is 0: it only adds noise, because the gradient of an
    expectation is not the expectation of the gradient.

    >>> problem = sim.Problem([0.5, 0.5], [0.2, 0.8], reference_policy=[0.6, 0.4])
    >>> recipe = ro.Recipe(
    ...     estimator=ro.RLOO(),
    ...     penalties=(ro.KLLoss1(1.0),),
    ...     group_size=4,
    ...     learning_rate=1.0,
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4) + 0.0
    Array([0., 0.], dtype=float64)
    """

    weight: float = eqx.field(default=0.0, static=True, converter=plain)

    def gradient(self, group, log_probs):
        share = jnp.sum(group.counts, axis=-1) / group.size
        return score(-self.weight * share, log_probs)


class KLLoss3(AbstractPenalty):
    """The loss `weight mean_i (u - 1 - log u)` with `u = pi_ref/pi` (k3), as in GRPO.

    Its expected gradient is that of the *forward* `weight KL(pi_ref || pi)`. Schulman
    2020, "Approximating KL divergence"; Shao et al. 2024, arXiv 2402.03300.

    >>> problem = sim.Problem([0.5, 0.5], [0.2, 0.8], reference_policy=[0.6, 0.4])
    >>> recipe = ro.Recipe(
    ...     estimator=ro.RLOO(),
    ...     penalties=(ro.KLLoss3(1.0),),
    ...     group_size=4,
    ...     learning_rate=1.0,
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4) + 0.0
    Array([ 0.4, -0.4], dtype=float64)
    """

    weight: float = eqx.field(default=0.0, static=True, converter=plain)

    def gradient(self, group, log_probs):
        share = jnp.sum(group.counts, axis=-1) / group.size
        pull = jnp.expm1(_log_ratio(group, log_probs))
        # A pattern without rollouts may be infinitely far from the reference.
        weights = jnp.where(share > 0, share * pull, 0.0)
        return score(self.weight * weights, log_probs)


class EntropyBonus(AbstractPenalty):
    """`weight` times the entropy of the policy, by its exact gradient.

    >>> problem = sim.Problem([0.5, 0.5], [0.2, 0.8], reference_policy=[0.6, 0.4])
    >>> recipe = ro.Recipe(
    ...     estimator=ro.RLOO(),
    ...     penalties=(ro.EntropyBonus(1.0),),
    ...     group_size=4,
    ...     learning_rate=1.0,
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4) + 0.0
    Array([ 0.2218, -0.2218], dtype=float64)
    """

    weight: float = eqx.field(default=0.0, static=True, converter=plain)

    def gradient(self, group, log_probs):
        logs = jnp.where(log_probs > -jnp.inf, log_probs, 0.0)
        probs = jnp.exp(log_probs)
        return -self.weight * probs * (logs - jnp.sum(probs * logs))

"""How advantages move logits: the gradient of a surrogate objective.

A surrogate says how often one batch of groups is used (`epochs`) and gives the ascent
direction in the logits of one question. To add one, write a small class here.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from simulator.reporting.display import Part
from simulator.rollouts.groups import Group, rounding
from simulator.validation import check_real, check_whole, plain

__all__ = [
    "AbstractSurrogate",
    "Clipped",
    "NaturalGradient",
    "NormalisedGradient",
    "PolicyGradient",
]

MOST_EPOCHS = 1000

Policy = Float[Array, " K"]
Cells = Float[Array, "K M"]


def score(weights: Float[Array, " K"], log_probs: Policy) -> Policy:
    """`sum_k weights[k] grad log pi_k = weights - (sum weights) pi`."""
    return weights - jnp.sum(weights) * jnp.exp(log_probs)


class AbstractSurrogate(Part):
    """`surrogate(group, advantages, log_probs) -> gradient [K]`.

    `log_probs` is the policy that is being trained; `group.log_probs` the one that was
    sampled. They differ from the second epoch on.

    >>> issubclass(ro.Clipped, ro.AbstractSurrogate)
    True
    """

    if TYPE_CHECKING:

        @property
        def epochs(self) -> int: ...

    else:
        epochs: eqx.AbstractVar[int]

    @abstractmethod
    def __call__(self, group: Group, advantages: Cells, log_probs: Policy) -> Policy:
        """The direction of ascent in the logits of one question."""

    def steered(self, gradient: Policy, log_probs: Policy) -> Policy:
        """The direction that the gradient of a penalty adds."""
        del log_probs
        return gradient

    def check(self) -> None:
        """Raise `ValueError` if a parameter makes no sense."""
        check_whole("epochs", self.epochs, 1, MOST_EPOCHS)


def _mean_weights(group: Group, values: Cells) -> Policy:
    """`(1/G) sum_i values_i`, the sum being over the rollouts of each pattern."""
    return jnp.sum(group.counts * group.seen(values), axis=-1) / group.size


class PolicyGradient(AbstractSurrogate):
    """`(1/G) sum_i A_i grad log pi(pattern_i)`, each batch used once.

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> recipe = ro.Recipe(
    ...     estimator=ro.RLOO(),
    ...     surrogate=ro.PolicyGradient(),
    ...     group_size=4,
    ...     learning_rate=1.0,
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.128, -0.128], dtype=float64)
    """

    epochs: int = eqx.field(default=1, init=False, static=True)

    def __call__(self, group, advantages, log_probs):
        return score(_mean_weights(group, advantages), log_probs)


class NormalisedGradient(AbstractSurrogate):
    """The policy gradient divided by its length, each batch used once.

    A plateau costs no time, noise is as large as the signal. A batch without gradient
    moves nothing: one whose gradient is 2e-13 of the mean advantage is rounding. Mei et
    al. 2021, arXiv 2105.06072 (for exact gradients).

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> recipe = ro.Recipe(
    ...     estimator=ro.RLOO(),
    ...     surrogate=ro.NormalisedGradient(),
    ...     group_size=4,
    ...     learning_rate=1.0,
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.3709, -0.3709], dtype=float64)
    """

    epochs: int = eqx.field(default=1, init=False, static=True)

    def __call__(self, group, advantages, log_probs):
        gradient = score(_mean_weights(group, advantages), log_probs)
        length = jnp.sqrt(jnp.sum(jnp.square(gradient)))
        size = jnp.sum(_mean_weights(group, jnp.abs(advantages)))
        real = length > rounding(size.dtype) * size
        return jnp.where(real, gradient / jnp.where(real, length, 1.0), 0.0)


class NaturalGradient(AbstractSurrogate):
    """The policy gradient through the inverse Fisher matrix, each batch used once.

    Rollout i adds `A_i / (G pi_k)` to the logit of its pattern (Kakade 2001): the
    expected step is the advantage itself, the variance grows like `1/pi_k`.

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> recipe = ro.Recipe(
    ...     estimator=ro.RLOO(),
    ...     surrogate=ro.NaturalGradient(),
    ...     group_size=4,
    ...     learning_rate=1.0,
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.64, -0.16], dtype=float64)
    """

    epochs: int = eqx.field(default=1, init=False, static=True)

    def __call__(self, group, advantages, log_probs):
        weights = _mean_weights(group, advantages)
        # A pattern without rollouts has weight 0, however unlikely it is.
        return jnp.where(weights == 0, 0.0, weights * jnp.exp(-log_probs))

    def steered(self, gradient, log_probs):
        return jnp.where(gradient == 0, 0.0, gradient * jnp.exp(-log_probs))


class Clipped(AbstractSurrogate):
    """PPO's clipped surrogate, several epochs on one batch.

    Ascends `(1/G) sum_i min(u_i A_i, clip(u_i, 1 - low, 1 + high) A_i)` with
    `u = pi/pi_old` of the pattern. `high > low` is clip-higher of DAPO; `inf` is no
    clip on that side. The first epoch is never clipped (the ratio is 1 there). Schulman
    et al. 2017, arXiv 1707.06347; Yu et al. 2025, arXiv 2503.14476.

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> recipe = ro.Recipe(
    ...     estimator=ro.RLOO(),
    ...     surrogate=ro.Clipped(0.2, 0.28, epochs=2),
    ...     group_size=4,
    ...     learning_rate=1.0,
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.1587, -0.1587], dtype=float64)
    """

    low: float = eqx.field(default=0.2, static=True, converter=plain)
    high: float = eqx.field(default=0.2, static=True, converter=plain)
    epochs: int = eqx.field(default=4, static=True, converter=plain)

    def __call__(self, group, advantages, log_probs):
        ratio = jnp.exp(log_probs - group.log_probs)
        ratio = jnp.where(group.log_probs > -jnp.inf, ratio, 1.0)
        ratio = ratio[:, None]
        too_high = (advantages > 0) & (ratio > 1 + self.high)
        too_low = (advantages < 0) & (ratio < 1 - self.low)
        active = jnp.where(too_high | too_low, 0.0, advantages * ratio)
        return score(_mean_weights(group, active), log_probs)

    def check(self):
        super().check()
        for name in ("low", "high"):
            check_real(name, getattr(self, name), "positive, or inf")

"""How rewards of a group become advantages of its rollouts.

An estimator maps a group and its rewards to one advantage per cell `[K, M]`. To add
one, write a small class here. What advantages do to logits is a surrogate's work.

If the rewards of a group are 0 or 1, each rollout's independent of the others', and
advantages depend on nothing but these, the expected update is `h(p) pi_k (s_k - p)`
with p the chance of a reward: the path of the plain policy gradient, in another clock
(B6). The docstrings give h.
"""

import math
from abc import abstractmethod
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.rollouts.feedback import AbstractFeedback, Verifier
from simulator.rollouts.groups import Group

Cells = Float[Array, "K M"]


class AbstractEstimator(eqx.Module):
    """`estimator(group, rewards) -> advantages [K, M]`, for one group."""

    @abstractmethod
    def __call__(self, group: Group, rewards: Cells) -> Cells:
        """The advantage of a rollout in each cell; anything where there is none."""

    def check(self, feedback: AbstractFeedback, group_size: int) -> None:
        """Raise `ValueError` if groups or rewards of this kind cannot be used."""
        del feedback, group_size


def _needs_a_group(estimator: AbstractEstimator, group_size: int) -> None:
    if group_size < 2:
        raise ValueError(
            f"`{type(estimator).__name__}` compares the rollouts of a group, and the "
            f"group size is {group_size}; give at least 2."
        )


def _needs_verdicts(estimator: AbstractEstimator, feedback: AbstractFeedback) -> None:
    if not isinstance(feedback, Verifier):
        raise ValueError(
            f"`{type(estimator).__name__}` needs rewards that are 0 or 1, and "
            f"`{type(feedback).__name__}` pays other amounts; use `Verifier`."
        )


class Reinforce(AbstractEstimator):
    """REINFORCE: the reward minus a fixed baseline; h = 1. Williams 1992."""

    baseline: float = eqx.field(default=0.0, static=True)

    def __call__(self, group, rewards):
        return rewards - self.baseline

    def check(self, feedback, group_size):
        if not math.isfinite(self.baseline):
            raise ValueError(
                f"`baseline` is {self.baseline}; it must be a finite number."
            )


class GroupMean(AbstractEstimator):
    """The reward minus the mean of the group, not divided by its spread.

    Dr. GRPO (Liu et al. 2025, arXiv 2503.20783), whose other change, to lengths, has no
    counterpart here. h = (G - 1)/G.
    """

    def __call__(self, group, rewards):
        return rewards - group.mean(rewards)

    def check(self, feedback, group_size):
        _needs_a_group(self, group_size)


class RLOO(AbstractEstimator):
    """The reward minus the mean of the others of the group; h = 1.

    Kool et al. 2019; Ahmadian et al. 2024, arXiv 2402.14740.
    """

    def __call__(self, group, rewards):
        return (rewards - group.mean(rewards)) * group.size / (group.size - 1)

    def check(self, feedback, group_size):
        _needs_a_group(self, group_size)


class GRPO(AbstractEstimator):
    """The reward minus the mean of the group, divided by its standard deviation.

    `A = (r - mean)/(spread + epsilon)`; a group of equal rewards has advantages 0. The
    spread is the population's or the sample's. h = `h_G(p)`, see `simulator.GRPO`.
    Shao et al. 2024, arXiv 2402.03300.
    """

    spread: Literal["population", "sample"] = eqx.field(
        default="population", static=True
    )
    epsilon: float = eqx.field(default=0.0, static=True)

    def __call__(self, group, rewards):
        deviation = rewards - group.mean(rewards)
        squares = group.mean(jnp.square(deviation))
        if self.spread == "sample":
            squares = squares * group.size / (group.size - 1)
        # A mean of equal numbers may be rounded away from them.
        equal = group.all_equal(rewards)
        scale = jnp.sqrt(jnp.where(equal, 1.0, squares)) + self.epsilon
        return jnp.where(equal, 0.0, deviation / scale)

    def check(self, feedback, group_size):
        _needs_a_group(self, group_size)
        if self.spread not in ("population", "sample"):
            raise ValueError(
                f"`spread` is {self.spread!r}; it must be 'population' or 'sample'."
            )
        if not (self.epsilon >= 0 and math.isfinite(self.epsilon)):
            raise ValueError(
                f"`epsilon` is {self.epsilon}; it must be 0 or positive, and finite."
            )


def _chances_to_miss(size: int, attempts: int) -> np.ndarray:
    """`C(w, n)/C(G, n)` for w = 0..G: n of G drawn all lie among w."""
    wrong = np.arange(size + 1)
    steps = np.arange(attempts)[:, None]
    return np.prod(np.maximum(wrong - steps, 0) / (size - steps), axis=0)


class AbstractPassAtN(AbstractEstimator):
    attempts: eqx.AbstractVar[int]

    def check(self, feedback, group_size):
        _needs_verdicts(self, feedback)
        if not (2 <= self.attempts <= group_size) or self.attempts != int(
            self.attempts
        ):
            raise ValueError(
                f"`attempts` is {self.attempts}; pass@n of a group of {group_size} "
                f"needs a whole number from 2 to {group_size}."
            )


class PassAtNReward(AbstractPassAtN):
    """Rewards transformed so that the expected update is the gradient of pass@n.

    A right rollout is paid `n`, a wrong one `n (1 - C(w - 1, n - 1)/C(G - 1, n - 1))`
    with w wrong ones in the group. h = `n (1 - p)^(n - 1)` exactly, for any `n <= G`.
    Walder and Karkhanis 2025, arXiv 2505.15201 (PKPO).
    """

    attempts: int = eqx.field(default=4, static=True)

    def __call__(self, group, rewards):
        n, size = self.attempts, group.size
        miss = jnp.asarray(_chances_to_miss(size - 1, n - 1), rewards.dtype)
        wrong = size - _number_right(group, rewards)
        others = jnp.clip(wrong - 1, 0).astype(int)
        return n * jnp.where(rewards > 0, 1.0, 1.0 - miss[others])


class PassAtNAdvantage(AbstractPassAtN):
    """Advantages of groups of n drawn from the G rollouts, in closed form.

    With the share of groups that succeed `R = 1 - C(w, n)/C(G, n)` and its spread
    `sigma = sqrt(R (1 - R))`, a right rollout has `(1 - R)/sigma` and a wrong one
    `(1 - R - C(w - 1, n - 1)/C(G - 1, n - 1))/sigma`; 0 if sigma is 0. Chen et al.
    2025, arXiv 2508.10751.
    """

    attempts: int = eqx.field(default=4, static=True)

    def __call__(self, group, rewards):
        n, size = self.attempts, group.size
        wrong = (size - _number_right(group, rewards)).astype(int)
        miss = jnp.asarray(_chances_to_miss(size, n), rewards.dtype)[wrong]
        among_others = jnp.asarray(_chances_to_miss(size - 1, n - 1), rewards.dtype)
        others = among_others[jnp.clip(wrong - 1, 0)]
        sigma = jnp.sqrt(miss * (1 - miss))
        advantage = jnp.where(rewards > 0, miss, miss - others)
        return jnp.where(sigma > 0, advantage / jnp.where(sigma > 0, sigma, 1.0), 0.0)


class Delight(AbstractEstimator):
    """Another estimator's advantages, gated by delight.

    `A sigmoid(A u / temperature)` with the surprisal `u = -log pi_k` of the pattern: a
    rare success counts in full, a rare failure hardly. Not of the class of B6: the
    path moves too. Osband 2026, arXiv 2603.14608; Mei and Osband 2026, arXiv
    2605.11908.
    """

    of: AbstractEstimator = RLOO()
    temperature: float = eqx.field(default=1.0, static=True)

    def __call__(self, group, rewards):
        advantages = self.of(group, rewards)
        surprisal = jnp.where(group.log_probs > -jnp.inf, -group.log_probs, 0.0)
        delight = advantages * surprisal[:, None] / self.temperature
        return advantages * jax.nn.sigmoid(delight)

    def check(self, feedback, group_size):
        self.of.check(feedback, group_size)
        if not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise ValueError(
                f"`temperature` is {self.temperature}; it must be positive."
            )


def _number_right(group, rewards):
    return jnp.sum(group.counts * (rewards > 0))

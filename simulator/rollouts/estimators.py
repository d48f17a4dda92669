"""How rewards of a group become advantages of its rollouts.

An estimator maps a group and its rewards to one advantage per cell `[K, M]`. To add
one, write a small class here, see CONTRIBUTING.md. What advantages do to logits is a
surrogate's work.

If the rewards of a group are 0 or 1, each rollout's independent of the others', and
advantages depend on nothing but these, the expected update is `h(p) pi_k (s_k - p)`
with p the chance of a reward: the path of the plain policy gradient, in another clock
(B6). The docstrings give h.
"""

from abc import abstractmethod
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.reporting.display import Part
from simulator.rollouts.feedback import AbstractFeedback, Verifier
from simulator.rollouts.groups import Group
from simulator.rollouts.penalties import AbstractPenalty
from simulator.validation import check_kind, check_real, check_whole, plain

__all__ = [
    "AbstractEstimator",
    "Delight",
    "GRPO",
    "GroupMean",
    "PassAtNAdvantage",
    "PassAtNReward",
    "RLOO",
    "Reinforce",
]

Cells = Float[Array, "K M"]


class AbstractEstimator(Part):
    """`estimator(group, rewards) -> advantages [K, M]`, for one group.

    >>> issubclass(ro.RLOO, ro.AbstractEstimator)
    True
    """

    @abstractmethod
    def __call__(self, group: Group, rewards: Cells) -> Cells:
        """The advantage of a rollout in each cell; anything where there is none."""

    def check(
        self,
        feedback: AbstractFeedback,
        penalties: tuple[AbstractPenalty, ...],
        group_size: int,
    ) -> None:
        """Raise `ValueError` if groups or rewards of this kind cannot be used."""
        del feedback, penalties, group_size


def _needs_a_group(estimator: AbstractEstimator, group_size: int) -> None:
    if group_size < 2:
        raise ValueError(
            f"`{type(estimator).__name__}` compares the rollouts of a group, and the "
            f"group size is {group_size}; give at least 2."
        )


def _needs_verdicts(
    estimator: AbstractEstimator,
    feedback: AbstractFeedback,
    penalties: tuple[AbstractPenalty, ...],
) -> None:
    name = type(estimator).__name__
    if not isinstance(feedback, Verifier):
        raise ValueError(
            f"`{name}` needs rewards that are 0 or 1, and `{type(feedback).__name__}` "
            "pays other amounts; use `Verifier`."
        )
    for penalty in penalties:
        if penalty.in_reward:
            raise ValueError(
                f"`{name}` needs rewards that are 0 or 1, and "
                f"`{type(penalty).__name__}` adds to them; use a penalty in the loss, "
                "for example `KLLoss3`."
            )


def _deviation(group: Group, rewards: Cells) -> Cells:
    """The reward minus the mean of the group; 0 if all are equal up to rounding."""
    return jnp.where(group.all_equal(rewards), 0.0, rewards - group.mean(rewards))


class Reinforce(AbstractEstimator):
    """REINFORCE: the reward minus a fixed baseline; h = 1. Williams 1992.

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> recipe = ro.Recipe(
    ...     estimator=ro.Reinforce(baseline=0.5), group_size=4, learning_rate=1.0
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.128, -0.128], dtype=float64)
    """

    baseline: float = eqx.field(default=0.0, static=True, converter=plain)

    def __call__(self, group, rewards):
        return rewards - self.baseline

    def check(self, feedback, penalties, group_size):
        check_real("baseline", self.baseline)


class GroupMean(AbstractEstimator):
    """The reward minus the mean of the group, not divided by its spread.

    Dr. GRPO (Liu et al. 2025, arXiv 2503.20783), whose other change, to lengths, has no
    counterpart here. h = (G - 1)/G.

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> recipe = ro.Recipe(estimator=ro.GroupMean(), group_size=4, learning_rate=1.0)
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.096, -0.096], dtype=float64)
    """

    def __call__(self, group, rewards):
        return _deviation(group, rewards)

    def check(self, feedback, penalties, group_size):
        _needs_a_group(self, group_size)


class RLOO(AbstractEstimator):
    """The reward minus the mean of the others of the group; h = 1.

    Kool et al. 2019; Ahmadian et al. 2024, arXiv 2402.14740.

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> recipe = ro.Recipe(estimator=ro.RLOO(), group_size=4, learning_rate=1.0)
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.128, -0.128], dtype=float64)
    """

    def __call__(self, group, rewards):
        return _deviation(group, rewards) * group.size / (group.size - 1)

    def check(self, feedback, penalties, group_size):
        _needs_a_group(self, group_size)


class GRPO(AbstractEstimator):
    """The reward minus the mean of the group, divided by its standard deviation.

    `A = (r - mean)/(spread + epsilon)`; a group of equal rewards (to 2e-13 of the
    largest, or of 1) has advantages 0. The spread is the population's or the sample's.
    h = `h_G(p)`, see `simulator.GRPO`. Shao et al. 2024, arXiv 2402.03300.

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> recipe = ro.Recipe(estimator=ro.GRPO(), group_size=4, learning_rate=1.0)
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.2103, -0.2103], dtype=float64)
    """

    spread: Literal["population", "sample"] = eqx.field(
        default="population", static=True
    )
    epsilon: float = eqx.field(default=0.0, static=True, converter=plain)

    def __call__(self, group, rewards):
        deviation = _deviation(group, rewards)
        squares = group.mean(jnp.square(deviation))
        if self.spread == "sample":
            squares = squares * group.size / (group.size - 1)
        scale = jnp.sqrt(jnp.where(squares > 0, squares, 1.0)) + self.epsilon
        return deviation / scale

    def check(self, feedback, penalties, group_size):
        _needs_a_group(self, group_size)
        if self.spread not in ("population", "sample"):
            raise ValueError(
                f"`spread` is {self.spread!r}; it must be 'population' or 'sample'."
            )
        check_real("epsilon", self.epsilon, "0 or positive")


def _chances_to_miss(size: int, attempts: int) -> np.ndarray:
    """`C(w, n)/C(G, n)` for w = 0..G: n of G drawn all lie among w."""
    wrong = np.arange(size + 1)
    steps = np.arange(attempts)[:, None]
    return np.prod(np.maximum(wrong - steps, 0) / (size - steps), axis=0)


class AbstractPassAtN(AbstractEstimator):
    attempts: eqx.AbstractVar[int]

    def check(self, feedback, penalties, group_size):
        _needs_a_group(self, group_size)
        _needs_verdicts(self, feedback, penalties)
        check_whole("attempts", self.attempts, 2, group_size)


class PassAtNReward(AbstractPassAtN):
    """Rewards transformed so that the expected update is the gradient of pass@n.

    A right rollout is paid `n`, a wrong one `n (1 - C(w - 1, n - 1)/C(G - 1, n - 1))`
    with w wrong ones in the group. h = `n (1 - p)^(n - 1)` exactly, for any `n <= G`.
    Walder and Karkhanis 2025, arXiv 2505.15201 (PKPO).

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> recipe = ro.Recipe(
    ...     estimator=ro.PassAtNReward(attempts=2), group_size=4, learning_rate=1.0
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.1894, -0.1894], dtype=float64)
    """

    attempts: int = eqx.field(default=4, static=True, converter=plain)

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

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> recipe = ro.Recipe(
    ...     estimator=ro.PassAtNAdvantage(attempts=2), group_size=4, learning_rate=1.0
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.1031, -0.1031], dtype=float64)
    """

    attempts: int = eqx.field(default=4, static=True, converter=plain)

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

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> recipe = ro.Recipe(estimator=ro.Delight(), group_size=4, learning_rate=1.0)
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.0936, -0.0936], dtype=float64)
    """

    of: AbstractEstimator = RLOO()
    """The estimator whose advantages are weighted."""
    temperature: float = eqx.field(default=1.0, static=True, converter=plain)

    def __call__(self, group, rewards):
        advantages = self.of(group, rewards)
        surprisal = jnp.where(group.log_probs > -jnp.inf, -group.log_probs, 0.0)
        delight = advantages * surprisal[:, None] / self.temperature
        return advantages * jax.nn.sigmoid(delight)

    def check(self, feedback, penalties, group_size):
        check_kind("of", self.of, AbstractEstimator, "RLOO()")
        self.of.check(feedback, penalties, group_size)
        check_real("temperature", self.temperature, "positive")


def _number_right(group, rewards):
    return jnp.sum(jnp.where(rewards > 0, group.counts, 0))

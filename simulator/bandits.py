"""Bandits over mixtures of patterns: learners that choose by optimism, or by gradient.

An arm is a prompt with a known mixture `w_a` over K patterns; a pull succeeds with
probability `w_a . s`. To add a learner, write a small class with `start`, `scores`,
`learn`.
"""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simulator.problem_checks import SUM_TOLERANCE
from simulator.validation import (
    Given,
    Numbers,
    check_finite,
    check_kind,
    check_whole,
    is_traced,
    real,
    real_array,
    shown,
)

__all__ = [
    "AbstractLearner",
    "ArmOptimism",
    "Bandit",
    "PatternOptimism",
    "Play",
    "SoftmaxGradient",
    "play",
]


class Bandit(eqx.Module):
    """Arms with known mixtures over patterns; success rates that learners do not know.

    - `mixtures`: `[*B, A, K]`, rows with sum 1, or of zeros: such an arm is not there,
      which fills up bandits of fewer arms.
    - `success_rates`: `[*B, K]`.

    Raises `ValueError` for other shapes or sums.

    >>> bandit = sim.Bandit([[0.5, 0.5], [0.0, 1.0]], [0.9, 0.1])
    >>> np.round(bandit.values, 4)
    Array([0.5, 0.1], dtype=float64)
    """

    mixtures: Float[Array, "*B A K"]
    success_rates: Float[Array, "*B K"]

    def __init__(self, mixtures: Numbers, success_rates: Numbers):
        self.mixtures = real_array("mixtures", mixtures)
        self.success_rates = real_array("success_rates", success_rates)
        shape, rates = self.mixtures.shape, self.success_rates
        if len(shape) < 2 or rates.shape != (*shape[:-2], shape[-1]):
            raise ValueError(
                f"`mixtures` has shape {shape} and `success_rates` {rates.shape}; give "
                "[*B, A, K] and [*B, K]."
            )
        if is_traced(self.mixtures) or is_traced(rates):
            return
        sums = np.asarray(self.mixtures).sum(axis=-1)
        there = sums > 0
        if (
            not (np.asarray(self.mixtures) >= 0).all()
            or (np.abs(sums[there] - 1) > SUM_TOLERANCE).any()
        ):
            raise ValueError(
                f"`mixtures` has rows with sums from {sums.min():g} to {sums.max():g}; "
                "give probabilities that sum to 1, or zeros for no arm."
            )
        if not ((np.asarray(rates) >= 0) & (np.asarray(rates) <= 1)).all():
            low, high = np.min(rates), np.max(rates)
            raise ValueError(
                f"`success_rates` go from {low:g} to {high:g}; give numbers from 0 to "
                "1."
            )
        if not there.any(axis=-1).all():
            raise ValueError("a bandit has no arm; give it a row with sum 1.")

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The leading axes `*B`."""
        return self.success_rates.shape[:-1]

    @property
    def there(self) -> Array:
        """`[*B, A]`: which arms exist."""
        return jnp.sum(self.mixtures, axis=-1) > 0

    @property
    def values(self) -> Float[Array, "*B A"]:
        """`w_a . s`; -inf for arms that are not there."""
        means = jnp.sum(self.mixtures * self.success_rates[..., None, :], axis=-1)
        return jnp.where(self.there, means, -jnp.inf)


class AbstractLearner(eqx.Module):
    """How arms are chosen, and what is learnt from a pull.

    >>> issubclass(sim.PatternOptimism, sim.AbstractLearner)
    True
    """

    @abstractmethod
    def start(self, mixtures: Float[Array, "A K"]) -> Any:
        """The state before the first pull."""

    @abstractmethod
    def scores(self, state: Any, mixtures: Float[Array, "A K"], key: Array) -> Array:
        """`[A]`: the arm with the largest score is pulled."""

    @abstractmethod
    def learn(
        self, state: Any, mixtures: Float[Array, "A K"], arm: Array, reward: Array
    ) -> Any:
        """The state after a pull."""


class PatternOptimism(AbstractLearner):
    """UCB on the success rates of patterns: `w . s_hat + width sqrt(w V^-1 w)`.

    `V = ridge + sum w w'` over the pulls, `s_hat = V^-1 sum r w`. Width 0 is greedy.

    >>> bandit = sim.Bandit(np.eye(3), [0.2, 0.5, 0.9])
    >>> done = sim.play(bandit, sim.PatternOptimism(), 50, jax.random.key(0))
    >>> int(jnp.sum(done.arms == 2)), round(float(done.regret[-1]), 2)
    (48, 1.1)
    """

    width: Given[Float[Array, "*B"]] = eqx.field(default=1.0, converter=real("width"))
    ridge: Given[Float[Array, "*B"]] = eqx.field(default=1.0, converter=real("ridge"))

    def start(self, mixtures):
        patterns = mixtures.shape[-1]
        inverse = jnp.eye(patterns) / self.ridge
        spread = jnp.sum(mixtures**2, axis=-1) / self.ridge  # w V^-1 w
        return inverse, spread, jnp.zeros(patterns)

    def scores(self, state, mixtures, key):
        del key
        inverse, spread, paid = state
        return mixtures @ (inverse @ paid) + self.width * jnp.sqrt(spread)

    def learn(self, state, mixtures, arm, reward):
        inverse, spread, paid = state
        # Sherman and Morrison: the inverse after one more row.
        step, scale = inverse @ mixtures[arm], 1 + spread[arm]
        return (
            inverse - jnp.outer(step, step) / scale,
            jnp.maximum(spread - (mixtures @ step) ** 2 / scale, 0.0),
            paid + reward * mixtures[arm],
        )


class ArmOptimism(AbstractLearner):
    """UCB on each arm by itself: `sum r/(ridge + n) + width/sqrt(ridge + n)`.

    That is `PatternOptimism` with as many patterns as arms.

    >>> bandit = sim.Bandit(np.eye(3), [0.2, 0.5, 0.9])
    >>> done = sim.play(bandit, sim.ArmOptimism(), 50, jax.random.key(0))
    >>> int(jnp.sum(done.arms == 2))
    48
    """

    width: Given[Float[Array, "*B"]] = eqx.field(default=1.0, converter=real("width"))
    ridge: Given[Float[Array, "*B"]] = eqx.field(default=1.0, converter=real("ridge"))

    def start(self, mixtures):
        arms = jnp.zeros(mixtures.shape[0])
        return self.ridge + arms, arms

    def scores(self, state, mixtures, key):
        del mixtures, key
        pulls, paid = state
        return paid / pulls + self.width / jnp.sqrt(pulls)

    def learn(self, state, mixtures, arm, reward):
        del mixtures
        pulls, paid = state
        return pulls.at[arm].add(1.0), paid.at[arm].add(reward)


class SoftmaxGradient(AbstractLearner):
    """Sampled policy gradient on one logit per arm; baseline: the mean reward so far.

    `theta += rate (r - r_mean) (1[arm] - pi)`; arms are drawn from `pi = softmax`.

    >>> bandit = sim.Bandit(np.eye(3), [0.9, 0.5, 0.2])
    >>> done = sim.play(bandit, sim.SoftmaxGradient(0.5), 50, jax.random.key(0))
    >>> done.arms.shape
    (50,)
    """

    rate: Given[Float[Array, "*B"]] = eqx.field(default=0.5, converter=real("rate"))

    def start(self, mixtures):
        there = jnp.sum(mixtures, axis=-1) > 0
        return jnp.where(there, 0.0, -jnp.inf), jnp.zeros(()), jnp.zeros(())

    def scores(self, state, mixtures, key):
        logits = state[0]
        return logits + jax.random.gumbel(key, logits.shape, logits.dtype)

    def learn(self, state, mixtures, arm, reward):
        logits, mean, pulls = state
        step = jax.nn.one_hot(arm, logits.shape[0]) - jax.nn.softmax(logits)
        pulls = pulls + 1
        moved = logits + self.rate * (reward - mean) * step
        return moved, mean + (reward - mean) / pulls, pulls


class Play(eqx.Module):
    """What was pulled: `arms` `[*B, T]`, and the regret so far, `[*B, T]`.

    The regret is that of expectations, `sum_t (max_a w_a . s - w_at . s)`.

    >>> bandit = sim.Bandit(np.eye(2), [0.9, 0.5])
    >>> done = sim.play(bandit, sim.ArmOptimism(width=0.0), 10, jax.random.key(1))
    >>> isinstance(done, sim.Play)
    True
    """

    arms: Int[Array, "*B T"]
    regret: Float[Array, "*B T"]


def play(bandit: Bandit, learner: AbstractLearner, pulls: int, keys: Array) -> Play:
    """Let a learner pull `pulls` arms of a bandit, or of each bandit of a batch.

    `keys`: random keys, one per bandit: `jax.random.split(jax.random.key(0), B)`.
    Numbers of the learner go bandit by bandit where they have the axes `*B`. Of arms
    with equal scores the first is pulled. A bandit's result does not depend on the
    others.

    Raises `ValueError` for other numbers of keys, numbers that are not finite, or a
    `ridge` that is not positive.

    >>> bandit = sim.Bandit(np.eye(3), [0.2, 0.5, 0.9])
    >>> done = sim.play(bandit, sim.ArmOptimism(), 200, jax.random.key(0))
    >>> int(jnp.sum(done.arms[-50:] == 2))
    50
    """
    check_kind("bandit", bandit, Bandit, "Bandit(np.eye(3), [0.9, 0.5, 0.2])")
    check_kind("learner", learner, AbstractLearner, "PatternOptimism()")
    check_whole("pulls", pulls, 1, 10**8)
    shape = bandit.batch_shape
    kind = getattr(keys, "dtype", np.dtype(object))
    if np.ndim(keys) <= len(shape) and not jnp.issubdtype(kind, jax.dtypes.prng_key):
        raise ValueError(
            f"`keys` is {shown(keys)}; give random keys, like jax.random.key(0)."
        )
    if np.shape(keys) != shape:
        raise ValueError(
            f"`keys` has shape {np.shape(keys)} and the bandits {shape}; give one "
            "random key per bandit."
        )
    for name in ("width", "ridge", "rate"):
        value = getattr(learner, name, None)
        if value is None:
            continue
        check_finite(name, value)
        if name == "ridge" and not is_traced(value) and np.any(np.asarray(value) <= 0):
            raise ValueError(f"`ridge` is {np.min(value):g}; give positive numbers.")
        if value.shape not in ((), shape):
            raise ValueError(
                f"`{name}` has shape {value.shape}; give one number, or one per bandit."
            )
    wide = jax.tree.map(lambda x: jnp.broadcast_to(x, shape), learner)
    return _played(bandit, wide, pulls, keys)


@eqx.filter_jit
def _played(bandit: Bandit, learner: AbstractLearner, pulls: int, keys: Array) -> Play:
    one = _one
    for _ in bandit.batch_shape:
        one = jax.vmap(one, in_axes=(0, 0, None, 0))
    return one(bandit, learner, pulls, keys)


def _one(bandit: Bandit, learner: AbstractLearner, pulls: int, key: Array) -> Play:
    values, there = bandit.values, bandit.there
    mixtures = bandit.mixtures

    def pull(state, key):
        choosing, paying = jax.random.split(key)
        scores = learner.scores(state, mixtures, choosing)
        arm = jnp.argmax(jnp.where(there, scores, -jnp.inf))
        reward = jax.random.bernoulli(paying, values[arm]).astype(values.dtype)
        state = learner.learn(state, mixtures, arm, reward)
        return state, (arm, jnp.max(values) - values[arm])

    start = learner.start(mixtures)
    _, (arms, lost) = jax.lax.scan(pull, start, jax.random.split(key, pulls))
    return Play(arms=arms, regret=jnp.cumsum(lost))

"""Quantities computed from a policy, or from each of many: `log_probs [..., K]`.

Values of the patterns (success rates, rewards, another policy) are `[K]`, the same for
all policies, or `[..., K]` like the policies; the result is `[...]`, or `[..., K]` for
one number per pattern.

"Best" patterns are those with the highest success rate on the support; `pi_*` is their
total probability.

Raise `ValueError` for other shapes, and for known numbers that are no logarithms of
probabilities.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Real

from simulator.numerics.logspace import log_sum
from simulator.validation import check_whole, given_array, is_traced

__all__ = [
    "accuracy",
    "best_patterns",
    "best_value",
    "entropy",
    "kl",
    "log_accuracy",
    "log_gap",
    "log_optimal_probability",
    "log_probabilities",
    "mean_value",
    "pass_at_n",
    "probs",
]

Policies = Float[Array, "*N K"]
Scalars = Float[Array, "*N"]
Policy = Float[Array | np.ndarray, "*N K"] | Sequence[Any]
Values = Real[Array | np.ndarray, "..."] | Sequence[Any]

ABOVE_ONE = 1e-3  # so far the logarithm of a probability may be off
MOST_ATTEMPTS = 10**15  # whole numbers that floats hold exactly


def _floats(array: Any) -> Array:
    return jnp.asarray(array, jnp.result_type(array.dtype, 1.0))


def _policy(log_probs: Any, name: str = "log_probs") -> Array:
    given = given_array(name, log_probs)
    if given.ndim < 1 or not given.shape[-1]:
        raise ValueError(
            f"`{name}` has shape {given.shape}; give one number per pattern, [..., K]."
        )
    if not is_traced(given) and (np.asarray(given) > ABOVE_ONE).any():
        raise ValueError(
            f"`{name}` contains {np.nanmax(given):g}; logarithms of probabilities are "
            "at most 0: take the logarithm, or normalise."
        )
    return _floats(given)


def _values(name: str, values: Any, log_probs: Array) -> Array:
    given = given_array(name, values)
    if given.shape not in (log_probs.shape, log_probs.shape[-1:]):
        raise ValueError(
            f"`{name}` has shape {given.shape} and `log_probs` {log_probs.shape}; give "
            "one number per pattern, the same for all policies or for each of them."
        )
    return _floats(given)


def probs(log_probs: Policy) -> Policies:
    """`pi_k`.

    >>> log_probs = jnp.log(jnp.array([0.05, 0.7, 0.25]))
    >>> np.round(sim.probs(log_probs), 4)
    Array([0.05, 0.7 , 0.25], dtype=float64)
    """
    return jnp.exp(_policy(log_probs))


def log_probabilities(log_probs: Policy) -> Policies:
    """`log pi_k` as it is: to be observed where everything is measured later.

    >>> log_probs = jnp.log(jnp.array([0.05, 0.7, 0.25]))
    >>> np.round(sim.log_probabilities(log_probs), 4)
    Array([-2.9957, -0.3567, -1.3863], dtype=float64)
    """
    return _policy(log_probs)


def within_floats(logs: Array) -> Array:
    """Logarithms, `-inf` for those that stand for less than a float can say.

    So do log-probabilities of the natural gradient after times of 1e308 and more.
    """
    return jnp.where(logs > -jnp.finfo(logs.dtype).max / 8, logs, -jnp.inf)


def accuracy(log_probs: Policy, success_rates: Values) -> Scalars:
    """`ACC = sum_k pi_k s_k`, the probability of a correct answer.

    >>> log_probs = jnp.log(jnp.array([0.05, 0.7, 0.25]))
    >>> round(float(sim.accuracy(log_probs, [0.9, 0.6, 0.1])), 4)
    0.49
    """
    log_probs = _policy(log_probs)
    success_rates = _values("success_rates", success_rates, log_probs)
    return jnp.sum(jnp.exp(log_probs) * success_rates, axis=-1)


def mean_value(log_probs: Policy, values: Values) -> Scalars:
    """`sum_k pi_k values_k`, as of an attribute.

    >>> log_probs = jnp.log(jnp.array([0.05, 0.7, 0.25]))
    >>> round(float(sim.mean_value(log_probs, [-1.0, 2.0, 0.0])), 4)
    1.35
    """
    log_probs = _policy(log_probs)
    return jnp.sum(jnp.exp(log_probs) * _values("values", values, log_probs), axis=-1)


def means_by_lane(log_probs: Array | np.ndarray, values: Array) -> Array:
    """`mean_value` of `values` `[*B, K]` under policies `[*B, ..., K]`."""
    more = np.ndim(log_probs) - np.ndim(values)
    wide = jnp.reshape(values, (*values.shape[:-1], *[1] * more, values.shape[-1]))
    return mean_value(log_probs, jnp.broadcast_to(wide, log_probs.shape))


def log_accuracy(log_probs: Policy, success_rates: Values) -> Scalars:
    """`log ACC`, also where ACC is less than floats can say; `-inf` where it is 0.

    >>> log_probs = jnp.log(jnp.array([0.05, 0.7, 0.25]))
    >>> round(float(sim.log_accuracy(log_probs, [0.9, 0.6, 0.1])), 4)
    -0.7133
    """
    log_probs = _policy(log_probs)
    return log_sum(log_probs, _values("success_rates", success_rates, log_probs))


def best_value(log_probs: Policy, values: Values) -> Scalars:
    """The largest of `values` over the support.

    >>> log_probs = jnp.log(jnp.array([0.05, 0.7, 0.25]))
    >>> float(sim.best_value(log_probs, [0.9, 0.6, 0.1]))
    0.9
    """
    log_probs = _policy(log_probs)
    values = _values("values", values, log_probs)
    return jnp.max(jnp.where(log_probs > -jnp.inf, values, -jnp.inf), axis=-1)


def best_patterns(log_probs: Policy, values: Values) -> Bool[Array, "*N K"]:
    """Which patterns of the support have the largest value.

    >>> log_probs = jnp.log(jnp.array([0.05, 0.7, 0.25]))
    >>> sim.best_patterns(log_probs, [0.9, 0.6, 0.1]).tolist()
    [True, False, False]
    """
    log_probs = _policy(log_probs)
    values = _values("values", values, log_probs)
    best = best_value(log_probs, values)[..., None]
    return (values == best) & (log_probs > -jnp.inf)


def log_gap(log_probs: Policy, rewards: Values) -> Scalars:
    """`log(rho_* - rho_bar)`, summed as `pi_k (rho_* - rho_k)`: no cancellation.

    >>> log_probs = jnp.log(jnp.array([0.05, 0.7, 0.25]))
    >>> round(float(jnp.exp(sim.log_gap(log_probs, [0.9, 0.6, 0.1]))), 4)
    0.41
    """
    log_probs = _policy(log_probs)
    rewards = _values("rewards", rewards, log_probs)
    inside = log_probs > -jnp.inf
    best = best_value(log_probs, rewards)[..., None]
    # The best one's own gap is 0 whatever its reward, for derivatives too.
    return log_sum(log_probs, jnp.where(inside & (rewards < best), best - rewards, 0.0))


def log_optimal_probability(log_probs: Policy, success_rates: Values) -> Scalars:
    """`log pi_*`, the log of the total probability of the best patterns.

    >>> log_probs = jnp.log(jnp.array([0.05, 0.7, 0.25]))
    >>> round(
    ...     float(jnp.exp(sim.log_optimal_probability(log_probs, [0.9, 0.6, 0.1]))), 4
    ... )
    0.05
    """
    log_probs = _policy(log_probs)
    success_rates = _values("success_rates", success_rates, log_probs)
    best = best_patterns(log_probs, success_rates)
    return log_sum(log_probs, best.astype(log_probs.dtype))


def entropy(log_probs: Policy) -> Scalars:
    """`-sum_k pi_k log pi_k`, in nats.

    >>> log_probs = jnp.log(jnp.array([0.05, 0.7, 0.25]))
    >>> round(float(sim.entropy(log_probs)), 4)
    0.746
    """
    log_probs = _policy(log_probs)
    inside = log_probs > -jnp.inf
    return jnp.sum(jnp.exp(log_probs) * jnp.where(inside, -log_probs, 0.0), axis=-1)


def kl(log_probs: Policy, log_reference: Policy) -> Scalars:
    """`KL(pi || pi_ref) = sum_k pi_k log(pi_k / pi_ref_k)`, in nats.

    >>> log_probs = jnp.log(jnp.array([0.05, 0.7, 0.25]))
    >>> round(float(sim.kl(log_probs, jnp.log(jnp.full(3, 1 / 3)))), 4)
    0.3526
    """
    log_probs = _policy(log_probs)
    name = "log_reference"
    log_reference = _values(name, _policy(log_reference, name), log_probs)
    inside = log_probs > -jnp.inf
    ratio = jnp.where(inside, log_probs - log_reference, 0.0)
    # However rare a pattern is: its probability may underflow.
    infinite = ratio == jnp.inf
    terms = jnp.exp(log_probs) * jnp.where(infinite, 0.0, ratio)
    total = jnp.sum(terms, axis=-1)
    # Rounding may take it below 0; derivatives are those of the sum.
    total = total + jax.lax.stop_gradient(jnp.maximum(total, 0.0) - total)
    return jnp.where(jnp.any(infinite, axis=-1), jnp.inf, total)


def pass_at_n(log_probs: Policy, success_rates: Values, n: int) -> Scalars:
    """`1 - (1 - ACC)^n`: at least one of `n` independent attempts is right.

    Raises `ValueError` unless `n` is a whole number from 0.

    >>> log_probs = jnp.log(jnp.array([0.05, 0.7, 0.25]))
    >>> round(float(sim.pass_at_n(log_probs, [0.9, 0.6, 0.1], 8)), 4)
    0.9954
    """
    log_probs = _policy(log_probs)
    success_rates = _values("success_rates", success_rates, log_probs)
    if not is_traced(n):
        check_whole("n", n, 0, MOST_ATTEMPTS)
    hit = jnp.sum(jnp.exp(log_probs) * success_rates, axis=-1)
    miss = jnp.sum(jnp.exp(log_probs) * (1 - success_rates), axis=-1)
    # The smaller of the two knows its digits; and no derivative is 0 times infinity.
    likely, sure = hit > miss, miss <= 0
    missed_all = jnp.exp(n * jnp.log(jnp.where(likely & ~sure, miss, 1.0)))
    rare = -jnp.expm1(n * jnp.log1p(-jnp.where(likely, 0.0, hit)))
    several = jnp.where(likely, jnp.where(sure, 1.0, 1.0 - missed_all), rare)
    number = jnp.asarray(n)
    return jnp.where(number == 1, hit, jnp.where(number > 0, several, 0.0))

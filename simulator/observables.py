"""What one reads off a policy. All functions are for one policy `log_probs [K]`.

"Best" patterns are those with the highest success rate on the support; `pi_*` is their
total probability.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from simulator.logspace import log_sum

Policy = Float[Array, " K"]
Values = Float[Array, " K"]
Scalar = Float[Array, ""]


def probs(log_probs: Policy) -> Policy:
    """`pi_k`."""
    return jnp.exp(log_probs)


def log_probabilities(log_probs: Policy) -> Policy:
    """`log pi_k` as it is: to be observed where everything is measured later."""
    return log_probs


def accuracy(log_probs: Policy, success_rates: Values) -> Scalar:
    """`ACC = sum_k pi_k s_k`, the probability of a correct answer."""
    return jnp.sum(jnp.exp(log_probs) * success_rates)


def log_accuracy(log_probs: Policy, success_rates: Values) -> Scalar:
    """`log ACC`, also where ACC is less than floats can say; `-inf` where it is 0."""
    return log_sum(log_probs, success_rates)


def best_value(log_probs: Policy, values: Values) -> Scalar:
    """The largest of `values` over the support."""
    return jnp.max(jnp.where(log_probs > -jnp.inf, values, -jnp.inf), axis=-1)


def best_patterns(log_probs: Policy, values: Values) -> Bool[Array, " K"]:
    """Which patterns of the support have the largest value."""
    return (values == best_value(log_probs, values)) & (log_probs > -jnp.inf)


def log_gap(log_probs: Policy, rewards: Values) -> Scalar:
    """`log(rho_* - rho_bar)`, summed as `pi_k (rho_* - rho_k)`: no cancellation."""
    inside = log_probs > -jnp.inf
    shortfall = jnp.where(inside, best_value(log_probs, rewards) - rewards, 0.0)
    return log_sum(log_probs, shortfall)


def log_optimal_probability(log_probs: Policy, success_rates: Values) -> Scalar:
    """`log pi_*`, the log of the total probability of the best patterns."""
    best = best_patterns(log_probs, success_rates)
    return log_sum(log_probs, best.astype(log_probs.dtype))


def entropy(log_probs: Policy) -> Scalar:
    """`-sum_k pi_k log pi_k`, in nats."""
    inside = log_probs > -jnp.inf
    return jnp.sum(jnp.exp(log_probs) * jnp.where(inside, -log_probs, 0.0))


def kl(log_probs: Policy, log_reference: Policy) -> Scalar:
    """`KL(pi || pi_ref) = sum_k pi_k log(pi_k / pi_ref_k)`, in nats."""
    log_probs = jnp.asarray(log_probs)
    inside = log_probs > -jnp.inf
    ratio = jnp.where(inside, log_probs - log_reference, 0.0)
    total = jnp.sum(jnp.exp(log_probs) * ratio)
    # Rounding may take it below 0; derivatives are those of the sum.
    return total + jax.lax.stop_gradient(jnp.maximum(total, 0.0) - total)


def pass_at_n(log_probs: Policy, success_rates: Values, n: int) -> Scalar:
    """`1 - (1 - ACC)^n`: at least one of `n` independent attempts is right.

    Raises `ValueError` for a negative `n`.
    """
    if not isinstance(n, jax.core.Tracer) and n < 0:
        raise ValueError(f"`n` is {n}; give a number of attempts from 0.")
    miss = jnp.sum(jnp.exp(log_probs) * (1 - success_rates))
    return -jnp.expm1(n * jnp.log(miss))

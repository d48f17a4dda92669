"""Numbers that are equal except for rounding.

Rewards that a signal computes carry rounding errors, and on a plateau of length 1e17 an
error of 1e-17 decides which pattern wins. The rule for every signal and engine:

    two rewards count as equal if they differ by no more than `rounding` (16 eps: 4e-15
    in float64, 2e-6 in float32) times the sum of their sizes,

the size of a reward being that of what was added up to compute it (`a - a` has the size
`2 |a|`). Numbers handed through as given (`AbstractSignal.exact`) have no rounding and
differ whenever they differ. Sampled training, where only groups of equal rewards are
special, compares them with 1024 eps of the largest of them or of 1 (`rollouts.groups`).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Values = Float[Array, " K"]


def rounding(dtype) -> float:
    """Relative size below which a difference is rounding."""
    return 16 * float(jnp.finfo(dtype).eps)


def _errors(values: Values, sizes: Values) -> Values:
    """How far rounding may have moved each value; 0 where that is not finite."""
    errors = rounding(values.dtype) * sizes
    return jnp.where(jnp.isfinite(errors), errors, 0.0)


@jax.custom_jvp
def made_equal(values: Values, sizes: Values, inside: Bool[Array, " K"]) -> Values:
    """Each value raised to the largest one that it equals except for rounding.

    `inside`: which patterns count; the others are left alone. A value is changed by
    rounding only, so derivatives are those of `values`.
    """
    errors = _errors(values, sizes)
    low = jnp.where(inside, values - errors, jnp.inf)
    low, sorted_ = jax.lax.sort((low, values), num_keys=1)
    largest = jax.lax.cummax(sorted_)
    last = jnp.searchsorted(low, values + errors, side="right") - 1
    return jnp.where(inside, largest[last], values)


@made_equal.defjvp
def _made_equal_jvp(primals, tangents):
    return made_equal(*primals), tangents[0]


def made_equal_to_leaders(
    values: Values, sizes: Values, log_probs: Float[Array, " K"]
) -> Values:
    """Values that equal the largest, or the most likely pattern's, made just that.

    For rewards that move with the policy, where it has to be done at every step: it
    costs no sort, and in a moment only these two are what the others compete with.
    """
    errors, inside = _errors(values, sizes), log_probs > -jnp.inf
    for score in (values, log_probs):
        score = jnp.where(inside, score, -jnp.inf)
        leads = score == jnp.max(score)
        # Of several the largest; it needs no index look-up.
        top = jnp.max(jnp.where(leads, values, -jnp.inf))
        slack = errors + jnp.max(jnp.where(leads & (values == top), errors, 0.0))
        close = inside & (jnp.abs(values - top) <= slack)
        values = jnp.where(close, top, values)
    return values

"""Differences that neither cancel nor underflow, however extreme the policy is.

On a plateau one pattern holds almost all the mass and everything that still moves is
of the size of the others' probabilities, say `1e-600`. Two rules keep every relative
digit: measure values from the most likely pattern's, whose difference with itself is
exactly 0, and carry the size of what is left as a logarithm.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class ScaledVector(NamedTuple):
    """The vector `mantissa * exp(log_scale)`."""

    mantissa: Float[Array, " K"]
    log_scale: Float[Array, ""]


class Centred(NamedTuple):
    """Values around their policy mean: `offset - exp(log_scale) * mean`.

    `offset[k] = values[k] - values[i]` for the most likely pattern `i`, and
    `exp(log_scale) * mean = sum_k pi_k offset[k]`.
    """

    log_probs: Float[Array, " K"]
    offset: Float[Array, " K"]
    weighted: Float[Array, " K"]
    mean: Float[Array, ""]
    log_scale: Float[Array, ""]

    def values(self) -> Float[Array, " K"]:
        """`values[k] - sum_j pi_j values[j]`."""
        return self.offset - jnp.exp(self.log_scale) * self.mean

    def weighted_by_policy(self) -> ScaledVector:
        """`pi_k (values[k] - sum_j pi_j values[j])`."""
        mantissa = self.weighted - jnp.exp(self.log_probs) * self.mean
        return ScaledVector(mantissa, self.log_scale)

    def spread(self) -> Float[Array, ""]:
        """`sum_k pi_k |values[k] - sum_j pi_j values[j]|`, over `exp(log_scale)`."""
        counts = (self.offset != 0) & (self.log_probs > -jnp.inf)
        unit = jnp.where(counts, self.log_scale, 0.0)
        weights = jnp.exp(jnp.where(counts, self.log_probs, -jnp.inf) - unit)
        rest = jnp.sum(jnp.where(counts, 0.0, jnp.exp(self.log_probs)))
        return jnp.sum(weights * jnp.abs(self.values())) + rest * jnp.abs(self.mean)


def centre(log_probs: Float[Array, " K"], values: Float[Array, " K"]) -> Centred:
    """Measure `values` from their mean under the policy; see `Centred`."""
    most_likely = log_probs == jnp.max(log_probs)
    # Ties: any of the most likely serves; the largest value needs no index look-up.
    offset = values - jnp.max(jnp.where(most_likely, values, -jnp.inf))
    # XLA may compute a value anew for each use, and round it otherwise.
    itself = most_likely & (jnp.sum(most_likely) == 1)
    offset = jnp.where(itself, 0.0, offset)
    counts = (offset != 0) & (log_probs > -jnp.inf)
    log_scale = jnp.max(jnp.where(counts, log_probs, -jnp.inf))
    log_scale = jnp.where(log_scale == -jnp.inf, 0.0, log_scale)
    # Chosen before the exponential, or 0 times inf is a derivative in reverse mode.
    weighted = jnp.exp(jnp.where(counts, log_probs - log_scale, -jnp.inf)) * offset
    return Centred(log_probs, offset, weighted, jnp.sum(weighted), log_scale)


def sign_of_mean(
    log_probs: Float[Array, " K"], values: Float[Array, " K"]
) -> Float[Array, ""]:
    """A number with the sign of `sum_k pi_k values[k]`, of order 1 at any scale."""
    return jnp.sum(_terms(log_probs, values))


def balance_of_mean(
    log_probs: Float[Array, " K"], values: Float[Array, " K"]
) -> Float[Array, ""]:
    """`sum_k pi_k values[k] / sum_k pi_k |values[k]|`; 0 if all values are."""
    terms = _terms(log_probs, values)
    return ratio(jnp.sum(terms), jnp.sum(jnp.abs(terms)))


def ratio(part: Float[Array, "*N"], whole: Float[Array, "*N"]) -> Float[Array, "*N"]:
    """`part / whole`, and 0 for 0/0."""
    return part / jnp.where(whole > 0, whole, 1.0)


def _terms(
    log_probs: Float[Array, " K"], values: Float[Array, " K"]
) -> Float[Array, " K"]:
    """`pi_k values[k]`, in units of the largest `pi_k` whose value is not 0."""
    counts = (values != 0) & (log_probs > -jnp.inf)
    log_scale = jnp.max(jnp.where(counts, log_probs, -jnp.inf))
    log_scale = jnp.where(log_scale == -jnp.inf, 0.0, log_scale)
    return _exp(log_probs - log_scale) * values


def log_sum(
    log_probs: Float[Array, "*N K"], values: Float[Array, "*N K"]
) -> Float[Array, "*N"]:
    """`log sum_k pi_k values[k]` for values >= 0; `-inf` where the sum is 0."""
    top = jnp.max(log_probs + jnp.log(jax.lax.stop_gradient(values)), axis=-1)
    shift = jnp.where(top == -jnp.inf, 0.0, top)
    weights = _exp(log_probs - shift[..., None])
    return jnp.log(jnp.sum(weights * values, axis=-1)) + shift


def _exp(x: Array) -> Array:
    """`exp(x)`, large but finite where it overflows: times 0 that is 0.

    So sums of `exp(x) * values` have a right derivative also where a value is 0.
    """
    return jnp.exp(jnp.minimum(x, jnp.log(jnp.finfo(x.dtype).max) - 1))


def log_expm1(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """`log(exp(x) - 1)` for `x >= 0`, without overflow; `-inf` at 0."""
    return x + jnp.log(-jnp.expm1(-x))


def _by_halves(combine: Callable[[Array, Array], Array], table: Array) -> Array:
    """Combine along the first axis. XLA turns this into vector code, unlike a sum."""
    while len(table) > 1:
        half = len(table) // 2
        rest = table[2 * half :]
        table = combine(table[:half], table[half : 2 * half])
        table = jnp.concatenate([table, rest]) if len(rest) else table
    return table[0]


def total(table: Float[Array, "K ..."]) -> Float[Array, "..."]:
    """`sum_k table[k]`."""
    return _by_halves(jnp.add, table)


def log_product(table: Float[Array, "K ..."]) -> Float[Array, "..."]:
    """`sum_k log table[k]` for numbers of order 1: one logarithm for eight of them."""
    missing = -len(table) % 8
    if missing:
        ones = jnp.ones((missing, *table.shape[1:]), table.dtype)
        table = jnp.concatenate([table, ones])
    groups = table.reshape(8, -1, *table.shape[1:])
    return total(jnp.log(_by_halves(jnp.multiply, groups)))

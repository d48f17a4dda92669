"""How many rollouts of a group land in each cell: exact multinomial counts.

Two ways to the same distribution. Few rollouts are drawn one by one. Many are counted,
from cell to cell (`simulator.rollouts.descent`), the likeliest first, until so few are
left that they are drawn one by one.

Randomness comes in words of 32 bits when counting and of a float's mantissa when
drawing one by one; a cell less likely than 1e-16 (1e-7 in float32) is as good as never
drawn one by one.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from simulator.rollouts import threefry
from simulator.rollouts.descent import descent

FEW = 128  # up to here one by one is faster
LAST = 16  # and so it is for these, after the others were counted
LARGEST_GROUP = 100_000  # a table of logarithms of factorials is kept


def multinomial(
    key: Key[Array, ""], probs: Float[Array, " C"], number: int
) -> Float[Array, " C"]:
    """Counts `[C]` of `number` independent draws from `probs` (sum 1).

    A cell of probability 0 is never drawn. Exact up to rounding.
    """
    draw = one_by_one if number <= FEW else by_counts
    return draw(key, probs, number)


def one_by_one(
    key: Key[Array, ""], probs: Float[Array, " C"], number: int
) -> Float[Array, " C"]:
    """`multinomial`, at a cost that grows with `number`."""
    upper = jax.lax.associative_scan(jnp.add, probs)
    total = upper[-1]
    # Rounding must not push a draw into a cell of probability 0 behind the last one.
    upper = jnp.where(upper >= total, jnp.inf, upper)
    place = total * threefry.uniform(threefry.words(key), number, probs.dtype)
    below = jnp.sum(place[:, None] < upper, axis=0, dtype=jnp.int32)
    return jnp.diff(below, prepend=0).astype(probs.dtype)


def by_counts(
    key: Key[Array, ""], probs: Float[Array, " C"], number: int
) -> Float[Array, " C"]:
    """`multinomial`, at a cost that does not grow with `number`."""
    dtype, index = probs.dtype, jnp.arange(len(probs), dtype=jnp.int32)
    rank = _ranks(probs)
    probs = jnp.sum(jnp.where(rank[:, None] == index, probs[:, None], 0.0), axis=0)
    here_or_later = jax.lax.associative_scan(jnp.add, probs, reverse=True)
    later = jnp.append(here_or_later[1:], 0.0)
    rarer, other = jnp.minimum(probs, later), jnp.maximum(probs, later)
    other = jnp.where(other > 0, other, 1.0)
    log_ratio = jnp.log(rarer / other)
    log_odds = jnp.where(probs <= later, log_ratio, -log_ratio)
    words = threefry.words(key)
    given = words, log_odds, rarer / (rarer + other)
    found = descent(number, LAST)(*jax.tree.map(lambda x: x[None], given))
    cell, left, reached = (x[0] for x in found)
    # The last ones: how far does each get?
    place = here_or_later[cell] * threefry.uniform(words, LAST, dtype)
    place = jnp.where(jnp.arange(LAST) < left, place, jnp.inf)
    further = jnp.sum(place[:, None] < here_or_later, axis=0, dtype=jnp.int32)
    reached = jnp.where(index > cell, further, reached)
    counts = -jnp.diff(reached, append=0)
    return counts[rank].astype(dtype)


def _ranks(probs: Float[Array, " C"]) -> Int[Array, " C"]:
    """The place of each cell, the likeliest first."""
    index = jnp.arange(len(probs))
    first = (probs == probs[:, None]) & (index < index[:, None])
    return jnp.sum((probs > probs[:, None]) | first, axis=1, dtype=jnp.int32)

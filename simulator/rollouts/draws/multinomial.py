"""How many rollouts of a group land in each cell: exact multinomial counts.

Two ways to the same distribution. Few rollouts are drawn one by one. Many are counted,
from cell to cell (`binomial_chain`), the likeliest first, until so few are
left that they are drawn one by one.

Rare cells are as likely as they should be wherever they stand in the table, in float32
too: one by one they are drawn by whole numbers of 64 bits, of which a cell of
probability p has `p 2^64`. Counting takes words of 32 bits. Below 1e-19 a cell is as
good as never drawn.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, UInt32

from simulator.rollouts.draws import threefry
from simulator.rollouts.draws.binomial_chain import descent

FEW = 128  # up to here one by one is faster
LAST = 16  # and so it is for these, after the others were counted
LARGEST_GROUP = 100_000  # a table of logarithms of factorials is kept

Words = tuple[UInt32[Array, " C"], UInt32[Array, " C"]]  # the high and the low one


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
    high, low = (x[None] for x in _upper_ends(probs))
    index = jnp.arange(number, dtype=jnp.uint32)
    first, second = (x[:, None] for x in threefry.hashed(threefry.words(key), index))
    # Even, and so below the upper end of the last cell, which is odd.
    second = second & jnp.uint32(2**32 - 2)
    below = (first < high) | ((first == high) & (second < low))
    below = jnp.sum(below, axis=0, dtype=jnp.int32)
    return jnp.diff(below, prepend=0).astype(probs.dtype)


def _upper_ends(probs: Float[Array, " C"]) -> Words:
    """Where each cell ends among the whole numbers from 0 to `2^64 - 1`, in two words.

    Sums of whole numbers have no rounding. The likeliest cell takes what the others
    leave, and with it the rounding of the probabilities.
    """
    scaled = probs * 2.0**32
    low = (scaled - jnp.floor(scaled)) * 2.0**32
    likeliest = jnp.argmax(probs)
    others = jnp.arange(len(probs)) != likeliest
    words = [jnp.where(others, x, 0.0).astype(jnp.uint32) for x in (scaled, low)]
    ends = jax.lax.associative_scan(_sum, tuple(words))
    left = [jnp.where(jnp.arange(len(probs)) < likeliest, 0, ~x[-1]) for x in ends]
    return _sum(ends, (left[0], left[1]))


def _sum(a: Words, b: Words) -> Words:
    low = a[1] + b[1]
    return a[0] + b[0] + (low < a[1]).astype(jnp.uint32), low


def by_counts(
    key: Key[Array, ""], probs: Float[Array, " C"], number: int
) -> Float[Array, " C"]:
    """`multinomial`, at a cost that does not grow with `number`."""
    dtype, index = probs.dtype, jnp.arange(len(probs), dtype=jnp.int32)
    rank = _ranks(probs)
    chosen = rank[:, None] == index[None]
    probs = jnp.sum(jnp.where(chosen, probs[:, None], 0.0), axis=0)
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
    place = jnp.where(jnp.arange(LAST, dtype=left.dtype) < left, place, jnp.inf)
    further = jnp.sum(place[:, None] < here_or_later[None], axis=0, dtype=jnp.int32)
    reached = jnp.where(index > cell, further, reached)
    counts = -jnp.diff(reached, append=0)
    return counts[rank].astype(dtype)


def _ranks(probs: Float[Array, " C"]) -> Int[Array, " C"]:
    """The place of each cell, the likeliest first."""
    index = jnp.arange(len(probs))
    own, others = probs[:, None], probs[None]
    first = (others == own) & (index[None] < index[:, None])
    return jnp.sum((others > own) | first, axis=1, dtype=jnp.int32)

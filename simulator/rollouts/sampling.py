"""How many rollouts of a group land in each cell: exact multinomial counts.

Two ways to the same distribution. Few rollouts are drawn one by one. Many are counted:
the number in the first cell is binomial, given it the number in the second cell is
binomial among what is left, and so on; each binomial is drawn by the ratio of uniforms
(Stadlober, J. Comput. Appl. Math. 31, 1990), so that the cost does not depend on the
size of the group. The constants of its hat dominate every binomial (tested on a grid).

Randomness comes in words of 32 bits when counting and of a float's mantissa when
drawing one by one; a cell less likely than 1e-16 (1e-7 in float32) is as good as never
drawn one by one.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from simulator.rollouts import threefry

FEW = 128  # up to here one by one is faster
LARGEST_GROUP = 100_000  # a table of logarithms of factorials is kept

SLOPE = 2 * math.sqrt(2 / math.e)  # half width of the hat: SLOPE * spread + OFFSET
OFFSET = 3 - 2 * math.sqrt(3 / math.e)


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
    place = total * threefry.uniform(key, number, probs.dtype)
    below = jnp.sum(place < upper[:, None], axis=1, dtype=jnp.int32)
    return jnp.diff(below, prepend=0).astype(probs.dtype)


def by_counts(
    key: Key[Array, ""], probs: Float[Array, " C"], number: int
) -> Float[Array, " C"]:
    """`multinomial`, at a cost that does not grow with `number`."""
    dtype, cells = probs.dtype, len(probs)
    log_factorial = jnp.asarray(_log_factorials(number), dtype)
    # The likeliest cell first: a policy that has settled leaves nothing to be shared.
    index, top = jnp.arange(cells, dtype=jnp.int32), jnp.argmax(probs)
    order = jnp.where(index == 0, top, jnp.where(index == top, 0, index))
    probs = probs[order]
    here_or_later = jnp.cumsum(probs[::-1])[::-1]
    later = jnp.append(here_or_later[1:], 0.0)
    whole = jnp.where(here_or_later > 0, here_or_later, 1.0)
    log_odds = jnp.log(probs / whole) - jnp.log(later / whole)

    def propose(state):
        cell, left, reached, turn = state
        # Of the two, this cell and all later ones, count the rarer.
        odds = log_odds[cell]
        log_ratio = -jnp.abs(odds)
        chance = jax.nn.sigmoid(log_ratio)
        centre, width = hat(left, chance)
        mode = jnp.floor((left + 1) * chance)
        height, side = _two_uniforms(threefry.fold_in(key, turn), dtype)
        found = jnp.floor(centre + width * (side - 0.5) / height)
        possible = (found >= 0) & (found <= left)
        found = jnp.clip(found, 0, left)
        ways = log_ways(left, found) - log_ways(left, mode)
        steps = found - mode
        log_weight = ways + jnp.where(steps == 0, 0.0, steps * log_ratio)
        accept = possible & (jnp.square(height) <= jnp.exp(log_weight))
        taken = jnp.where(odds <= 0, found, left - found)
        taken = jnp.where(accept, taken, 0.0)
        return cell + accept, left - taken, noted(cell, left, reached), turn + 1

    def noted(cell, left, reached):
        """How many were left when each cell was reached; 0 for those that are not."""
        return jnp.where(index == cell, left.astype(jnp.int32), reached)

    def log_ways(number, part):
        """`log(number choose part)` less `log number!`."""
        part, rest = part.astype(jnp.int32), (number - part).astype(jnp.int32)
        return -log_factorial[part] - log_factorial[rest]

    def unfinished(state):
        cell, left, _, _ = state
        return (left > 0) & (cell < cells - 1)

    start = (jnp.int32(0), jnp.asarray(number, dtype), jnp.zeros_like(index), 0)
    cell, left, reached, _ = jax.lax.while_loop(unfinished, propose, start)
    counts = -jnp.diff(noted(cell, left, reached), append=0)
    return counts[order].astype(dtype)


def hat(number, chance):
    """Centre and width of the ratio of uniforms for a binomial, `chance <= 1/2`."""
    mean = number * chance
    return mean + 0.5, SLOPE * jnp.sqrt(mean * (1 - chance) + 0.5) + OFFSET


def _log_factorials(number: int) -> np.ndarray:
    return np.cumsum(np.log(np.maximum(np.arange(number + 1), 1)))


def _two_uniforms(key, dtype):
    """Two numbers in (0, 1), of 32 random bits each."""
    words = threefry.hashed(key, jnp.uint32(0))
    return [(word.astype(dtype) + 0.5) * 2.0**-32 for word in words]

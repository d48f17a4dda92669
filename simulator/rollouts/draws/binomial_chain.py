"""A chain of binomials: how many of a group are left at each cell, for many lanes.

The number in the first cell is binomial, given it the number in the second is binomial
among what is left, and so on. Each binomial is drawn by the ratio of uniforms
(Stadlober, J. Comput. Appl. Math. 31, 1990), so that the cost does not depend on the
size of the group. The constants of its hat dominate every binomial (tested on a grid).

Every lane proposes for the cell at which it is and goes on when it accepts, so that one
loop serves all cells. The lanes are the last axis of all that changes: XLA makes
vectors of such rows, and not of those of `vmap`, whose last axis would be the cells.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from simulator.rollouts.draws import threefry

SLOPE = 2 * math.sqrt(2 / math.e)  # half width of the hat: SLOPE * spread + OFFSET
OFFSET = 3 - 2 * math.sqrt(3 / math.e)


def hat(number: Any, chance: Any) -> tuple[Any, Any]:
    """Centre and width of the ratio of uniforms for a binomial, `chance <= 1/2`."""
    mean = number * chance
    return mean + 0.5, SLOPE * jnp.sqrt(mean * (1 - chance) + 0.5) + OFFSET


@functools.cache
def descent(number: int, last: int) -> Callable:
    """`descend(words, log_odds, chance) -> cell, left, reached`, lanes first.

    - `words`: three of `[N]`, of the keys (`threefry.words`); the numbers from `last`
      on are hashed.
    - `log_odds`: `[N, C]`, of each cell against all later ones. `chance`: `[N, C]`, of
      the rarer of the two.
    - `cell`, `left`: `[N]`, where no more than `last` of `number` are left, or the last
      cell. `reached`: `[N, C]`, how many were left at each cell up to there.

    An axis that `vmap` adds becomes more lanes.
    """

    @jax.custom_batching.custom_vmap
    def descend(words, log_odds, chance):
        return _descend(number, last, words, log_odds, chance)

    @descend.def_vmap
    def more_lanes(size, batched, *lanes):
        def flat(x, has_axis):
            x = x if has_axis else jnp.broadcast_to(x, (size, *x.shape))
            return x.reshape(-1, *x.shape[2:])

        found = descend(*jax.tree.map(flat, lanes, tuple(batched)))
        back = jax.tree.map(lambda x: x.reshape(size, -1, *x.shape[1:]), found)
        return back, jax.tree.map(lambda x: True, back)

    return descend


def _descend(number, last, words, log_odds, chances):
    width, cells = log_odds.shape
    dtype = log_odds.dtype
    log_factorial = jnp.asarray(_log_factorials(number), dtype)
    index = jnp.arange(cells, dtype=jnp.int32)[:, None]

    def propose(state):
        cell, left, reached, turn, *pair = state
        odds, chance = at(log_odds, cell), at(chances, cell)
        whole = left.astype(dtype)
        height, side = [(word.astype(dtype) + 0.5) * 2.0**-32 for word in pair]
        centre, spread = hat(whole, chance)
        mode = jnp.floor((whole + 1) * chance)
        found = jnp.floor(centre + spread * (side - 0.5) / height)
        possible = (found >= 0) & (found <= whole)
        found = jnp.clip(found, 0, whole)
        ways = log_ways(left, found) - log_ways(left, mode)
        steps = found - mode
        log_weight = ways - jnp.where(steps == 0, 0.0, steps * jnp.abs(odds))
        accept = possible & (jnp.square(height) <= jnp.exp(log_weight))
        accept &= unfinished(cell, left)
        # The rarer of the two was counted: this cell, or all later ones.
        found = found.astype(jnp.int32)
        taken = jnp.where(odds <= 0, found, left - found)
        reached = jnp.where(index == cell[None, :], left[None, :], reached)
        left = left - jnp.where(accept, taken, 0)
        return cell + accept.astype(jnp.int32), left, reached, turn + 1, *hashed(turn)

    def at(rows, cell):
        return jnp.take_along_axis(rows, cell[:, None], axis=1)[:, 0]

    def log_ways(number, part):
        """`log(number choose part)` less `log number!`."""
        part = part.astype(jnp.int32)
        return -log_factorial[part] - log_factorial[number - part]

    def unfinished(cell, left):
        return (left > last) & (cell < cells - 1)

    def hashed(turn):
        return threefry.hashed(words, jnp.broadcast_to(turn, (width,)))

    start = (
        jnp.zeros(width, jnp.int32),
        jnp.full(width, number, jnp.int32),
        jnp.zeros((cells, width), jnp.int32),
        jnp.uint32(last + 1),
        *hashed(jnp.uint32(last)),
    )
    cell, left, reached, *_ = jax.lax.while_loop(
        lambda state: jnp.any(unfinished(*state[:2])), propose, start
    )
    return cell, left, jnp.where(index == cell[None, :], left[None, :], reached).T


def _log_factorials(number: int) -> np.ndarray:
    return np.cumsum(np.log(np.maximum(np.arange(number + 1), 1)))

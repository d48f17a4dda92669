"""States as trees of arrays: one of two, and a state as one row of numbers."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

State = Any


def select(condition, new: State, old: State) -> State:
    """`new` where the condition holds, leaf by leaf."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)


def pack(state: State) -> Array:
    """All arrays of a state in one row of numbers of one type."""
    # Whole numbers and flags become floats, and come back as they were.
    with jax.numpy_dtype_promotion("standard"):
        return ravel_pytree(state)[0]


def unpacker(state: State) -> Callable[[Array], State]:
    """The inverse of `pack`, for states of the structure of this one."""
    with jax.numpy_dtype_promotion("standard"):
        return ravel_pytree(state)[1]


def only_if(wanted: Array, function: Callable, given: State, otherwise: State) -> State:
    """`function(given)` if it is wanted, else `otherwise`; both are trees of arrays.

    A loop of one round or none: lanes at once skip what none of them wants, where
    `cond` computes both. XLA would move what does not change in a loop out of it;
    `given` does change, to 0.
    """

    def once(carry):
        _, given, _ = carry
        found = function(given)
        return jnp.asarray(False), jax.tree.map(jnp.zeros_like, given), found

    begin = wanted, given, otherwise
    return jax.lax.while_loop(lambda carry: carry[0], once, begin)[2]

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

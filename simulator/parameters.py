"""Numbers that signals, updates and recipes are made with."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def as_number(value) -> Array:
    """A float array that stays known inside jit, so that engines can look at it."""
    with jax.ensure_compile_time_eval():
        return jnp.asarray(value, dtype=float)


def check_share(name: str, value: Array) -> None:
    """Raise `ValueError` if a known number does not lie between 0 and 1."""
    if isinstance(value, jax.core.Tracer):
        return
    given = np.asarray(value)
    if not given.size or not ((given >= 0) & (given <= 1)).all():
        raise ValueError(f"`{name}` must lie between 0 and 1; got {given}.")

"""What signals, updates and recipes are made with, and what is said of the rest."""

import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def as_number(value) -> Array:
    """A float array that stays known inside jit, so that engines can look at it.

    Raises `ValueError` for what is no real number, nor numbers in rows of equal length.
    """
    try:
        if any(map(np.iscomplexobj, jax.tree.leaves(value))):
            raise TypeError
        with jax.ensure_compile_time_eval():
            return jnp.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(
            f"{shown(value)} is given where a number belongs; give a real number, or "
            "numbers in rows of equal length."
        ) from None


def check_share(name: str, value: Array) -> None:
    """Raise `ValueError` if a known number does not lie between 0 and 1."""
    if isinstance(value, jax.core.Tracer):
        return
    given = np.asarray(value)
    if not given.size or not ((given >= 0) & (given <= 1)).all():
        raise ValueError(f"`{name}` must lie between 0 and 1; got {given}.")


def check_real(
    name: str,
    value: Any,
    allowed: Literal["finite", "0 or positive", "positive"] = "finite",
) -> None:
    """Raise `ValueError` unless this is one finite number, of the sign allowed."""
    real = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if real and math.isfinite(value):
        fits = {"finite": True, "0 or positive": value >= 0, "positive": value > 0}
        if fits[allowed]:
            return
    finite = "" if allowed == "finite" else ", and finite"
    raise ValueError(f"`{name}` is {shown(value)}; it must be {allowed}{finite}.")


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Raise `ValueError` unless this is a whole number in that range."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not (low <= value <= high):
        raise ValueError(
            f"`{name}` is {shown(value)}; it must be a whole number from {low} to "
            f"{high:,}."
        )


def check_kind(name: str, value: Any, kind: type, example: str) -> None:
    """Raise `ValueError` unless this is an object of that kind."""
    if not isinstance(value, kind):
        raise ValueError(f"`{name}` is {shown(value)}; give one like {example}.")


def check_optimizer(optimizer: Any) -> None:
    """Raise `ValueError` unless this is an Optax optimizer that can take a step."""
    if isinstance(optimizer, type) or not all(
        callable(getattr(optimizer, name, None)) for name in ("init", "update")
    ):
        raise ValueError(
            f"`optimizer` is {shown(optimizer)}; give one of Optax, for example "
            "optax.sgd(0.1) (in a recipe also Optimizer('adam'))."
        )
    try:
        jax.eval_shape(
            lambda x: optimizer.update(x, optimizer.init(x), x), jnp.zeros(3)
        )
    except Exception as error:  # whatever Optax and JAX raise for odd options
        reason = str(error).split("\n")[0]
        raise ValueError(
            f"the optimizer cannot take a step ({reason}); check its options, or take "
            "another one."
        ) from None


def shown(value: Any) -> str:
    """A value as it is named in a message."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, int | float | str | np.number) or value is None:
        return repr(value) if isinstance(value, str) else str(value)
    return type(value).__name__

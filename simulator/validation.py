"""Converters and checks of what signals, updates, events and recipes are made with."""

import functools
import numbers
import sys
import typing
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

# What public functions take where they need numbers.
Numbers = Array | np.ndarray | float | Sequence[Any]

if TYPE_CHECKING:
    Kept = TypeVar("Kept")

    class Given(Generic[Kept]):
        """For type checkers: give a number or a list, and read an array."""

        def __get__(self, instance: Any, owner: Any) -> Kept: ...

        def __set__(self, instance: Any, value: Numbers) -> None: ...

    Result = Array
else:
    # Results of batches are NumPy's arrays, others JAX's.
    Result = Array | np.ndarray

    class Given:
        """`Given[Array]` is the type of a field that is converted to an array.

        At runtime it is `Array`.

        >>> Given[int]
        <class 'int'>
        """

        def __class_getitem__(cls, kept):
            return kept


LONGEST = 60  # letters of a value in a message


def is_traced(value: Any) -> bool:
    """Whether a number, or one in rows, is not known yet: under a transformation."""
    if isinstance(value, list | tuple):
        return any(map(is_traced, value))
    return isinstance(value, jax.core.Tracer)


def given_array(name: str, value: Any) -> Array | np.ndarray:
    """Real numbers as an array, of the kind and precision in which they are given.

    Raises `ValueError` for anything else, such as rows of unequal length, text, truth
    values, complex numbers or masked arrays.
    """
    array: Any = None
    try:
        array = jnp.asarray(value) if is_traced(value) else np.asarray(value)
        if array.dtype == object and all(map(_is_real, array.flat)):
            array = array.astype(float)  # of fractions, or of very large whole numbers
    except (TypeError, ValueError, OverflowError):
        pass
    kinds = (jnp.integer, jnp.floating)
    real = array is not None and any(jnp.issubdtype(array.dtype, k) for k in kinds)
    if not real or np.ma.is_masked(value):
        raise ValueError(
            f"`{name}` is {shown(value)}; give real numbers, in rows of equal length."
        )
    return array


def _is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def floats(given: Array | np.ndarray) -> Array:
    """A float array that stays known inside jit, so that engines can look at it."""
    with jax.ensure_compile_time_eval():
        return jnp.asarray(given, dtype=float)


def real_array(name: str, value: Any) -> Array:
    """`floats` of what is given, none of which may be too small or too large for them.

    Raises `ValueError` for that, and like `given_array`.
    """
    given = given_array(name, value)
    if not is_traced(given):
        _check_kept(name, np.asarray(given, dtype=float))
    return floats(given)


def _check_kept(name: str, given: np.ndarray) -> None:
    """Raise `ValueError` if a number would become 0 or infinite, as in float32.

    Smaller numbers than the least normal one count as 0 in compiled programs.
    """
    limits, size = jnp.finfo(jax.dtypes.canonicalize_dtype(float)), np.abs(given)
    for lost, number, advice in (
        ((size > 0) & (size < limits.tiny), "0", f"at least {limits.tiny:.3g}, or 0"),
        (np.isfinite(size) & (size > limits.max), "inf", f"at most {limits.max:.2g}"),
    ):
        if lost.any():
            raise ValueError(
                f"`{name}` is {given[lost].flat[0]:g}, which is {number} in "
                f"{limits.dtype}; give {advice}."
            )


def real(name: str) -> Callable[[Any], Array]:
    """The converter of a field of this name to `real_array`."""
    return functools.partial(real_array, name)


def plain(value: Any) -> Any:
    """Python's own number for one of another kind, and anything else as it is.

    For numbers that programs are compiled for: `np.int8(100)` is equal to 100, but its
    square is 16.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return bool(value) if isinstance(value, np.bool) else value
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value)


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
    allowed: Literal[
        "finite", "0 or positive", "positive", "positive, or inf"
    ] = "finite",
) -> None:
    """Raise `ValueError` unless this is one number, of the sign and size allowed."""
    if not _is_real(value):
        raise ValueError(f"`{name}` is {shown(value)}; give one real number.")
    fits = {
        "finite": True,
        "0 or positive": value >= 0,
        "positive": value > 0,
        "positive, or inf": value > 0,
    }
    infinite = value == np.inf and allowed == "positive, or inf"
    if infinite or (abs(value) <= sys.float_info.max and fits[allowed]):
        return
    finite = ", and finite" if allowed in ("0 or positive", "positive") else ""
    raise ValueError(f"`{name}` is {shown(value)}; it must be {allowed}{finite}.")


def check_whole(name: str, value: Any, low: int, high: int) -> int:
    """The same as Python's own number; see `plain`.

    Raises `ValueError` unless it is a whole number in that range.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not (low <= value <= high):
        raise ValueError(
            f"`{name}` is {shown(value)}; it must be a whole number from {low} to "
            f"{high:,}."
        )
    return int(value)


def check_known(name: str, value: Any) -> None:
    """Raise `ValueError` for a value that is known only when a program runs."""
    if is_traced(value):
        raise ValueError(
            f"`{name}` is {shown(value)}; call this outside of jit, grad and vmap."
        )


def check_bool(name: str, value: Any) -> None:
    """Raise `ValueError` unless this is True or False."""
    if not isinstance(value, bool | np.bool):
        raise ValueError(f"`{name}` is {shown(value)}; give True or False.")


def check_kind(name: str, value: Any, kind: Any, example: str) -> None:
    """Raise `ValueError` unless this is an object of that kind."""
    if isinstance(value, kind):
        return
    # Of `X | None` the class X.
    wanted = _package(next(iter(typing.get_args(kind)), kind))
    given_class = value if isinstance(value, type) else type(value)
    given = _package(given_class)
    if not given or not wanted or given == wanted:
        raise ValueError(f"`{name}` is {shown(value)}; give one like {example}.")
    # Both packages may have a class of this name.
    article = "the class " if given_class is value else ""
    raise ValueError(
        f"`{name}` is {article}{given}.{given_class.__name__}; give one of {wanted}, "
        f"like {example}."
    )


def _package(kind: Any) -> str | None:
    """The package of this project from which a class is imported; None for others."""
    parts = kind.__module__.split(".")
    own, *_ = __name__.split(".")
    if parts[0] != own:
        return None
    return f"{own}.rollouts" if parts[1:2] == ["rollouts"] else own


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
        if "required keyword-only argument" in reason:  # as Python says it
            raise ValueError(
                "the optimizer cannot take a step from the gradient alone: it also "
                "needs the value of the loss (for a line search, say), which training "
                "does not give it; take one that needs the gradient only, for example "
                "sgd, adam or lion."
            ) from None
        raise ValueError(
            f"the optimizer cannot take a step ({reason}); check its options, or take "
            "another one."
        ) from None


def shown(value: Any) -> str:
    """A value as it is named in a message."""
    if isinstance(value, jax.core.Tracer):
        return f"a traced value of shape {value.shape}"
    if isinstance(value, np.ndarray | jax.Array):
        return f"an array of shape {value.shape}"
    if isinstance(value, range):
        return str(value)
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, int | float | complex | str | np.number) or value is None:
        text = repr(value) if isinstance(value, str) else str(value)
        return text if len(text) <= LONGEST else text[:LONGEST] + "..."
    return type(value).__name__


def check_finite(name: str, values: Array) -> None:
    """Raise `ValueError` for a (concrete) number that is not finite."""
    if isinstance(values, jax.core.Tracer):
        return
    if not np.isfinite(np.asarray(values)).all():
        raise ValueError(f"`{name}` contains NaN or an infinity; give finite numbers.")


def check_length(name: str, given: Array, problem: Any) -> None:
    """Raise `ValueError` unless there is one number per pattern."""
    if given.shape[-1:] != (problem.num_patterns,):
        raise ValueError(
            f"`{name}` has {given.shape[-1] if given.ndim else 0} numbers for "
            f"{problem.num_patterns} patterns; give one per pattern."
        )


def as_pattern(value: Any) -> Array:
    """The number of a pattern, a whole one (which one is checked with the problem)."""
    return whole_numbers("pattern", value)


def whole_numbers(name: str, value: Any) -> Array:
    """Whole numbers as an array of integers. Raises `ValueError` for others."""
    given = given_array(name, value)
    if is_traced(given):
        if not jnp.issubdtype(given.dtype, jnp.integer):
            raise ValueError(f"`{name}` is a traced float; give a whole number.")
        return jnp.asarray(given)
    wrong = np.asarray(given)[~(np.asarray(given) % 1 == 0)]
    if wrong.size:
        raise ValueError(f"`{name}` is {wrong.flat[0]:g}; give a whole number.")
    with jax.ensure_compile_time_eval():
        return jnp.asarray(given, dtype=int)


def check_level(event: Any, most: int | float) -> None:
    """A level from 0 (which a share that only falls never reaches) to `most`."""
    if isinstance(event.level, jax.core.Tracer):
        return
    levels = np.asarray(event.level)
    wrong = levels[~((levels >= 0) & (levels <= most))]
    if wrong.size:
        raise ValueError(
            f"the level of {type(event).__name__} is {wrong.flat[0]:g}; give a number "
            f"from 0{'' if most == np.inf else f' to {most:g}'}."
        )

"""A bracketed root of a scalar function, to the last digits."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar = Float[Array, ""]


class _Bracket(NamedTuple):
    """The root lies between `a`, the newest point, and `b`; `c` was dropped last.

    `fraction`: where to look next, from a to b. `answer`: the best guess so far.
    """

    a: Scalar
    b: Scalar
    c: Scalar
    f_a: Scalar
    f_b: Scalar
    f_c: Scalar
    fraction: Scalar
    answer: Scalar
    done: Array
    count: Array


def find_root(
    function: Callable[[Scalar], Scalar],
    low: Scalar,
    high: Scalar,
    f_low: Scalar,
    f_high: Scalar,
    max_iterations=80,
) -> Scalar:
    """Where `function` changes sign between `low` and `high`, given its values there.

    Chandrupatla, Adv. Eng. Software 28 (1997) 145: inverse quadratic interpolation
    where three points promise that it is safe, bisection elsewhere; a secant to begin
    with. Stops when the bracket is a few floats wide, or where interpolation moves by
    less than eps^(2/3) (relative): what it then leaves is smaller by its order, 1.8. If
    there is no change of sign, the answer is an end.
    """
    eps = jnp.finfo(low.dtype).eps

    def body(s: _Bracket) -> _Bracket:
        x = s.a + s.fraction * (s.b - s.a)
        f = function(x)
        same = (f >= 0) == (s.f_a >= 0)
        c, f_c = jnp.where(same, s.a, s.b), jnp.where(same, s.f_a, s.f_b)
        b, f_b = jnp.where(same, s.b, s.a), jnp.where(same, s.f_b, s.f_a)
        a, f_a = x, f
        size = jnp.maximum(jnp.abs(a), jnp.abs(b))
        narrow, width = 2 * eps * size, jnp.abs(b - a)
        limit = narrow / jnp.maximum(width, narrow)
        xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
        safe = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
        interpolated = f_a / (f_b - f_a) * f_c / (f_b - f_c)
        interpolated += (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
        usable = safe & jnp.isfinite(interpolated)
        close = usable & (jnp.abs(interpolated) * width <= eps ** (2 / 3) * size)
        done = (limit >= 0.5) | (f == 0) | close
        fraction = jnp.where(usable, interpolated, 0.5)
        fraction = jnp.where(close, fraction, jnp.clip(fraction, limit, 1 - limit))
        nearest = jnp.where(jnp.abs(f_a) <= jnp.abs(f_b), a, b)
        answer = jnp.where(close & (f != 0), a + fraction * (b - a), nearest)
        return _Bracket(a, b, c, f_a, f_b, f_c, fraction, answer, done, s.count + 1)

    same = (f_low >= 0) == (f_high >= 0)
    secant = jnp.clip(f_high / jnp.where(same, 1, f_high - f_low), 0.1, 0.9)
    nearest = jnp.where(jnp.abs(f_low) < jnp.abs(f_high), low, high)
    begin = _Bracket(
        high, low, low, f_high, f_low, f_low, secant, nearest, same, jnp.asarray(0)
    )
    return jax.lax.while_loop(
        lambda s: ~s.done & (s.count < max_iterations), body, begin
    ).answer

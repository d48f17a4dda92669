"""A bracketed root of a scalar function, to the last digits, and a place above 0."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar = Float[Array, ""]


class _Bracket(NamedTuple):
    """The root lies between `a`, the newest point, and `b`; `c` was dropped last."""

    a: Scalar
    b: Scalar
    c: Scalar
    f_a: Scalar
    f_b: Scalar
    f_c: Scalar
    fraction: Scalar
    done: Array
    rounds: Array


def find_root(
    function: Callable[[Scalar], Scalar],
    low: Scalar,
    high: Scalar,
    f_low: Scalar,
    f_high: Scalar,
    max_iterations: int = 80,
) -> Scalar:
    """Where `function` changes sign between `low` and `high`, given its values there.

    Chandrupatla, Adv. Eng. Software 28 (1997) 145: inverse quadratic interpolation
    where three points promise that it is safe, bisection elsewhere. Stops when the
    bracket is a few floats wide, or when values that are nothing but rounding (4 eps of
    those at the ends) get no smaller. A value at an end may be of the right sign only,
    however small. If there is no change of sign, the answer is the
    end with the smaller value.
    """
    eps = jnp.finfo(low.dtype).eps

    def body(s: _Bracket) -> _Bracket:
        x = s.a + s.fraction * (s.b - s.a)
        f = function(x)
        same = (f >= 0) == (s.f_a >= 0)
        c, f_c = jnp.where(same, s.a, s.b), jnp.where(same, s.f_a, s.f_b)
        b, f_b = jnp.where(same, s.b, s.a), jnp.where(same, s.f_b, s.f_a)
        a, f_a = x, f
        narrow = 2 * eps * jnp.maximum(jnp.abs(a), jnp.abs(b))
        limit = narrow / jnp.maximum(jnp.abs(b - a), narrow)
        # Where f is nothing but rounding, bisection would take many steps to nowhere.
        best = jnp.minimum(jnp.abs(s.f_a), jnp.abs(s.f_b))
        stalled = (jnp.abs(f) >= best) & (jnp.abs(f) <= rounding)
        done = ~(limit < 0.5) | (f == 0) | stalled  # a bracket of no width, too
        xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
        safe = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
        interpolated = f_a / (f_b - f_a) * f_c / (f_b - f_c)
        interpolated += (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
        usable = safe & jnp.isfinite(interpolated)
        fraction = jnp.where(usable, interpolated, 0.5)
        fraction = jnp.clip(fraction, limit, 1 - limit)
        return _Bracket(a, b, c, f_a, f_b, f_c, fraction, done, s.rounds + 1)

    scale = jnp.maximum(jnp.abs(f_low), jnp.abs(f_high))
    rounding = jnp.where(jnp.isfinite(scale), 4 * eps * scale, 0.0)
    same = (f_low >= 0) == (f_high >= 0)
    begin = _Bracket(
        high, low, low, f_high, f_low, f_low, high * 0 + 0.5, same, jnp.asarray(0)
    )
    end = jax.lax.while_loop(
        lambda s: ~s.done & (s.rounds < max_iterations), body, begin
    )
    return jnp.where(jnp.abs(end.f_a) <= jnp.abs(end.f_b), end.a, end.b)


GOLDEN = 0.5 * (3 - 5**0.5)


def seek_positive(
    function: Callable[[Scalar], Scalar],
    low: Scalar,
    middle: Scalar,
    high: Scalar,
    wanted: Array,
    max_iterations: int = 20,
) -> tuple[Scalar, Scalar]:
    """A place between low and high where `function` is large, and its value there.

    From the middle towards the maximum by golden sections, which stop where the value
    is positive. Unless it is `wanted` nothing is computed: `middle`, and -inf.
    """

    def go_on(carry):
        low, x, high, most, count = carry
        away = jnp.where(high - x > x - low, GOLDEN * (high - x), GOLDEN * (low - x))
        new = x + jnp.where(count == 0, 0.0, away)
        found = function(new)
        better = (found > most) | (count == 0)
        worse, best = jnp.where(better, x, new), jnp.where(better, new, x)
        low = jnp.where(worse < best, worse, low)
        high = jnp.where(worse > best, worse, high)
        return low, best, high, jnp.where(better, found, most), count + 1

    nothing = jnp.full_like(middle, -jnp.inf)
    begin = (low, middle, high, nothing, jnp.asarray(0))
    end = jax.lax.while_loop(
        lambda carry: wanted & (carry[3] <= 0) & (carry[4] < max_iterations),
        go_on,
        begin,
    )
    return end[1], end[3]

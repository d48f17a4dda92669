r"""States on a stretch of one piece of an orbit, in plain numbers of order 1.

Over a stretch of a few units of v each u_k changes by a moderate factor, whatever its
size. So sizes are taken out once, `u_k = exp(scale_k) m_k`, and what has to be done at
each of many places costs one division per pattern and one logarithm for eight of them.
With `p = p_0 q`, and left and right the shares 1 - x and x in units of their largest
values on the stretch,

    m_k = smallest_k q + from_left_k left + from_right_k right,

and `log q` is the root of `constant + log q + sum_{k != i} log m_k = 0`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simulator.engines.exact.orbit import Orbit, Piece
from simulator.numerics.logspace import log_product, total

Scalar = Float[Array, ""]
Values = Float[Array, " K"]
Places = Float[Array, " N"]
Table = Float[Array, "K N"]

_TINY = 1e-20


class Panel(NamedTuple):
    """The stretch of a piece that starts at some v, where p = p_0.

    Or N of them, all fields with an axis more: each place has a panel of its own.

    Leader and patterns outside the support have m = `idle` = 1 and scale 0. `slope`:
    `dm/dv` in units of `dx/dv`. `v`: at the end; `rest`: reach - v at the start.
    `log_left`, `log_right`: log of the units of left and right.
    """

    bounded: Array
    size: Scalar
    scale: Values
    smallest: Values
    from_left: Values
    from_right: Values
    idle: Values
    slope: Values
    log_p: Scalar
    constant: Scalar
    v: Scalar
    rest: Scalar
    log_left: Scalar
    log_right: Scalar
    log_length: Scalar


class Root(NamedTuple):
    """States at N places of a panel.

    - `log_q`, `drift`: the root and its slope in v.
    - `m`, `right`: see the module's docstring. `share`: `sum_k p / u_k = p Z`.
    - `speed`: `dx/dv` in units of the product of those of left and right.
    - `last_step`: the last step of the cubic iteration.
    """

    log_q: Places
    drift: Places
    m: Table
    share: Places
    right: Places
    speed: Places
    last_step: Places


def panel(orbit: Orbit, piece: Piece, v: Scalar, size: Scalar, log_p: Scalar) -> Panel:
    """The panel from v, where `log p` is known, over `size`; within one piece."""
    # The floor lets a stretch of no extent be asked for.
    end, rest = jnp.maximum(v + size, _TINY), jnp.maximum(piece.reach - v, _TINY)
    log_right = piece.log_tilt + end + jnp.log(-jnp.expm1(-2 * end))
    log_left = rest + jnp.log(-jnp.expm1(-2 * rest))
    top = jnp.maximum(log_left, log_right)
    log_right = jnp.where(piece.bounded, log_right - top, log_right - jnp.log(2.0))
    log_left = jnp.where(piece.bounded, log_left - top, 0.0)
    counts = orbit.inside & (jnp.arange(orbit.rewards.shape[0]) != piece.leader)
    log_a, log_b = piece.log_a + log_left, piece.log_b + log_right
    scale = jnp.maximum(jnp.maximum(log_a, log_b), log_p)
    scale = jnp.where(counts, scale, 0.0)

    def part(log_size):
        return jnp.exp(jnp.where(counts, log_size - scale, -jnp.inf))

    from_left, from_right = part(log_a), part(log_b)
    lost = jnp.where(piece.bounded, jnp.exp(log_right) * from_left, 0.0)
    return Panel(
        bounded=piece.bounded,
        size=size,
        scale=scale,
        smallest=part(log_p),
        from_left=from_left,
        from_right=from_right,
        idle=jnp.where(counts, 0.0, 1.0),
        slope=jnp.exp(log_left) * from_right - lost,
        log_p=log_p,
        constant=log_p + jnp.sum(scale),
        v=end,
        rest=rest,
        log_left=log_left,
        log_right=log_right,
        log_length=piece.log_length,
    )


def _shares(panel: Panel, offset: Places) -> tuple[Places, Places, Places]:
    """`left`, `right`, and `dx/dv` in units of the product of theirs."""
    fall = jnp.exp(-offset)
    rise = jnp.exp(-panel.size) / fall
    sinh, cosh = _hyperbolic(rise, panel.v, panel.v - panel.size + offset)
    sinh_left, cosh_left = _hyperbolic(fall, panel.rest, panel.rest - offset)
    sum_ = jnp.exp(panel.log_right) * sinh + jnp.exp(panel.log_left) * sinh_left
    # Divisions come last: XLA computes anew, for each use, whatever follows them.
    unit = jnp.where(panel.bounded, sum_, 1.0)
    left = jnp.where(panel.bounded, sinh_left, 1.0) / unit
    right = sinh / unit
    speed = jnp.where(panel.bounded, left * cosh + right * cosh_left, cosh) / unit
    return left, right, speed


def _hyperbolic(
    exponential: Places, y_0: Scalar | Places, y: Places
) -> tuple[Places, Places]:
    """`sinh y / sinh y_0`, `cosh y / sinh y_0`, where `exp(y - y_0)` is given."""
    inverse, norm = jnp.exp(-2 * y_0) / exponential, -1 / jnp.expm1(-2 * y_0)
    sinh = jnp.maximum(exponential - inverse, 0.0) * norm
    # On a piece much shorter than its layers the difference has few digits.
    short = jnp.maximum(y / y_0, 0.0) * (1 + (y**2 - y_0**2) / 6)
    sinh = jnp.where(y_0 < jnp.finfo(y.dtype).eps ** 0.25, short, sinh)
    return sinh, (exponential + inverse) * norm


def drift_at_start(panel: Panel) -> Scalar:
    """The slope of `log q` in v where the panel begins."""
    left, right, speed = _shares(panel, jnp.zeros((1,), panel.size.dtype))
    m = _column(panel.smallest) + _parted(panel, left, right)
    share = 1 + total(_column(panel.smallest) / m)
    return _drift(panel, m, share, speed)[0]


def _column(values: Array) -> Array:
    """Numbers of the patterns `[K]`, to go with tables `[K, N]`."""
    return values[:, None] if values.ndim == 1 else values


def _parted(panel: Panel, left: Places, right: Places) -> Table:
    """The part of m that p has no share in."""
    a = _column(panel.from_left) * left[None, :]
    return a + _column(panel.from_right) * right[None, :] + _column(panel.idle)


def _drift(panel: Panel, m: Table, share: Places, speed: Places) -> Places:
    return -speed * total(_column(panel.slope) / m) / share


def solve(panel: Panel, offset: Places, guess: Places, iterations: int) -> Root:
    """The states at `v + offset`, by Halley's iteration on `log q`."""
    left, right, speed = _shares(panel, offset)
    a = _parted(panel, left, right)

    def halley(_, carry):
        log_q, _, _ = carry
        p = _column(panel.smallest) * jnp.exp(log_q)[None, :]
        m = p + a
        ratio = p / m
        share = 1 + total(ratio)
        curvature = total(ratio * (1 - ratio))
        newton = (panel.constant + log_q + log_product(m)) / share
        # Convex and increasing: far on the right Newton's step is the safe one.
        bend = jnp.where(newton > 0.8, 0.0, 0.5 * newton * curvature / share)
        step = newton / (1 - bend)
        return log_q - step, share - curvature * step, step

    log_q, share, step = jax.lax.fori_loop(0, iterations, halley, (guess, guess, guess))
    m = _column(panel.smallest) * jnp.exp(log_q)[None, :] + a
    return Root(
        log_q=log_q,
        drift=_drift(panel, m, share, speed),
        m=m,
        share=share,
        right=right,
        speed=speed,
        last_step=jnp.abs(step),
    )


def log_unit_of_speed(panel: Panel) -> Scalar | Places:
    """Log of the unit in which `root.speed` is `dtau/dv`."""
    log_units = panel.log_length + jnp.where(panel.bounded, panel.log_left, 0.0)
    return log_units + panel.log_right


def log_u(panel: Panel, piece: Piece, root: Root) -> Table:
    """`log u_k`; 0 outside the support."""
    leads = jnp.arange(panel.scale.shape[0])[:, None] == piece.leader
    log_leader = (panel.log_p + root.log_q)[None, :]
    return jnp.where(leads, log_leader, _column(panel.scale) + jnp.log(root.m))

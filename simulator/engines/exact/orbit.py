r"""The policy-gradient flow with fixed rewards, in closed form up to one scalar root.

With `u_k = exp(-theta_k)` in the gauge `sum_k theta_k = 0`, and the intrinsic time tau
of `dt = Z dtau`, `Z = sum_k 1/u_k`, all differences of u are linear in tau:

    u_k - u_j = (c_k - c_j) - (rho_k - rho_j) tau,      c_k = u_k(0),

and `prod_k u_k = 1` supplies the common shift. (Proof: `theory/intrinsic_time.py`.)
So with i the most likely pattern, `a_k = u_k - u_i >= 0` is known, and `p = u_i` is the
root of `sum_k log(p + a_k) = 0`. Here are the pieces of the path; `panel` computes
states on a stretch of one, `orbit_path` walks along.

Pieces. Between two hand-overs i is fixed and a_k is linear, from A_k at the left end to
B_k at the right end: `a_k = (1 - x) A_k + x B_k`. No cancellation, if x and 1 - x are
both known to full relative accuracy. After the last hand-over a_k grows for ever.

Places. A hand-over is a layer of a width w that may be 1e-300 of the piece. So a place
is named by v, in which everything is smooth on the scale 1: on a piece of length l,

    x / (1 - x) = tilt sinh(v) / sinh(reach - v),       0 <= v <= reach,

with tilt and reach such that `l x ~ w sinh(v)` at the left end and likewise at the
right one; and `tau = w sinh(v)` on the last piece. All sizes are logarithms.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from simulator.numerics.logspace import log_expm1, total

Scalar = Float[Array, ""]
Values = Float[Array, " K"]

_TINY = 1e-30
_ROUGH_NEWTON = 3


class Piece(NamedTuple):
    """The path between two hand-overs.

    - `leader`: the most likely pattern i. `heir`: the next one.
    - `log_a`, `log_b`: log of `a_k` at the left and at the right end; on the last piece
      (`bounded` false) `log_b` is the growth of a_k per unit of tau.
    - `log_length`: log of its extent in tau (0 on the last piece).
    - `log_tilt`, `reach`: see the module's docstring (on the last piece log w, inf).
    """

    leader: Int[Array, ""]
    heir: Int[Array, ""]
    log_a: Values
    log_b: Values
    bounded: Bool[Array, ""]
    log_length: Scalar
    log_tilt: Scalar
    reach: Scalar


class Orbit(eqx.Module):
    """The path of one problem: `rewards` and `log_policy` `[K]`."""

    rewards: Values
    log_policy: Values

    @property
    def inside(self) -> Bool[Array, " K"]:
        """The support."""
        return self.log_policy > -jnp.inf

    def log_start(self) -> Values:
        """`log c_k`; 0 outside the support.

        An error of their mean would count K times in `log p`.
        """
        inside, log_pi = self.inside, self.log_policy
        behind = jnp.where(inside, jnp.max(log_pi) - log_pi, 0.0)
        number = jnp.sum(inside, dtype=behind.dtype)
        return jnp.where(inside, behind - total(behind) / number, 0.0)

    def first_piece(self) -> tuple[Piece, Scalar]:
        """The piece that starts at the base policy, and `log p` there."""
        leader, log_a, log_p = self.base()
        return self.piece(leader, log_a, log_p), log_p

    def base(self) -> tuple[Int[Array, ""], Values, Scalar]:
        """The leader of the base policy, and `log a_k` and `log p` there."""
        log_pi = self.log_policy
        likeliest = log_pi == jnp.max(log_pi)
        leader = jnp.argmax(jnp.where(likeliest, self.rewards, -jnp.inf))
        log_p = self.log_start()[leader]
        # c_k - c_i = c_i (pi_i / pi_k - 1)
        behind = jnp.where(self.inside, log_pi[leader] - log_pi, 0.0)
        return leader, log_p + log_expm1(behind), log_p

    def piece(self, leader, log_a: Values, log_p: Scalar) -> Piece:
        """The piece that starts with `leader` ahead, at `log_a` and `log_p`."""
        rise = jnp.where(self.inside, self.rewards - self.rewards[leader], 0.0)
        log_rise = jnp.log(jnp.abs(rise))
        better = rise > 0
        # tau at which pattern k catches up; the largest reward takes over in a tie.
        log_meeting = jnp.where(better, log_a - log_rise, jnp.inf)
        log_length = jnp.min(log_meeting)
        bounded = jnp.any(better)
        shift = log_rise + jnp.where(bounded, log_length, 0.0)
        # Rounding must not make a pattern level that is not.
        short = jnp.where(better, jnp.minimum(shift - log_a, -_TINY), -1.0)
        # log(a_k - or + |rise_k| length), whichever it is, in one logarithm.
        top = jnp.maximum(log_a, shift)
        added = jnp.exp(jnp.minimum(log_a, shift) - jnp.where(top > -jnp.inf, top, 0.0))
        turned = jnp.where(better, log_a, top)
        amount = jnp.where(better, -jnp.expm1(short), 1 + added)
        log_b = turned + jnp.log(amount)
        level = better & (log_meeting == log_length)
        log_b = jnp.where(level, -jnp.inf, log_b)
        heir = jnp.argmax(jnp.where(level, self.rewards, -jnp.inf))
        log_b = jnp.where(bounded, log_b, log_rise)
        log_left = self._log_width(log_rise, log_a, log_p)
        log_right = self._log_width(log_rise, log_b, self.rough_root(log_b))
        log_length = jnp.where(bounded, log_length, 0.0)
        log_left, log_right = log_left - log_length, log_right - log_length
        reach = asinh_exp(-0.5 * (log_left + log_right))
        return Piece(
            leader=leader,
            heir=jnp.where(bounded, heir, leader),
            log_a=log_a,
            log_b=log_b,
            bounded=bounded,
            log_length=log_length,
            log_tilt=jnp.where(bounded, 0.5 * (log_left - log_right), log_left),
            reach=jnp.where(bounded, reach, jnp.inf),
        )

    def _log_width(self, log_rise: Values, log_a: Values, log_p: Scalar) -> Scalar:
        """Log of the smallest `u_k / |rho_k - rho_i|`, up to a factor of 2."""
        return jnp.min(jnp.maximum(log_a, log_p) - log_rise)

    def rough_root(self, log_a: Values) -> Scalar:
        """`log p`, within about log K: the width of a layer need not be exact.

        The root of `sum_k max(log p, log a_k) = 0`, convex, increasing and made of
        straight lines, by Newton's method from a lower bound: with m levels at 0,
        `m log p + sum_k max(log a_k, 0) >= 0`.
        """
        log_a = jnp.where(self.inside, log_a, jnp.inf)
        zeros = jnp.sum(log_a == -jnp.inf, dtype=log_a.dtype)
        apart = jnp.where(self.inside, log_a, 0.0)
        log_p = -jnp.sum(jnp.maximum(apart, 0.0)) / jnp.maximum(zeros, 1)
        for _ in range(_ROUGH_NEWTON):
            total = jnp.sum(jnp.where(self.inside, jnp.maximum(log_p, log_a), 0.0))
            counts = self.inside & (log_a <= log_p)
            slope = jnp.sum(counts, dtype=log_a.dtype)
            log_p = jnp.minimum(log_p - total / slope, 0.0)
        return log_p


def log_shares(piece: Piece, v: Scalar) -> tuple[Scalar, Scalar]:
    """Log of 1 - x and of x at the place v; on the last piece 0 and `log tau`."""
    log_right = piece.log_tilt + _log_sinh(v)
    # Rounding must not take it beyond the end.
    log_odds = log_right - _log_sinh(jnp.maximum(piece.reach - v, 0.0))
    return (
        jnp.where(piece.bounded, -jax.nn.softplus(log_odds), 0.0),
        jnp.where(piece.bounded, -jax.nn.softplus(-log_odds), log_right),
    )


def _log_sinh(x: Scalar) -> Scalar:
    return x + jnp.log(-jnp.expm1(-2 * x)) - jnp.log(2.0)


def asinh_exp(x: Scalar) -> Scalar:
    """`asinh(exp(x))` without overflow."""
    return jnp.where(
        x > 20, x + jnp.log(2.0), jnp.arcsinh(jnp.exp(jnp.minimum(x, 20.0)))
    )

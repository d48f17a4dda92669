r"""The policy-gradient flow with fixed rewards, in closed form up to one scalar root.

With `u_k = exp(-theta_k)` in the gauge `sum_k theta_k = 0`, and the intrinsic time tau
of `dt = Z dtau`, `Z = sum_k 1/u_k`, all differences of u are linear in tau:

    u_k - u_j = (c_k - c_j) - (rho_k - rho_j) tau,      c_k = u_k(0),

and `prod_k u_k = 1` supplies the common shift. (Proof: `theory/intrinsic_time.py`.)
So with i the most likely pattern, `a_k = u_k - u_i >= 0` is known, and `p = u_i` is the
root of `sum_k log(p + a_k) = 0`. Here are the states; `orbit_path` walks along.

Pieces. Between two hand-overs i is fixed and a_k is linear, from `a` at the left end to
`b` at the right end, `a_k = (1 - x) a_k + x b_k`: no cancellation, if x and 1 - x are
both known to full relative accuracy. After the last hand-over a_k grows for ever.

Places. A hand-over is a layer of a width w that may be 1e-300 of the piece. So a place
is named by `v`, with `tau = w sinh v` from the left end and, past the middle, the same
from the right end, where w is the scale on which the logits move at that end. In v
everything is smooth on the scale 1. All sizes are logarithms.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from simulator.logspace import centre, log_expm1

Scalar = Float[Array, ""]
Values = Float[Array, " K"]

# Patterns up to which `prod_k (1 + z_k)`, z_k <= 1, cannot overflow.
_SAFE_PRODUCT = 120
_TINY = 1e-30
_ROUGH_NEWTON = 6


class Piece(NamedTuple):
    """What happens between two hand-overs.

    - `leader`: the most likely pattern i. `heir`: the next one.
    - `log_a`, `log_b`: log of `a_k` at the left and at the right end; on the last piece
      (`bounded` false) `log_b` is the growth of a_k per unit of tau.
    - `log_length`: log of its extent in tau.
    - `log_left`, `log_right`: log of the layers' widths w.
    - `middle`, `reach`: v in the middle, and at the right end.
    """

    leader: Int[Array, ""]
    heir: Int[Array, ""]
    log_a: Values
    log_b: Values
    bounded: Bool[Array, ""]
    log_length: Scalar
    log_left: Scalar
    log_right: Scalar
    middle: Scalar
    reach: Scalar


class Root(NamedTuple):
    """`log p`, the slope `sum_k p/u_k` there, and the size of the last Newton step."""

    log_p: Scalar
    slope: Scalar
    last_step: Scalar


class Orbit(eqx.Module):
    """The path of one problem: `rewards` and `log_policy` `[K]`."""

    rewards: Values
    log_policy: Values

    @property
    def inside(self) -> Bool[Array, " K"]:
        return self.log_policy > -jnp.inf

    def first_piece(self) -> tuple[Piece, Scalar]:
        """The piece that starts at the base policy, and `log p` there."""
        inside, log_pi = self.inside, self.log_policy
        count = jnp.sum(inside)
        log_mean = jnp.sum(jnp.where(inside, log_pi, 0.0)) / count
        likeliest = log_pi == jnp.max(log_pi)
        leader = jnp.argmax(jnp.where(likeliest, self.rewards, -jnp.inf))
        log_p = log_mean - log_pi[leader]
        # c_k - c_i = c_i (pi_i / pi_k - 1)
        behind = jnp.where(inside, log_pi[leader] - log_pi, 0.0)
        return self.piece(leader, log_p + log_expm1(behind), log_p), log_p

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
        closer = log_a + jnp.log(-jnp.expm1(short))
        log_b = jnp.where(better, closer, jnp.logaddexp(log_a, shift))
        level = better & (log_meeting == log_length)
        log_b = jnp.where(level, -jnp.inf, log_b)
        heir = jnp.argmax(jnp.where(level, self.rewards, -jnp.inf))
        log_b = jnp.where(bounded, log_b, log_rise)
        log_left = -self._log_rate(log_a, log_p)
        rough = self.root(log_b, jnp.zeros_like(log_p), _ROUGH_NEWTON).log_p
        log_right = -self._log_rate(log_b, rough)
        half = log_length - jnp.log(2.0)
        middle = jnp.where(bounded, _asinh_exp(half - log_left), jnp.inf)
        reach = middle + jnp.where(bounded, _asinh_exp(half - log_right), 0.0)
        return Piece(
            leader=leader,
            heir=jnp.where(bounded, heir, leader),
            log_a=log_a,
            log_b=log_b,
            bounded=bounded,
            log_length=log_length,
            log_left=log_left,
            log_right=log_right,
            middle=middle,
            reach=reach,
        )

    def _log_rate(self, log_a: Values, log_p: Scalar) -> Scalar:
        """Log of the largest `|d theta_k / d tau| = |rho_k - rho_bar| / u_k`."""
        log_u = jnp.where(self.inside, jnp.logaddexp(log_p, log_a), jnp.inf)
        advantage = centre(jax.nn.log_softmax(-log_u), self.rewards).values()
        rates = jnp.log(jnp.abs(advantage)) - log_u
        return jnp.max(jnp.where(self.inside, rates, -jnp.inf))

    def log_differences(self, piece: Piece, v: Scalar) -> tuple[Values, Scalar]:
        """`log a_k` at the place v, and `log dtau/dv`."""
        right = v > piece.middle
        w = jnp.where(right, piece.log_right, piece.log_left)
        y = jnp.maximum(jnp.where(right, piece.reach - v, v), 0.0)
        log_sinh = y + jnp.log(-jnp.expm1(-2 * y)) - jnp.log(2.0)
        log_cosh = y + jnp.log1p(jnp.exp(-2 * y)) - jnp.log(2.0)
        log_tau = w + log_sinh
        log_near = jnp.minimum(log_tau - piece.log_length, -jnp.log(2.0))
        log_far = jnp.log1p(-jnp.exp(log_near))
        log_x = jnp.where(right, log_far, log_near)
        log_rest = jnp.where(right, log_near, log_far)
        from_left = piece.log_a + jnp.where(piece.bounded, log_rest, 0.0)
        from_right = piece.log_b + jnp.where(piece.bounded, log_x, log_tau)
        return jnp.logaddexp(from_left, from_right), w + log_cosh

    def root(self, log_a: Values, guess: Scalar, iterations: int) -> Root:
        """`p` with `sum_k log(p + a_k) = 0`, by Halley's iteration on log p."""
        log_p = guess
        for _ in range(iterations):
            value, slope, curvature = self._shift_equation(log_a, log_p)
            newton = value / slope
            # Convex and increasing: far on the right Newton's step is the safe one.
            bend = jnp.where(newton > 0.8, 0.0, 0.5 * newton * curvature / slope)
            halley = newton / (1 - bend)
            log_p = log_p - halley
        return Root(log_p, slope - curvature * halley, jnp.abs(halley))

    def _shift_equation(self, log_a: Values, log_p: Scalar):
        """`F = sum_k log(p + a_k)`, `F'` and `F''` in log p."""
        inside = self.inside
        apart = jnp.where(inside, log_a - log_p, 0.0)
        z = jnp.exp(-jnp.abs(apart))
        larger = jnp.where(inside, jnp.maximum(log_a, log_p), 0.0)
        if log_a.shape[0] <= _SAFE_PRODUCT:
            rest = jnp.log(jnp.prod(jnp.where(inside, 1 + z, 1.0)))
        else:
            rest = jnp.sum(jnp.where(inside, jnp.log1p(z), 0.0))
        share = jnp.where(inside, jnp.where(apart > 0, z, 1.0) / (1 + z), 0.0)
        value = jnp.sum(larger) + rest
        return value, jnp.sum(share), jnp.sum(share * (1 - share))

    def log_probs(self, log_a: Values, log_p: Scalar) -> Values:
        """The policy: `pi_k` is proportional to `1/u_k = 1/(p + a_k)`."""
        log_u = jnp.logaddexp(log_p, log_a)
        return jax.nn.log_softmax(jnp.where(self.inside, -log_u, -jnp.inf))

    def drift(
        self, piece: Piece, log_a: Values, log_dtau: Scalar, root: Root
    ) -> Scalar:
        """`d log p / dv`."""
        fall = self.rewards[piece.leader] - self.rewards
        moves = self.inside & (fall != 0)
        log_u = jnp.where(moves, jnp.logaddexp(root.log_p, log_a), jnp.inf)
        return -jnp.sum(fall * jnp.exp(log_dtau - log_u)) / root.slope


def _asinh_exp(x: Scalar) -> Scalar:
    """`asinh(exp(x))` without overflow."""
    return jnp.where(
        x > 20, x + jnp.log(2.0), jnp.arcsinh(jnp.exp(jnp.minimum(x, 20.0)))
    )

r"""How the time along an orbit depends on the problem.

Let tau depend on the problem too, so that hand-overs stay at fixed places: a share x of
the way from one, at `tau_q`, to the next. With `v_k = c_k - rho_k tau`, the leader i
and the heir j of a hand-over, and `eta_k = dc_k - tau_q drho_k`,

    d tau_q = (eta_j - eta_i) / (rho_j - rho_i),
    d a_k at tau_q = h_k = eta_k - eta_i - (rho_k - rho_i) d tau_q,    h_i = h_j = 0,
    e_k = d a_k / u_k = ((1 - x) h_k + x h'_k) / u_k,
    d log u_k = e_k - pi_k sum_j e_j,
    d t = int e^f l (df + d log l) dx,        df = sum_k g_k e_k + df at fixed log u,

with f = log of `dt/dtau`, l the length of the piece in tau, h' at its right end, and
`g_k = f_k - sum_j pi_j f_j`, `f_k = df / d log u_k` (`-pi_k` for the plain clock, f =
log Z). So the derivatives of t are quadratures on the nodes that the time itself uses.
(Proof: `a_k` is linear in x; differentiate `prod_k u_k = 1`. f is continuous at
hand-overs, which stay where they are: no terms arise.)  The first piece starts at tau =
0, `d tau = 0`; the last has no end, and there tau minus the last hand-over is fixed.

At fixed tau instead every term is as large as one over the width of a hand-over, 1e300
on a deep plateau, and only their sum is of order 1.

Patterns that start alike with the same reward stay alike, and t changes with their mean
only. How they part is multiplied by `c_k / u_k`, which may be beyond all floats: no
factor is taken to be larger than the root of the largest float. Such derivatives (of
policies by what breaks a tie, of a hand-over of three at once) are finite, with the
right sign; those of events at such policies, by what breaks the tie, have no digits.
"""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from simulator.engines.exact.orbit import Piece, log_shares
from simulator.engines.exact.orbit_walk import OrbitPath, OrbitState, Quadrature, View
from simulator.engines.exact.path import AbstractSmoothPath, Shift, Stretch
from simulator.engines.exact.quadrature import NODES, WEIGHTS
from simulator.numerics.trees import select

Values = Float[Array, " K"]


class SlopeState(NamedTuple):
    """A state, and how the log of its time changes at a fixed place.

    - `log_tau`: log of tau at the start of the piece, where `previous` led before.
    - `by_start`, `by_reward`: derivatives of log t by `log c_k` and by `rho_k`.
    """

    orbit: OrbitState
    log_tau: Float[Array, ""]
    previous: Int[Array, ""]
    by_start: Values
    by_reward: Values


class Corner(NamedTuple):
    """How a hand-over changes: `exp(log_size) height` and `exp(log_unit) d_tau`."""

    log_size: Values
    height: Values
    log_unit: Float[Array, ""]
    d_tau: Float[Array, ""]


class SlopePath(AbstractSmoothPath):
    """An `OrbitPath` whose states know the slopes of their times."""

    inner: OrbitPath

    first_size: ClassVar[float] = OrbitPath.first_size
    largest_size: ClassVar[float] = OrbitPath.largest_size

    @property
    def dynamics(self):
        return self.inner.dynamics

    def start(self):
        state = self.inner.start()
        zeros = jnp.zeros_like(state.log_u)
        beginning = jnp.full_like(state.log_t, -jnp.inf)
        return SlopeState(state, beginning, state.piece.leader, zeros, zeros)

    def log_probs(self, state):
        return self.inner.log_probs(state.orbit)

    def log_time(self, state):
        return self.inner.log_time(state.orbit)

    def at_rest(self, state, tolerance):
        return self.inner.at_rest(state.orbit, tolerance)

    def view(self, start, size):
        return start, self.inner.view(start.orbit, size)

    def inside(self, view, size):
        start, inner = view
        return start._replace(orbit=self.inner.inside(inner, size))

    def place(self, state):
        return self.inner.place(state.orbit)

    def leader(self, state):
        return self.inner.leader(state.orbit)

    def border(self, state):
        return self.inner.border(state.orbit)

    def waiting(self, state, log_time):
        return state._replace(orbit=self.inner.waiting(state.orbit, log_time))

    def hand_over(self, state, arrived):
        piece = state.orbit.piece
        passed = jnp.logaddexp(state.log_tau, piece.log_length)
        following = state._replace(log_tau=passed, previous=piece.leader)
        state = select(arrived & piece.bounded, following, state)
        return state._replace(orbit=self.inner.hand_over(state.orbit, arrived))

    def settle(self, view, size):
        start, inner = view
        return self._end(start, inner, size, self.inner.quadrature(inner, size))

    def stretch(self, start: SlopeState, size) -> Stretch:
        view = self.inner.view(start.orbit, size)
        quadrature = self.inner.quadrature(view, size)
        end = self._end(start, view, size, quadrature)
        return self.inner.seen(view, quadrature)._replace(end=end)

    def _end(
        self, start: SlopeState, view: View, size, quadrature: Quadrature
    ) -> SlopeState:
        """The state `size` after the start."""
        end, piece = quadrature.end, start.orbit.piece
        # A piece of no length (patterns that tie at the start) has no time.
        log_t = jnp.where(end.log_t > -jnp.inf, end.log_t, 0.0)
        log_weights = jnp.log(jnp.asarray(WEIGHTS, size.dtype) * size) - log_t
        weights = jnp.exp(log_weights + quadrature.log_rates[:-1])
        log_u = self.inner.log_u(view, quadrature.nodes).T[:-1]
        places = start.orbit.v + size * jnp.asarray(NODES, size.dtype)
        shares = jax.vmap(lambda v: log_shares(piece, v))(places)
        by_log_u, by_reward = jax.vmap(self._log_rate_slopes)(log_u)
        pi = jnp.exp(jax.vmap(self.inner.policy_of)(log_u))
        g = by_log_u - jnp.sum(pi * by_log_u, axis=1, keepdims=True)

        def change(d_log_start, d_rewards):
            """The change of log t by this stretch: linear."""
            corners = self._corners(start, d_log_start, d_rewards)
            e = jax.vmap(lambda *place: _relative(corners, *place))(shares, log_u)
            d_log_rates = jnp.sum(g * e, axis=1) + by_reward @ d_rewards
            return weights @ (d_log_rates + _d_log_length(piece, corners))

        zeros = jnp.zeros_like(start.by_start)
        by_start, by_reward = jax.grad(change, argnums=(0, 1))(zeros, zeros)
        kept = jnp.exp(start.orbit.log_t - log_t)
        return SlopeState(
            orbit=end,
            log_tau=start.log_tau,
            previous=start.previous,
            by_start=kept * start.by_start + by_start,
            by_reward=kept * start.by_reward + by_reward,
        )

    def _corners(self, state: SlopeState, d_log_start, d_rewards, parting=False):
        """The ends of a piece; for that of the last one, how a_k grows.

        `parting`: with what takes patterns that are alike apart.
        """
        piece, changes = state.orbit.piece, (d_log_start, d_rewards, parting)
        left = self._corner(state.log_tau, state.previous, piece.leader, *changes)
        log_tau = jnp.logaddexp(state.log_tau, piece.log_length)
        right = self._corner(log_tau, piece.leader, piece.heir, *changes)
        alike = self._alike(piece.leader)
        growth = _mean(d_rewards, alike) - d_rewards
        counts = ~alike | (parting & _several(alike))
        growth = jnp.where(counts & self.inner.orbit.inside, growth, 0.0)
        zeros = jnp.zeros_like(d_rewards)
        growing = Corner(zeros, growth, zeros[0], zeros[0])
        return left, select(piece.bounded, right, growing)

    def _corner(
        self, log_tau, before, after, d_log_start, d_rewards, parting
    ) -> Corner:
        """The hand-over at tau from one to another; from one to itself at tau = 0."""
        rewards, log_start = self.inner.orbit.rewards, self.inner.orbit.log_start()

        def eta(log_unit):
            by_start = jnp.exp(jnp.minimum(log_start - log_unit, 0.0))
            return by_start * d_log_start - jnp.exp(log_tau - log_unit) * d_rewards

        log_unit = jnp.maximum(log_start[before], log_start[after])
        log_unit = jnp.maximum(log_unit, log_tau)
        old, new = self._alike(before), self._alike(after)
        eta_old, eta_new = (_mean(eta(log_unit), alike) for alike in (old, new))
        rise = rewards[after] - rewards[before]
        some_rise = jnp.where(rise != 0, rise, 1.0)
        d_tau = jnp.where(rise != 0, (eta_new - eta_old) / some_rise, 0.0)
        log_size = jnp.maximum(log_unit, log_start)
        level = eta_old + (rewards - rewards[before]) * d_tau
        level = jnp.where(new, eta_new, level)
        height = eta(log_size) - jnp.exp(log_unit - log_size) * level
        counts = ~(old | new) | (parting & (_several(old) | _several(new)))
        counts = counts & self.inner.orbit.inside
        return Corner(log_size, jnp.where(counts, height, 0.0), log_unit, d_tau)

    def _alike(self, pattern):
        """The patterns that start like this one, with the same reward."""
        rewards, log_policy = self.inner.orbit.rewards, self.inner.orbit.log_policy
        return (rewards == rewards[pattern]) & (log_policy == log_policy[pattern])

    def _log_rate_slopes(self, log_u) -> tuple[Values, Values]:
        """Derivatives of `f = log(Z / h)` by `log u_k` and by the rewards."""
        log_clock = jax.grad(self.inner.log_clock, argnums=(1, 0))
        clock_by_log_u, clock_by_reward = log_clock(self.inner.orbit.rewards, log_u)
        pi = jnp.exp(self.inner.policy_of(log_u))
        return -pi - clock_by_log_u, -clock_by_reward

    def shift(self, state: SlopeState, d_dynamics, d_rewards: Values) -> Shift:
        """The change at a fixed place."""
        orbit, d_log_policy = self.inner.orbit, d_dynamics.problem.log_policy
        inside = orbit.inside
        d_log_start = jnp.where(inside, _mean(d_log_policy, inside) - d_log_policy, 0.0)
        d_rewards = jnp.where(inside, d_rewards, 0.0)
        log_time = state.by_start @ d_log_start + state.by_reward @ d_rewards
        piece, log_u = state.orbit.piece, state.orbit.log_u
        corners = self._corners(state, d_log_start, d_rewards, parting=True)
        e = _relative(corners, log_shares(piece, state.orbit.v), log_u)
        return Shift(self._change(state, e), log_time)

    def along(self, state: SlopeState) -> Shift:
        """The change along the path, per logit moved."""
        rewards, log_u = self.inner.orbit.rewards, state.orbit.log_u
        inside = self.inner.orbit.inside
        fall = jnp.where(inside, rewards[state.orbit.piece.leader] - rewards, 0.0)
        moving = fall != 0
        log_speeds = jnp.log(jnp.abs(fall)) - log_u
        log_scale = -jnp.max(jnp.where(moving, log_speeds, -jnp.inf))
        e = fall * jnp.exp(jnp.where(moving, log_scale - log_u, -jnp.inf))
        log_z = jax.nn.logsumexp(jnp.where(inside, -log_u, -jnp.inf))
        log_clock = self.inner.log_clock(rewards, log_u)
        # Nobody asks at the start, where there is no time yet; but it must be finite.
        log_t = jnp.where(state.orbit.log_t > -jnp.inf, state.orbit.log_t, 0.0)
        log_rate = log_z - log_clock + log_scale - log_t
        # Within a hand-over next to no time passes: what is divided by it stays finite.
        return Shift(self._change(state, e), 1 / _exp(-log_rate))

    def _change(self, state, e) -> Values:
        """`d log pi_k` from `e_k`, the changes of `u_k - u_i` in units of `u_k`."""
        pi = jnp.exp(self.log_probs(state))
        d_log_u = e - pi * jnp.sum(e)
        return jnp.where(self.inner.orbit.inside, jnp.sum(pi * d_log_u) - d_log_u, 0.0)


def _mean(values: Values, which) -> Float[Array, ""]:
    number = jnp.sum(which, dtype=values.dtype)
    return jnp.sum(jnp.where(which, values, 0.0)) / number


def _several(which):
    """Those of a group of more than one; of one alone the mean is itself."""
    return which & (jnp.sum(which) > 1)


def _exp(x):
    """`exp(x)`, but not larger than the root of the largest float."""
    return jnp.exp(jnp.minimum(x, 0.5 * jnp.log(jnp.finfo(x.dtype).max)))


def _relative(corners: tuple[Corner, Corner], log_shares, log_u: Values) -> Values:
    """`e_k`, at a place with these shares of the two ends of its piece."""
    return sum(
        _exp(log_share + corner.log_size - log_u) * corner.height
        for corner, log_share in zip(corners, log_shares, strict=True)
    )


def _d_log_length(piece: Piece, corners: tuple[Corner, Corner]) -> Float[Array, ""]:
    """The change of the log of the length of a piece."""
    start, end = (_exp(c.log_unit - piece.log_length) * c.d_tau for c in corners)
    return jnp.where(piece.bounded, end - start, 0.0)

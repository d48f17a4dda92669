r"""How the time along an orbit depends on the problem.

At a fixed intrinsic time tau, with `v_k = c_k - rho_k tau` and f = log of `dt/dtau`,

    d u_k = d v_k - sum_j pi_j d v_j,       d t = int e^f df dtau,
    df = sum_k g_k (d v_k - d v_i) / u_k,         g_k = f_k - sum_j pi_j f_j,

so the derivatives of t are quadratures on the nodes that the time itself uses. (Proof:
differentiate `prod_k u_k = 1`, and f in log u. A common shift of all v is undone by
the product, so differences from the leader i serve, and they do not cancel.)
Here `f_k = df / d log u_k` (`-pi_k` for the plain clock, f = log Z); the second line
follows from `d log u_k = e_k - pi_k sum_j e_j` with `e_k = (dv_k - dv_i) / u_k`. The
hand-overs move with the problem too, but f is continuous there: no terms arise.
"""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simulator.engines.exact import states
from simulator.engines.exact.orbit import log_tau
from simulator.engines.exact.orbit_walk import OrbitPath, OrbitState, Quadrature, View
from simulator.engines.exact.path import AbstractSmoothPath, Shift, Stretch
from simulator.engines.exact.quadrature import WEIGHTS
from simulator.numerics.trees import select

Values = Float[Array, " K"]


class SlopeState(NamedTuple):
    """A state, and how the log of its time changes at fixed tau.

    - `log_tau`: log of tau at the start of the piece.
    - `by_start`, `by_reward`: derivatives of log t by `log c_k` and by `rho_k`.
    """

    orbit: OrbitState
    log_tau: Float[Array, ""]
    by_start: Values
    by_reward: Values


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
        return SlopeState(state, jnp.full_like(state.log_t, -jnp.inf), zeros, zeros)

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
        following = state._replace(log_tau=passed)
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
        orbit, end, nodes = self.inner.orbit, quadrature.end, quadrature.nodes
        # A piece of no length (patterns that tie at the start) has no time.
        log_t = jnp.where(end.log_t > -jnp.inf, end.log_t, 0.0)
        log_weights = jnp.log(jnp.asarray(WEIGHTS, size.dtype) * size) - log_t
        log_weights = log_weights + quadrature.log_rates[:-1]
        log_u = self.inner.log_u(view, nodes)[:, :-1]
        log_taus = jnp.logaddexp(start.log_tau, states.log_tau(view.panel, nodes)[:-1])
        leader = jnp.arange(log_u.shape[0]) == start.orbit.piece.leader
        counts = orbit.inside & ~leader
        log_start = orbit.log_start()
        log_start_i = jnp.sum(jnp.where(leader, log_start, 0.0))

        def at_node(log_weight, log_u, log_tau_here):
            by_log_u, by_reward = self._log_rate_slopes(log_u)
            pi = jnp.exp(self.inner.policy_of(log_u))
            g = jnp.where(counts, by_log_u - jnp.sum(pi * by_log_u), 0.0)

            def part(log_size):
                return g * jnp.exp(jnp.where(counts, log_size - log_u, -jnp.inf))

            own, leaders = part(log_weight + log_start), part(log_weight + log_start_i)
            rewards = part(log_weight + log_tau_here)
            by_start = own - jnp.where(leader, jnp.sum(leaders), 0.0)
            turned = jnp.where(leader, jnp.sum(rewards), 0.0) - rewards
            return by_start, turned + jnp.exp(log_weight) * by_reward

        each = jax.vmap(at_node, in_axes=(0, 1, 0))(log_weights, log_u, log_taus)
        by_start, by_reward = (jnp.sum(x, axis=0) for x in each)
        kept = jnp.exp(start.orbit.log_t - log_t)
        return SlopeState(
            orbit=end,
            log_tau=start.log_tau,
            by_start=kept * start.by_start + by_start,
            by_reward=kept * start.by_reward + by_reward,
        )

    def _log_rate_slopes(self, log_u) -> tuple[Values, Values]:
        """Derivatives of `f = log(Z / h)` by `log u_k` and by the rewards."""
        log_clock = jax.grad(self.inner.log_clock, argnums=(1, 0))
        clock_by_log_u, clock_by_reward = log_clock(self.inner.orbit.rewards, log_u)
        pi = jnp.exp(self.inner.policy_of(log_u))
        return -pi - clock_by_log_u, -clock_by_reward

    def shift(self, state: SlopeState, d_dynamics, d_rewards: Values) -> Shift:
        """The change at fixed tau."""
        orbit, d_log_policy = self.inner.orbit, d_dynamics.problem.log_policy
        inside = orbit.inside
        mean = jnp.sum(jnp.where(inside, d_log_policy, 0.0)) / jnp.sum(inside)
        d_log_start = jnp.where(inside, mean - d_log_policy, 0.0)
        d_rewards = jnp.where(inside, d_rewards, 0.0)
        log_time = state.by_start @ d_log_start + state.by_reward @ d_rewards
        log_u, leader = state.orbit.log_u, state.orbit.piece.leader
        log_start = orbit.log_start()
        # The leader's own is 0, however small its u.
        counts = inside & (jnp.arange(len(log_u)) != leader)

        def over_u(log_size):
            return jnp.exp(jnp.where(counts, log_size - log_u, -jnp.inf))

        e = over_u(log_start) * d_log_start
        e = e - over_u(log_start[leader]) * d_log_start[leader]
        e = e - over_u(self._log_tau(state)) * (d_rewards - d_rewards[leader])
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
        return Shift(self._change(state, e), jnp.exp(log_rate))

    def _change(self, state, e) -> Values:
        """`d log pi_k` from `e_k = (dv_k - dv_i) / u_k`."""
        pi = jnp.exp(self.log_probs(state))
        d_log_u = e - pi * jnp.sum(e)
        return jnp.where(pi > 0, jnp.sum(pi * d_log_u) - d_log_u, 0.0)

    def _log_tau(self, state: SlopeState):
        return jnp.logaddexp(state.log_tau, log_tau(state.orbit.piece, state.orbit.v))

"""The walk along an `Orbit`: states in closed form, the time by quadrature."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simulator.clocks import AbstractClock
from simulator.dynamics import Dynamics
from simulator.engines.exact.fast_events import Passage
from simulator.engines.exact.orbit import Orbit, Piece
from simulator.engines.exact.path import AbstractExactPath, Stretch
from simulator.engines.exact.quadrature import GAUSS_WEIGHTS, NODES, WEIGHTS
from simulator.engines.exact.states import (
    Panel,
    Root,
    drift_at_start,
    log_u,
    log_unit_of_speed,
    panel,
    solve,
)
from simulator.numerics.trees import select
from simulator.updates import PolicyGradient

AT_KNOTS, AT_NODES = 4, 2  # iterations, from a guess and from an interpolated one
_TINY = 1e-20


class OrbitState(NamedTuple):
    """A place on the orbit: the piece, `v` on it, the state there, and the time."""

    piece: Piece
    v: Float[Array, ""]
    log_p: Float[Array, ""]
    log_u: Float[Array, " K"]
    log_t: Float[Array, ""]


class View(NamedTuple):
    """A stretch that is looked into: its panel, and what is known of it.

    `drift`: the slope of `log q` at the start. `knots`: half way, and at the end.
    """

    start: OrbitState
    panel: Panel
    drift: Float[Array, ""]
    knots: Root


class Quadrature(NamedTuple):
    """The first part of a stretch, or all of it, and its end.

    `nodes`: those of the rule, and the end once more; `log_rates`: `log dt/dv` at each.
    `error`: estimated relative error of the time at the end.
    """

    end: OrbitState
    nodes: Root
    log_rates: Float[Array, " N"]
    error: Float[Array, ""]


class OrbitPath(AbstractExactPath):
    """The closed-form solution of one problem."""

    dynamics: Dynamics
    orbit: Orbit

    first_size, largest_size = 1.5, 4.0

    def log_probs(self, state):
        return self.policy_of(state.log_u)

    def log_time(self, state):
        return state.log_t

    def at_rest(self, state, tolerance):
        # The speed falls like a power of the time, but never to 0.
        del state, tolerance
        return jnp.asarray(False)

    def start(self) -> OrbitState:
        """The base policy."""
        piece, log_p = self.orbit.first_piece()
        zero = jnp.zeros_like(log_p)
        log_u = jnp.logaddexp(log_p, piece.log_a)
        return OrbitState(piece, zero, log_p, log_u, zero - jnp.inf)

    def policy_of(self, log_u):
        """Log-probabilities: `pi_k` is proportional to `1/u_k`."""
        return jax.nn.log_softmax(jnp.where(self.orbit.inside, -log_u, -jnp.inf))

    def view(self, start: OrbitState, size) -> View:
        """The panel of a stretch, its start, its middle and its end."""
        table = panel(self.orbit, start.piece, start.v, size, start.log_p)
        drift = drift_at_start(table)
        places = size * jnp.asarray([0.5, 1.0], size.dtype)
        return View(start, table, drift, solve(table, places, drift * places, AT_KNOTS))

    def _between(self, view: View, f) -> Root:
        """The states at the fractions f of a stretch."""
        size, knots = view.panel.size, view.knots
        guess = _hermite(f, view.drift * size, knots.log_q, knots.drift * size)
        return solve(view.panel, size * f, guess, AT_NODES)

    def _state(self, view: View, size, root: Root, log_t) -> OrbitState:
        """The state at the last place of the root, `size` after the start."""
        root = jax.tree.map(lambda x: x[..., -1:], root)
        return OrbitState(
            piece=view.start.piece,
            v=view.start.v + size,
            log_p=view.panel.log_p + root.log_q[0],
            log_u=log_u(view.panel, view.start.piece, root)[:, 0],
            log_t=log_t,
        )

    def inside(self, view: View, size):
        root = self._between(view, _fraction(view, size)[None])
        return self._state(view, size, root, view.start.log_t)

    def settle(self, view: View, size) -> OrbitState:
        return self.quadrature(view, size).end

    def _log_clock(self, view: View, nodes: Root):
        update = self.dynamics.update
        if isinstance(update, PolicyGradient):
            return 0.0
        plain = type(update).log_clock is AbstractClock.log_clock
        if plain and isinstance(update, AbstractClock):
            rewards, passage = self.orbit.rewards, self._passage(view, nodes)
            means = passage.log_mean(rewards), passage.log_mean(1 - rewards)
            return jax.vmap(update.log_factor)(*means)
        clock = jax.vmap(self.log_clock, in_axes=(None, 1))
        return clock(self.orbit.rewards, self.log_u(view, nodes))

    def log_clock(self, rewards, log_u):
        """Log of the factor by which this update is faster than the plain one."""
        return self.dynamics.update.log_clock(rewards, self.policy_of(log_u))

    def log_u(self, view: View, nodes: Root) -> Float[Array, "K N"]:
        """`log u_k` at places of a stretch; 0 outside the support."""
        return log_u(view.panel, view.start.piece, nodes)

    def quadrature(self, view: View, size) -> Quadrature:
        """The first `size` of a stretch."""
        places = jnp.append(jnp.asarray(NODES, size.dtype), 1.0)
        nodes = self._between(view, _fraction(view, size) * places)
        large = -nodes.log_q - self._log_clock(view, nodes)
        top = jnp.max(large)
        rates = nodes.share * nodes.speed * jnp.exp(large - top)
        fine = jnp.sum(jnp.asarray(WEIGHTS, size.dtype) * rates[:-1])
        coarse = jnp.sum(jnp.asarray(GAUSS_WEIGHTS, size.dtype) * rates[:-1])
        log_unit = top + log_unit_of_speed(view.panel) - view.panel.log_p
        log_size = jnp.log(size) + log_unit
        log_t = jnp.logaddexp(view.start.log_t, log_size + jnp.log(fine))
        # QUADPACK's rule of thumb for the error of the finer of the two rules.
        coarse_error = jnp.abs(fine - coarse) * jnp.exp(log_size - log_t)
        # A cubic iteration: after a step of eps^(1/3) no error is left.
        last_step = jnp.maximum(jnp.max(nodes.last_step), jnp.max(view.knots.last_step))
        converged = last_step < jnp.finfo(size.dtype).eps ** (1 / 3)
        return Quadrature(
            end=self._state(view, size, nodes, log_t),
            nodes=nodes,
            log_rates=jnp.log(rates) + log_unit,
            error=jnp.where(converged, coarse_error**1.5, jnp.inf),
        )

    def stretch(self, start: OrbitState, size) -> Stretch:
        """From `start` over `size` in v, on one piece."""
        view = self.view(start, size)
        return self.seen(view, self.quadrature(view, size))

    def seen(self, view: View, quadrature: Quadrature) -> Stretch:
        """A stretch, with its error estimate."""
        log_u = self.log_u(view, quadrature.nodes)
        passage = self._passage(view, quadrature.nodes)
        return Stretch(
            end=quadrature.end,
            passed=jax.vmap(self.policy_of, in_axes=1)(log_u[:, :-1]),
            passage=passage._replace(shape=passage.shape[:, :-1]),
            error=quadrature.error,
            log_rates=quadrature.log_rates,
        )

    def _passage(self, view: View, nodes: Root) -> Passage:
        inside, panel = self.orbit.inside, view.panel
        leads = jnp.arange(len(inside)) == view.start.piece.leader
        return Passage(
            leads=leads,
            others=inside & ~leads,
            rewards=self.orbit.rewards,
            log_size=panel.log_p - panel.scale,
            shape=jnp.exp(nodes.log_q)[None, :] / nodes.m,
        )

    def place(self, state):
        return state.v

    def leader(self, state):
        return state.piece.leader

    def border(self, state):
        return state.piece.reach

    def waiting(self, state, log_time):
        return state._replace(log_t=log_time)

    def hand_over(self, state, arrived):
        old = state.piece
        piece = self.orbit.piece(old.heir, old.log_b, state.log_p)
        following = state._replace(piece=piece, v=jnp.zeros_like(state.v))
        return select(arrived, following, state)


def _fraction(view: View, size):
    """How much of a stretch `size` is."""
    return size / jnp.maximum(view.panel.size, _TINY)


def _hermite(f, slope_0, values, slopes):
    """The quintic that is 0 at 0, and has these values and slopes at 0, 1/2 and 1."""
    g = 1 - f
    centre, right = 16 * (f * g) ** 2, (f * (f - g)) ** 2
    left = slope_0 * f * (g * (f - g)) ** 2
    middle = centre * (values[0] + slopes[0] * (f - 0.5))
    return left + middle + right * (values[1] * (7 - 6 * f) - slopes[1] * g)

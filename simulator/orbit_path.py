"""The walk along an `Orbit`: states in closed form, the time by quadrature."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simulator.dynamics import Dynamics
from simulator.kronrod import GAUSS_WEIGHTS, NODES, WEIGHTS
from simulator.marching import AbstractExactPath, Stretch
from simulator.orbit import Orbit, Piece
from simulator.stepping import select
from simulator.updates import PolicyGradient

HALLEY = 3
CONVERGED = 1e-6  # last cubic step that leaves no error
LOCATING_HALLEY = 10


class OrbitState(NamedTuple):
    """A place on the orbit: the piece, `v` on it, `log p` there, and the time."""

    piece: Piece
    v: Float[Array, ""]
    log_p: Float[Array, ""]
    log_t: Float[Array, ""]


class OrbitPath(AbstractExactPath):
    """The closed-form solution of one problem."""

    dynamics: Dynamics
    orbit: Orbit

    largest_size = 4.0

    def log_probs(self, state):
        log_a, _ = self.orbit.log_differences(state.piece, state.v)
        return self.orbit.log_probs(log_a, state.log_p)

    def log_time(self, state):
        return state.log_t

    def start(self) -> OrbitState:
        """The base policy."""
        piece, log_p = self.orbit.first_piece()
        zero = jnp.zeros_like(log_p)
        return OrbitState(piece, zero, log_p, zero - jnp.inf)

    def _log_clock(self, log_a, log_p):
        update = self.dynamics.update
        if isinstance(update, PolicyGradient):
            return 0.0
        return update.log_clock(self.orbit.rewards, self.orbit.log_probs(log_a, log_p))

    def _drift(self, state: OrbitState):
        log_a, log_dtau = self.orbit.log_differences(state.piece, state.v)
        root = self.orbit.root(log_a, state.log_p, 1)
        return self.orbit.drift(state.piece, log_a, log_dtau, root)

    def stretch(self, start: OrbitState, size) -> Stretch:
        """From `start` over `size` in v, on one piece and one side of its middle."""
        piece = start.piece

        def visit(carry, fraction):
            v_before, log_p_before, drift = carry
            v = start.v + size * fraction
            log_a, log_dtau = self.orbit.log_differences(piece, v)
            guess = log_p_before + drift * (v - v_before)
            root = self.orbit.root(log_a, guess, HALLEY)
            moved = jnp.where(v > v_before, v - v_before, 1.0)
            drift = (root.log_p - log_p_before) / moved
            log_rate = jnp.log(root.slope) - root.log_p + log_dtau
            log_rate = log_rate - self._log_clock(log_a, root.log_p)
            return (v, root.log_p, drift), (log_rate, root.last_step)

        fractions = jnp.append(jnp.asarray(NODES, start.v.dtype), 1.0)
        carry = (start.v, start.log_p, self._drift(start))
        (v, log_p, _), (log_rates, last_steps) = jax.lax.scan(visit, carry, fractions)
        top = jnp.max(log_rates)
        rates = jnp.exp(log_rates[:-1] - top)
        fine = jnp.sum(jnp.asarray(WEIGHTS, v.dtype) * rates)
        coarse = jnp.sum(jnp.asarray(GAUSS_WEIGHTS, v.dtype) * rates)
        log_size = jnp.log(size) + top
        log_t = jnp.logaddexp(start.log_t, log_size + jnp.log(fine))
        # QUADPACK's rule of thumb for the error of the finer of the two rules.
        coarse_error = jnp.abs(fine - coarse) * jnp.exp(log_size - log_t)
        error = jnp.where(jnp.max(last_steps) < CONVERGED, coarse_error**1.5, jnp.inf)
        return Stretch(OrbitState(piece, v, log_p, log_t), error, log_rates[-1])

    def look_ahead(self, start, size):
        v = start.v + size
        log_a, _ = self.orbit.log_differences(start.piece, v)
        guess = start.log_p + self._drift(start) * size
        root = self.orbit.root(log_a, guess, LOCATING_HALLEY)
        return OrbitState(start.piece, v, root.log_p, start.log_t)

    def settle(self, start, size, end):
        del end
        return self.stretch(start, size).end

    def border(self, state):
        piece = state.piece
        return jnp.where(state.v < piece.middle, piece.middle, piece.reach)

    def hand_over(self, state: OrbitState) -> OrbitState:
        old = state.piece
        piece = self.orbit.piece(old.heir, old.log_b, state.log_p)
        following = OrbitState(piece, jnp.zeros_like(state.v), state.log_p, state.log_t)
        return select(old.bounded & (state.v >= old.reach), following, state)

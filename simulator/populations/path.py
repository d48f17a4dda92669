"""The flow of a population, by the explicit steps of the numerical engine."""

from typing import Any, ClassVar, cast

import jax
import jax.numpy as jnp

from simulator.dynamics import Point, unit
from simulator.engines.flow.clock import FlowPoint
from simulator.engines.flow.explicit import ExplicitPath, FlowState
from simulator.populations.dynamics import PopulationDynamics


class PopulationPath(ExplicitPath):
    """The numerical solution; its logits are the parameters of the population.

    They are walked along in the clock of `engines.flow.explicit`: arc length of the
    parameters plus logarithm of time.
    """

    dynamics: PopulationDynamics

    method: ClassVar[str] = "flow"

    def start(self) -> FlowState:
        """Where the population starts."""
        return self._state(self.base())

    def base(self) -> FlowPoint:
        """The parameters to start from, at time 0."""
        start = self.dynamics.start()
        return FlowPoint(start, jnp.zeros((), start.dtype))

    def first(self):
        return self._shown(self.base().logits)

    def policy_of(self, logits):
        """Log-probabilities `[Q, K]`."""
        return self.dynamics.log_probs(logits)

    def seen_at(self, logits):
        return self._shown(logits)

    def point(self, state):
        return self._shown(self.here(state).logits)

    def _shown(self, parameters) -> Point:
        # Events of a population know what they look at.
        return cast(Point, self.dynamics.at(parameters))

    def velocity(self, logits):
        return normalised(self.dynamics, logits)

    def has_to_look(self, event):
        """Whether an event may happen and be undone within a step."""
        return event.counts_if_undone

    def at_rest(self, state, tolerance):
        """Whether the parameters are at rest, to `tolerance`.

        What moves at the velocity v, which falls along itself at the rate
        `lambda = -(v . dv) / (v . v)`, comes to rest after another `|v| / lambda`. That
        of a losing pattern under the policy gradient falls as fast as v itself: no
        rest, as it should be.
        """
        here = self.here(state).logits
        direction, log_speed = self.velocity(here)

        def scaled(x: Any) -> Any:
            moves, _ = self.dynamics.motion(x)
            return moves.mantissa * jnp.exp(moves.log_scale - log_speed)

        _, change = jax.jvp(scaled, (here,), (direction,))
        still = log_speed == -jnp.inf
        falls = -jnp.sum(direction * change) * tolerance >= 1
        return still | falls


def normalised(dynamics: PopulationDynamics, state: Any) -> tuple[Any, Any]:
    """Direction and log speed of the parameters and the memory."""
    velocity, _ = dynamics.motion(state)
    direction, log_size = unit(velocity.mantissa)
    return direction, log_size + velocity.log_scale

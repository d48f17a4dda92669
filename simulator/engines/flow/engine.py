"""The numerical engine: the flow `d logits / dt = velocity`, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engines.flow.explicit import ExplicitPath
from simulator.engines.flow.implicit import StiffPath
from simulator.engines.run import AbstractEngine

if TYPE_CHECKING:
    from simulator.engines.flow.runge_kutta import Stepper

HIGH_ORDER_BELOW = 1e-6  # tolerance from which 12 stages of order 8 beat 6 of order 5


class ExplicitEngine(AbstractEngine):
    """Runge-Kutta steps."""

    stepper: Stepper

    def path(self, dynamics):
        return ExplicitPath(dynamics, dynamics.log_t_ref, self.stepper)


class ImplicitEngine(AbstractEngine):
    """Rosenbrock steps, for stiff dynamics."""

    def path(self, dynamics):
        return StiffPath(dynamics, dynamics.log_t_ref)


def explicit_engine(tolerance: float) -> ExplicitEngine:
    """The engine whose order suits a tolerance."""
    # Diffrax takes longer to import than the rest of this package.
    from diffrax import Dopri8, Tsit5

    from simulator.engines.flow.runge_kutta import Stepper

    return ExplicitEngine(
        Stepper(Dopri8() if tolerance <= HIGH_ORDER_BELOW else Tsit5())
    )

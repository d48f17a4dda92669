"""The exact engine: every state in closed form, time by one quadrature.

Every state on the path is known (`orbit`, `replicator`); only the physical time is an
integral, `t = int Z dtau`, done by Gauss-Kronrod rules whose error is estimated and
bounded rule by rule. Nothing is integrated step by step, so that no error accumulates
in the state, and a time of 1e300 costs little more than one of 1.

Events are roots on the path. A time that is asked for is a root of the quadrature.
"""

from simulator.engines.exact.orbit import Orbit
from simulator.engines.exact.orbit_walk import OrbitPath
from simulator.engines.exact.replicator import ReplicatorPath
from simulator.engines.exact.time_derivatives import SlopePath
from simulator.engines.run import AbstractEngine


class ExactEngine(AbstractEngine):
    """Fixed rewards, under an update that has a closed form."""

    def path(self, dynamics):
        problem = dynamics.problem
        first = dynamics.point(problem.log_policy)
        if dynamics.update.closed_form == "replicator":
            return ReplicatorPath(dynamics, first.rewards, dynamics.log_t_ref)
        return OrbitPath(dynamics, Orbit(first.rewards, problem.log_policy))

    def with_derivatives(self, path):
        return SlopePath(path) if isinstance(path, OrbitPath) else path

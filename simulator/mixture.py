"""Several signals at once: a weighted sum of rewards."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.rules import AbstractSignal
from simulator.validation import Numbers, check_finite, check_kind, real_array

__all__ = [
    "Mixture",
]


class Mixture(AbstractSignal):
    """A weighted sum of signals: `sum_i weights[i] * signals[i]`.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> both = sim.Mixture(
    ...     [sim.Verifiable(), sim.FixedConfidence([0.0, 0.0, 1.0])], [0.8, 0.2]
    ... )
    >>> np.round(both(problem, problem.log_policy), 4)
    Array([0.72, 0.48, 0.28], dtype=float64)
    """

    signals: tuple[AbstractSignal, ...]
    weights: Float[Array, "*B n"]

    def __init__(self, signals: Sequence[AbstractSignal], weights: Numbers):
        check_kind("signals", signals, Sequence, "[Verifiable(), MajorityVote()]")
        for signal in signals:
            check_kind("signals", signal, AbstractSignal, "Verifiable()")
        self.signals = tuple(signals)
        self.weights = real_array("weights", weights)
        if not self.signals:
            raise ValueError("a mixture has no signals; give at least one.")
        if self.weights.shape[-1:] != (len(self.signals),):
            raise ValueError(
                f"{len(self.signals)} signals but weights of shape "
                f"{self.weights.shape}; give one weight per signal."
            )

    @property
    def fixed(self):
        """If all of the signals are."""
        return all(signal.fixed for signal in self.signals)

    @property
    def columns(self):
        """Those of all signals."""
        return tuple(name for signal in self.signals for name in signal.columns)

    @property
    def stiff(self):
        """As soon as one of the signals is, or moves and counts negatively.

        Rewards for what is rare, like an entropy bonus, keep all patterns alive.
        """
        if any(signal.stiff for signal in self.signals):
            return True
        moving = np.array([not signal.fixed for signal in self.signals])
        if isinstance(self.weights, jax.core.Tracer):
            return bool(moving.any())
        return bool((np.asarray(self.weights)[..., moving] < 0).any())

    def __call__(self, problem, log_probs):
        paid = self._parts(problem, log_probs)
        return sum(w * r for w, r in zip(self.weights, paid, strict=True))

    def sizes(self, problem, log_probs):
        # What a signal hands through as given is rounded when it is weighted.
        sizes = [
            jnp.maximum(signal.sizes(problem, log_probs), jnp.abs(paid))
            for signal, paid in zip(
                self.signals, self._parts(problem, log_probs), strict=True
            )
        ]
        return sum(jnp.abs(w) * s for w, s in zip(self.weights, sizes, strict=True))

    def _parts(self, problem, log_probs):
        return [signal(problem, log_probs) for signal in self.signals]

    def check(self, problem):
        check_finite("weights", self.weights)
        for signal in self.signals:
            signal.check(problem)

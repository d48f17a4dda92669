"""Many clocks, or signals, as one: a compiled program for lanes of different rules."""

from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

import simulator as sim


class Menu(sim.AbstractClock):
    """The clock number `choice` of `rules`, `[*B]`; each lane may have another."""

    rules: tuple[sim.AbstractClock, ...]
    choice: jax.Array = eqx.field(converter=jnp.asarray)

    def __init__(self, rules: Sequence[sim.AbstractClock], choice: Any):
        self.rules = tuple(rules)
        self.choice = jnp.asarray(choice)

    def log_factor(self, log_p, log_q):
        factors = jnp.stack([rule.log_factor(log_p, log_q) for rule in self.rules])
        return factors[self.choice]


class Feedback(sim.AbstractSignal):
    """The signal number `choice` of `signals`, `[*B]`; each lane may have another.

    All of them have answers to look at.
    """

    signals: tuple[sim.AbstractSignal, ...]
    choice: jax.Array = eqx.field(converter=jnp.asarray)
    needs_kernel: ClassVar[bool] = True

    def __call__(self, problem, log_probs):
        paid = jnp.stack([signal(problem, log_probs) for signal in self.signals])
        return paid[self.choice]

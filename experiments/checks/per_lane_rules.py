"""Many updates, or signals, as one: a compiled program for lanes of different rules."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

import simulator as sim
from simulator.validation import Given


class _Menu(eqx.Module):
    """The number `choice` of `rules`, `[*B]`; each lane may have another."""

    rules: Sequence[Any] = eqx.field(converter=tuple)
    choice: Given[Int[Array, "*B"]] = eqx.field(converter=jnp.asarray)

    @classmethod
    def of_one(cls, rules: Sequence[Any], rule: Any, lanes: int) -> Self:
        """The same of them for all lanes."""
        return cls(rules, np.full(lanes, list(rules).index(rule)))


class Menu(_Menu, sim.AbstractClock):
    """The update number `choice` of `rules`, `[*B]`; each lane may have another.

    All of them walk the path of the policy gradient, which may be one of them.
    """

    def log_clock(self, rewards, log_probs):
        logs = jnp.stack([rule.log_clock(rewards, log_probs) for rule in self.rules])
        return logs[self.choice]

    def log_factor(self, log_p, log_q):
        raise NotImplementedError("each rule has its own")

    def check(self, signal):
        super().check(signal)
        for rule in self.rules:
            if rule.closed_form != "orbit":
                raise ValueError(f"{rule} walks another path than the policy gradient.")
            rule.check(signal)


class SignalMenu(_Menu, sim.AbstractSignal):
    """The signal number `choice` of `rules`, `[*B]`; each lane may have another.

    All of them have answers to look at.
    """

    needs_kernel: ClassVar[bool] = True

    def __call__(self, problem, log_probs):
        paid = jnp.stack([rule(problem, log_probs) for rule in self.rules])
        return paid[self.choice]

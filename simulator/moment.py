"""One event of a solution."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from simulator.reporting import display
from simulator.validation import Result

__all__ = ["Moment"]


class AbstractTimed(eqx.Module):
    """A policy at a time, which is known by its natural logarithm."""

    log_time: eqx.AbstractVar[Float[Result, "*B"]]
    log_probs: eqx.AbstractVar[Float[Result, "..."]]

    @property
    def log10_time(self) -> Float[Array, "*B"]:
        """The logarithm to base 10 of the time."""
        return jnp.asarray(self.log_time) / np.log(10)

    @property
    def time(self) -> Float[Array, "*B"]:
        """The flow time; infinite beyond the largest float."""
        return jnp.exp(self.log_time)

    @property
    def policy(self) -> Float[Array, "..."]:
        """The probabilities `pi_k` at that time, of the shape of `log_probs`."""
        return jnp.exp(self.log_probs)


class Moment(AbstractTimed):
    """An event of a solution: when it happened, and the policy there.

    - `log_time`: `[*B]`, the natural logarithm of the flow time; `-inf`: true from the
      start, `+inf`: did not happen before the end of the run.
    - `log_probs`: `[*B, K]`, the policy there; the final one where it did not happen.
    - `name`: such as `gap=0.001`.

    >>> import simulator as sim
    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(problem, sim.Verifiable(), events=[sim.T0()])
    >>> solution["t0"]
    t0  t = 42.68  (10^1.63): policy [0.05341 0.9145 0.03204]
    >>> bool(solution["t0"].happened), round(float(solution["t0"].log10_time), 4)
    (True, 1.6303)
    """

    log_time: Float[Result, "*B"]
    log_probs: Float[Result, "*B K"]
    name: str = eqx.field(static=True)

    @property
    def happened(self) -> Bool[Array, "*B"]:
        """Whether it happened before the end of the run; False for NaN."""
        return jnp.asarray(self.log_time) < jnp.inf

    def __repr__(self) -> str:
        if not display.known((self.log_time, self.log_probs)):
            return f"{self.name}  (not known)"
        if np.ndim(self.log_time):
            return f"{self.name}  {display.spread(self.log_time)}"
        where = display.row(np.exp(self.log_probs))
        return f"{self.name}  {display.moment(self.log_time)}: policy {where}"

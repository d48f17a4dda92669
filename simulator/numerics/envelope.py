r"""Which patterns ever lead, where rewards are fixed: the lower envelope of lines.

Under the plain policy gradient, in any clock, the most likely pattern minimises
`1/pi_0(k) - rho_k x`, x a growing function of time (B2); under the natural gradient
`-log pi_0(k) - f_k x` (B7), with KL of weight beta `x = (1 - e^(-beta t)) / beta` and
`f_k = rho_k - beta log(pi_0(k) / pi_ref(k))`. So every pattern leads during one
interval or never, and the leaders follow each other in the order of their slopes.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from simulator.numerics.logspace import log_expm1

Scalar = Float[Array, ""]
Values = Float[Array, " K"]


class HandOver(NamedTuple):
    """The next leader, and the log of the place x at which it takes over.

    `heir` is the leader itself and `log_place` inf where nobody follows.
    """

    heir: Int[Array, ""]
    log_place: Scalar


class Ever(NamedTuple):
    """Who leads at some time `[K]`: of equal lines the first, or all of them."""

    first: Bool[Array, " K"]
    equals: Bool[Array, " K"]


class Lines(eqx.Module):
    """One line per pattern; the lowest one leads.

    `log_policy` `[K]`: the base policy. `slopes` `[K]`. `log_limit`: log of the place
    to which x tends. `known`: whether the rule does follow lines; else nothing is
    claimed. `harmonic`: whether lines start at `1/pi_0(k)`, or at
    `-log pi_0(k)`.
    """

    log_policy: Values
    slopes: Values
    log_limit: Scalar
    known: Bool[Array, ""]
    harmonic: bool = eqx.field(static=True)

    def first(self) -> Int[Array, ""]:
        """The most likely pattern; in a tie the steepest, which leads at once."""
        likeliest = self.log_policy == jnp.max(self.log_policy)
        return jnp.argmax(jnp.where(likeliest, self.slopes, -jnp.inf))

    def after(self, leader: Int[Array, ""]) -> HandOver:
        """The line that meets the leader's first; in a tie the steepest.

        Of lines that are one and the same, the first counts.
        """
        inside = self.log_policy > -jnp.inf
        rise = jnp.where(inside, self.slopes - self.slopes[leader], 0.0)
        steeper = rise > 0
        behind = jnp.where(steeper, self.log_policy[leader] - self.log_policy, 1.0)
        behind = jnp.maximum(behind, 0.0)  # rounding, where three lines meet
        if self.harmonic:
            log_behind = log_expm1(behind) - self.log_policy[leader]
        else:
            log_behind = jnp.log(behind)
        log_rise = jnp.log(jnp.where(steeper, rise, 1.0))
        log_place = jnp.where(steeper, log_behind - log_rise, jnp.inf)
        soonest = jnp.min(log_place)
        meets = steeper & (log_place == soonest) & (soonest < self.log_limit)
        heir = jnp.argmax(jnp.where(meets, self.slopes, -jnp.inf))
        follows = jnp.any(meets)
        return HandOver(
            jnp.where(follows, heir, leader), jnp.where(follows, soonest, jnp.inf)
        )

    def ever(self) -> Ever:
        """Who leads at some time, as far as is known."""
        numbers = jnp.arange(len(self.slopes))

        def joined(ever, leader):
            start, slope = self.log_policy[leader], self.slopes[leader]
            level = (self.log_policy == start) & (self.slopes == slope)
            return Ever(ever.first | (numbers == leader), ever.equals | level)

        def pass_on(_, carry):
            leader, ever = carry
            heir = self.after(leader).heir
            return heir, joined(ever, heir)

        first, nobody = self.first(), jnp.zeros(len(numbers), bool)
        carry = (first, joined(Ever(nobody, nobody), first))
        ever = jax.lax.fori_loop(1, len(numbers), pass_on, carry)[1]
        return Ever(ever.first | ~self.known, ever.equals | ~self.known)

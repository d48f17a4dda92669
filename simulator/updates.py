"""How logits move, given what each pattern is paid.

An update maps advantages to the velocity of the logits. To add one, write a small class
here; `pattern-selection run --help` finds it by itself.

Both updates maximise `sum_k pi_k rho_k - beta KL(pi || pi_ref)`. The penalty enters as
the effective reward `f_k = rho_k - beta log(pi_k / pi_ref_k)`, so that each rule below
needs only the advantage `A_k = f_k - sum_j pi_j f_j`.
"""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.logspace import Centred, ScaledVector, centre
from simulator.problem import Problem


class AbstractUpdate(eqx.Module):
    """A rule for the logits, with weight `beta` of KL to the reference policy."""

    beta: eqx.AbstractVar[Float[Array, ""]]

    @abstractmethod
    def velocity(self, advantage: Centred) -> ScaledVector:
        """`d logits / dt` `[K]`, as mantissa and log scale."""

    def advantage(
        self,
        problem: Problem,
        rewards: Float[Array, " K"],
        log_probs: Float[Array, " K"],
    ) -> Centred:
        """`A_k`; 0 weight outside the support."""
        inside = log_probs > -jnp.inf
        pull = jnp.where(inside, log_probs - problem.log_reference, 0.0)
        return centre(log_probs, jnp.where(inside, rewards - self.beta * pull, 0.0))

    def check(self) -> None:
        """Raise `ValueError` if a (concrete) parameter is out of range."""
        if isinstance(self.beta, jax.core.Tracer):
            return
        beta = np.asarray(self.beta)
        if not ((beta >= 0) & np.isfinite(beta)).all():
            raise ValueError(f"`beta` is {beta.min():g}; it must be 0 or positive.")


def _as_weight(value):
    # A number stays a known number inside jit, so that engines can look at it.
    with jax.ensure_compile_time_eval():
        return jnp.asarray(value, dtype=float)


class PolicyGradient(AbstractUpdate):
    """Gradient of the objective in the logits: velocity pi_k A_k."""

    beta: Float[Array, "*B"] = eqx.field(default=0.0, converter=_as_weight)

    def velocity(self, advantage):
        return advantage.weighted_by_policy()


class NaturalGradient(AbstractUpdate):
    """Natural policy gradient (mirror descent, replicator): velocity A_k."""

    beta: Float[Array, "*B"] = eqx.field(default=0.0, converter=_as_weight)

    def velocity(self, advantage):
        return ScaledVector(advantage.values(), jnp.zeros_like(advantage.log_scale))

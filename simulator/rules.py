"""Base classes of the rules of training: what a pattern is paid, and how logits move.

The signals themselves are in `simulator.signals`, the updates in `simulator.updates`.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.numerics.envelope import Lines
from simulator.numerics.logspace import Centred, ScaledVector, centre
from simulator.numerics.ties import made_equal, made_equal_to_leaders
from simulator.problem import Problem
from simulator.reporting.display import Part
from simulator.validation import check_kind

__all__ = ["AbstractFixedSignal", "AbstractSignal", "AbstractUpdate"]


class AbstractSignal(Part):
    """One reward per pattern: `signal(problem, log_probs) -> rewards [K]`.

    - `binary`: whether a single rollout is paid 0 or 1, so that `rewards` are chances.
    - `needs_kernel`: whether it looks at the answers that the patterns give.
    - `exact`: whether rewards are numbers as they were given, without any rounding.

    An array of its own may have lanes, one row per problem of a batch, if its field is
    annotated with the axes of one problem, like `Float[Array, "*B K"]` for one number
    per pattern. See `engines.lanes.own_axes`.

    >>> class Rarity(sim.AbstractSignal):
    ...     def __call__(self, problem, log_probs):
    ...         return -log_probs
    ...
    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> np.round(Rarity()(problem, problem.log_policy), 4)
    Array([2.9957, 0.3567, 1.3863], dtype=float64)
    """

    binary: ClassVar[bool] = False
    needs_kernel: ClassVar[bool] = False
    exact: ClassVar[bool] = False

    @property
    def fixed(self) -> bool:
        """Whether the rewards do not depend on the policy."""
        return False

    @property
    def stiff(self) -> bool:
        """Whether the policy gradient has a rest point that all patterns approach.

        They do so at rates that differ as much as their probabilities.
        """
        return False

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the problem's attributes that it looks at."""
        return ()

    @abstractmethod
    def __call__(
        self, problem: Problem, log_probs: Float[Array, " K"]
    ) -> Float[Array, " K"]:
        """Rewards `[K]` for one problem at the policy `exp(log_probs)`."""

    def sizes(
        self, problem: Problem, log_probs: Float[Array, " K"]
    ) -> Float[Array, " K"]:
        """The size of what is added up to compute each reward, which sets its rounding.

        That of the reward, unless larger terms cancel in it.
        """
        return jnp.abs(self(problem, log_probs))

    def paid(
        self, problem: Problem, log_probs: Float[Array, " K"]
    ) -> Float[Array, " K"]:
        """The rewards that training sees: those equal except for rounding are equal."""
        rewards = self(problem, log_probs)
        if self.exact:
            return rewards
        sizes = self.sizes(problem, log_probs)
        if self.fixed:
            return made_equal(rewards, sizes, log_probs > -jnp.inf)
        return made_equal_to_leaders(rewards, sizes, log_probs)

    def check(self, problem: Problem) -> None:
        """Raise `ValueError` if the (concrete) problem cannot be paid this way."""
        if self.needs_kernel and problem.answer_kernel is None:
            raise ValueError(
                f"`{type(self).__name__}` needs an answer kernel and the problem has "
                "none; give one row of answer probabilities per pattern."
            )
        for name in self.columns:
            problem.attribute(name)


class AbstractFixedSignal(AbstractSignal):
    """A signal whose rewards do not depend on the policy.

    >>> class Squared(sim.AbstractFixedSignal):
    ...     def rewards(self, problem):
    ...         return problem.success_rates**2
    ...
    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> sim.closed_form(Squared())
    True
    """

    @property
    def fixed(self):
        """They do not."""
        return True

    @abstractmethod
    def rewards(self, problem: Problem) -> Float[Array, " K"]:
        """Rewards `[K]` of one problem, the same at every policy."""

    def __call__(
        self, problem: Problem, log_probs: Float[Array, " K"]
    ) -> Float[Array, " K"]:
        del log_probs
        return self.rewards(problem)


class AbstractUpdate(Part):
    """A rule for the logits, with weight `beta` of KL to the reference policy.

    Arrays of its own may have lanes; see `AbstractSignal`.

    - `exponential`: whether losing patterns die out exponentially in time, because
      their logits fall however rare they are.

    >>> issubclass(sim.GRPO, sim.AbstractUpdate), sim.PolicyGradient(0.1).penalised
    (True, True)
    """

    if TYPE_CHECKING:

        @property
        def beta(self) -> Any: ...

    else:
        beta: eqx.AbstractVar[Float[Array, ""]]
    exponential: ClassVar[bool] = False

    @abstractmethod
    def velocity(self, advantage: Centred) -> ScaledVector:
        """`d logits / dt` `[K]`, as mantissa and log scale, in the plain clock."""

    @property
    def penalised(self) -> bool:
        """Whether there is a KL penalty in some lane, as far as is known."""
        beta = self.beta
        return isinstance(beta, jax.core.Tracer) or bool(np.any(np.asarray(beta)))

    @property
    def closed_form(self) -> Literal["orbit", "replicator"] | None:
        """The closed form of its path under fixed rewards, if there is one.

        `orbit`: the path of the plain policy gradient, in any clock. `replicator`: that
        of the natural gradient.
        """
        return None

    def stiff(self, signal: AbstractSignal) -> bool:
        """Whether patterns approach rest at rates that differ by any factor.

        Steps are implicit then.
        """
        del signal
        return False

    def log_clock(
        self, rewards: Float[Array, " K"], log_probs: Float[Array, " K"]
    ) -> Float[Array, ""]:
        """Log of the factor h by which this rule runs faster than the plain clock."""
        del rewards
        return jnp.zeros((), log_probs.dtype)

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

    def lines(self, problem: Problem, rewards: Float[Array, " K"]) -> Lines | None:
        """Whose lower envelope says who leads, for fixed `rewards`; None: unknown."""
        del problem, rewards
        return None

    def as_numbers(self) -> "AbstractUpdate":
        """The same update, its parameters as arrays: all that differ only in them
        share one compiled program. Called after `check`.
        """
        return self

    def check(self, signal: AbstractSignal) -> None:
        """Raise `ValueError` if a (concrete) parameter or the signal does not fit."""
        del signal
        if isinstance(self.beta, jax.core.Tracer):
            return
        beta = np.asarray(self.beta)
        if not ((beta >= 0) & np.isfinite(beta)).all():
            raise ValueError(f"`beta` is {beta.min():g}; it must be 0 or positive.")


def check_rule(signal: Any, update: Any) -> None:
    """Raise `ValueError` unless these are a signal and an update (or None)."""
    check_kind("signal", signal, AbstractSignal, "Verifiable()")
    check_kind("update", update, AbstractUpdate | None, "PolicyGradient()")
